// openai-node.

import OpenAI from "openai";
import { IMAGE, RESULT, SCHEMA, TOOL, USER, serve } from "./common.mjs";

async function play(task) {
  const api = new OpenAI({ baseURL: task.baseURL, apiKey: task.apiKey, maxRetries: task.retries });
  const { model } = task;
  const whole = (fields = {}) => api.chat.completions.create({ model, messages: [USER], ...fields });
  const message = async (fields) => (await whole(fields)).choices[0].message;

  async function streamed(fields = {}, leaveAfter = 0) {
    const stream = await api.chat.completions.create({ model, messages: [USER], stream: true, ...fields });
    const seen = { text: "", reasoning: "", calls: [], usage: null, finish: null };
    let count = 0;
    for await (const chunk of stream) {
      seen.usage = chunk.usage ?? seen.usage;
      for (const { delta, finish_reason } of chunk.choices) {
        seen.finish = finish_reason ?? seen.finish;
        seen.text += delta.content ?? "";
        seen.reasoning += delta.reasoning_content ?? "";
        for (const call of delta.tool_calls ?? []) {
          seen.calls[call.index] ??= { id: call.id, type: "function", function: { name: "", arguments: "" } };
          seen.calls[call.index].function.name += call.function.name ?? "";
          seen.calls[call.index].function.arguments += call.function.arguments ?? "";
        }
        count += delta.content ? 1 : 0;
      }
      if (leaveAfter && count === leaveAfter) {
        stream.controller.abort();
        return { left: true };
      }
    }
    return seen;
  }

  const results = (calls) => calls.map((call) => ({ role: "tool", tool_call_id: call.id, content: RESULT }));
  const made = (calls) => calls.map((call) => JSON.parse(call.function.arguments));

  switch (task.scenario) {
    case "text":
    case "retry":
    case "overloaded":
    case "error":
      return { text: (await message()).content };
    case "length": {
      const choice = (await whole({ max_tokens: 5 })).choices[0];
      return { text: choice.message.content, finish: choice.finish_reason };
    }
    case "stream":
    case "cut":
    case "error-stream":
      return await streamed();
    case "usage": {
      const { usage } = await streamed({ stream_options: { include_usage: true } });
      return { tokens: [usage.prompt_tokens, usage.prompt_tokens_details.cached_tokens, usage.completion_tokens] };
    }
    case "tools": {
      const first = await message({ tools: [TOOL] });
      const messages = [USER, first, ...results(first.tool_calls)];
      return { calls: made(first.tool_calls), text: (await message({ messages, tools: [TOOL] })).content };
    }
    case "tools-stream":
    case "parallel": {
      const first = await streamed({ tools: [TOOL] });
      const turn = { role: "assistant", content: first.text || null, tool_calls: first.calls };
      const second = await streamed({ messages: [USER, turn, ...results(first.calls)], tools: [TOOL] });
      return { calls: made(first.calls), text: second.text };
    }
    case "image": {
      const image = { type: "image_url", image_url: { url: IMAGE, detail: "high" } };
      const content = [{ type: "text", text: "What is this?" }, image];
      return { text: (await message({ messages: [{ role: "user", content }] })).content };
    }
    case "structured": {
      const format = { type: "json_schema", json_schema: { name: "recipe", strict: true, schema: SCHEMA } };
      return { object: JSON.parse((await message({ response_format: format })).content) };
    }
    case "reasoning":
      return await streamed({ reasoning_effort: "high" });
    case "abort":
      return await streamed({}, 3);
    case "abort-whole": {
      const controller = new AbortController();
      setTimeout(() => controller.abort(), 1000);
      try {
        await api.chat.completions.create({ model, messages: [USER] }, { signal: controller.signal });
      } catch (error) {
        return { left: error instanceof OpenAI.APIUserAbortError };
      }
      return {};
    }
    case "models": {
      const ids = [];
      for await (const one of api.models.list()) ids.push(one.id);
      return { models: ids.includes(model) };
    }
  }
  return {};
}

await serve(play);
