// Runs openai-node and the Vercel AI SDK against one served piproxy: every scenario with every model.
//
//   node node.mjs http://127.0.0.1:PORT/v1 MODEL...
//
// Prints one line of JSON per play: {"sdk", "scenario", "model", "result"} or {…, "error"}. What the provider says
// depends on the scenario's name in the user's message.

import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { Output, generateText, jsonSchema, stepCountIs, streamText, tool } from "ai";
import OpenAI from "openai";

globalThis.AI_SDK_LOG_WARNINGS = false;
const [baseURL, ...models] = process.argv.slice(2);
const apiKey = "any";
const SCHEMA = {
  type: "object",
  properties: { city: { type: "string" }, rain: { type: "boolean" } },
  required: ["city", "rain"],
  additionalProperties: false,
};
const CITY = { type: "object", properties: { city: { type: "string" } } };
const NAMES = ["get_weather", "get_time"];

function openaiNode(model) {
  const api = new OpenAI({ baseURL, apiKey });
  const tools = NAMES.map((name) => ({ type: "function", function: { name, parameters: CITY } }));
  const json_schema = { name: "weather", schema: SCHEMA, strict: true };
  const ask = (scenario) => ({ model, messages: [{ role: "user", content: `scenario:${scenario};` }] });
  const text = async (scenario) => (await api.chat.completions.create(ask(scenario))).choices[0].message.content;
  const helper = (fields) => api.chat.completions.stream(fields);
  const names = (calls) => calls.map((call) => [call.function.name, JSON.parse(call.function.arguments)]);
  return {
    text: () => text("text"),
    stream: async () => {
      const stream = helper({ ...ask("stream"), stream_options: { include_usage: true } });
      return [await stream.finalContent(), (await stream.totalUsage()).total_tokens];
    },
    one: async () => {
      const done = await api.chat.completions.create({ ...ask("one"), tools });
      return [done.choices[0].finish_reason, ...names(done.choices[0].message.tool_calls)];
    },
    parallel: async () => {
      const done = await helper({ ...ask("parallel"), tools }).finalChatCompletion();
      return [done.choices[0].finish_reason, ...names(done.choices[0].message.tool_calls)];
    },
    runner: async () => {
      const run = (input) => `rain in ${JSON.stringify(input)}`;
      const own = tools.map(({ type, function: f }) => ({ type, function: { ...f, function: run, parse: JSON.parse } }));
      return await api.chat.completions.runTools({ ...ask("runner"), tools: own, stream: true }).finalContent();
    },
    structured: async () => {
      const form = { response_format: { type: "json_schema", json_schema } };
      const done = await api.chat.completions.create({ ...ask("structured"), ...form });
      return JSON.parse(done.choices[0].message.content);
    },
    thinking: async () => {
      const seen = ["", ""];
      for await (const chunk of await api.chat.completions.create({ ...ask("thinking"), stream: true })) {
        const { delta } = chunk.choices[0];
        seen[0] += delta.reasoning_content ?? "";
        seen[1] += delta.content ?? "";
      }
      return seen;
    },
    overloaded: () => text("overloaded"),
    refused: () => text("refused"),
    locked: () => text("locked"),
    cut: async () => await helper(ask("cut")).finalContent(),
  };
}

function aiSdk(model) {
  const extra = { includeUsage: true, supportsStructuredOutputs: true };
  const compatible = createOpenAICompatible({ name: "piproxy", baseURL, apiKey, ...extra }).chatModel(model);
  const standard = createOpenAI({ baseURL, apiKey }).chat(model);
  const asked = (scenario, chosen = compatible) => ({ model: chosen, prompt: `scenario:${scenario};` });
  const execute = async (input) => `rain in ${JSON.stringify(input)}`;
  const plain = Object.fromEntries(NAMES.map((name) => [name, tool({ inputSchema: jsonSchema(CITY) })]));
  const own = Object.fromEntries(NAMES.map((name) => [name, tool({ inputSchema: jsonSchema(CITY), execute })]));
  const names = (calls) => calls.map((call) => [call.toolName, call.input]);
  async function streamed(fields) {
    let failure;
    const onError = ({ error }) => (failure ??= error);
    const stream = streamText({ ...fields, onError });
    const seen = { text: "", reasoning: "" };
    for await (const part of stream.fullStream) {
      if (part.type === "text-delta") seen.text += part.text;
      if (part.type === "reasoning-delta") seen.reasoning += part.text;
      if (part.type === "error") failure ??= part.error;
    }
    if (failure) throw failure;
    return { ...seen, stream };
  }
  return {
    text: async () => (await generateText(asked("text", standard))).text,
    stream: async () => {
      const { text, stream } = await streamed(asked("stream"));
      return [text, (await stream.usage).totalTokens];
    },
    one: async () => {
      const done = await generateText({ ...asked("one"), tools: plain });
      return [done.finishReason.replace("-", "_"), ...names(done.toolCalls)];
    },
    parallel: async () => {
      const { stream } = await streamed({ ...asked("parallel", standard), tools: plain });
      return [(await stream.finishReason).replace("-", "_"), ...names(await stream.toolCalls)];
    },
    runner: async () => (await streamed({ ...asked("runner"), tools: own, stopWhen: stepCountIs(3) })).text,
    structured: async () => {
      const output = Output.object({ schema: jsonSchema(SCHEMA) });
      return (await generateText({ ...asked("structured"), output })).output;
    },
    thinking: async () => {
      const { reasoning, text } = await streamed(asked("thinking"));
      return [reasoning, text];
    },
    overloaded: async () => (await generateText(asked("overloaded"))).text,
    refused: async () => (await generateText(asked("refused"))).text,
    locked: async () => (await generateText(asked("locked"))).text,
    cut: async () => (await streamed({ ...asked("cut"), maxRetries: 0 })).text,
  };
}

const ONE = process.env.SCENARIO;
for (const [sdk, plays] of [
  ["openai-node", openaiNode],
  ["ai-sdk", aiSdk],
]) {
  const runs = models.flatMap((model) => Object.entries(plays(model)).map(([scenario, play]) => [model, scenario, play]));
  await Promise.all(
    runs
      .filter(([, scenario]) => !ONE || scenario === ONE)
      .map(async ([model, scenario, play]) => {
        const line = { sdk, scenario, model };
        try {
          line.result = await play();
        } catch (error) {
          line.error = { name: error.name, status: error.status ?? error.statusCode ?? null, text: String(error.message) };
        }
        console.log(JSON.stringify(line));
      }),
  );
}
