// The Vercel AI SDK, with its provider for OpenAI (chat) or the one for anything compatible.

import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { Output, generateText, jsonSchema, stepCountIs, streamText, tool } from "ai";
import { PARAMETERS, PNG, QUESTION, RESULT, SCHEMA, serve } from "./common.mjs";

const COMPATIBLE = process.env.MODE === "compatible";

function model(task) {
  const { baseURL, apiKey } = task;
  if (!COMPATIBLE) return createOpenAI({ baseURL, apiKey }).chat(task.model);
  const extra = { includeUsage: true, supportsStructuredOutputs: true };
  return createOpenAICompatible({ name: "piproxy", baseURL, apiKey, ...extra }).chatModel(task.model);
}

async function play(task) {
  const common = { model: model(task), prompt: QUESTION, maxRetries: task.retries };
  const calls = [];
  const get_weather = tool({
    description: "The weather in a city",
    inputSchema: jsonSchema(PARAMETERS),
    execute: async (input) => {
      calls.push(input);
      return RESULT;
    },
  });
  const agent = { ...common, tools: { get_weather }, stopWhen: stepCountIs(3) };

  async function streamed(fields = {}, leaveAfter = 0) {
    const controller = new AbortController();
    let text = "";
    let reasoning = "";
    let count = 0;
    let last = "";
    let failure = null;
    const options = { ...common, ...fields, abortSignal: controller.signal, onError: () => {} };
    for await (const part of streamText(options).fullStream) {
      if (part.type === "start-step") last = "";
      if (part.type === "text-delta") {
        text += part.text;
        last += part.text;
        if (leaveAfter && ++count === leaveAfter) controller.abort();
      }
      if (part.type === "reasoning-delta") reasoning += part.text;
      if (part.type === "error") failure ??= part.error;
    }
    if (leaveAfter) return { left: true };
    if (failure) throw failure;
    return { text: last || text, ...(reasoning ? { reasoning } : {}) };
  }

  const providerOptions = { piproxy: { reasoningEffort: "high" }, openai: { reasoningEffort: "high" } };
  switch (task.scenario) {
    case "text":
    case "retry":
    case "overloaded":
    case "error":
      return { text: (await generateText(common)).text };
    case "length": {
      const done = await generateText({ ...common, maxOutputTokens: 20 });
      return { text: done.text, finish: done.finishReason };
    }
    case "stream":
    case "cut":
    case "error-stream":
      return await streamed();
    case "usage": {
      const done = streamText({ ...common, onError: () => {} });
      await done.text;
      const usage = await done.usage;
      return { tokens: [usage.inputTokens, usage.inputTokenDetails?.cacheReadTokens, usage.outputTokens] };
    }
    case "tools":
      return { text: (await generateText(agent)).text, calls };
    case "tools-stream":
    case "parallel":
      return { ...(await streamed(agent)), calls };
    case "image": {
      const content = [
        { type: "text", text: "What is this?" },
        { type: "image", image: PNG, mediaType: "image/png" },
      ];
      const { prompt, ...rest } = common;
      return { text: (await generateText({ ...rest, messages: [{ role: "user", content }] })).text };
    }
    case "structured": {
      const output = Output.object({ schema: jsonSchema(SCHEMA), name: "recipe" });
      const done = await generateText({ ...common, experimental_output: output, output });
      return { object: done.output ?? done.experimental_output };
    }
    case "reasoning":
      return await streamed({ providerOptions });
    case "reasoning-whole": {
      const done = await generateText({ ...common, providerOptions });
      return { text: done.text, ...(done.reasoningText ? { reasoning: done.reasoningText } : {}) };
    }
    case "abort":
      return await streamed({}, 3);
  }
  return {};
}

await serve(play);
