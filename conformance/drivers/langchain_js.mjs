// LangChain's ChatOpenAI in JavaScript.

import { HumanMessage, ToolMessage } from "@langchain/core/messages";
import { ChatOpenAI } from "@langchain/openai";
import { IMAGE, QUESTION, RESULT, SCHEMA, TOOL, serve } from "./common.mjs";

async function play(task) {
  const common = {
    model: task.model,
    apiKey: task.apiKey,
    maxRetries: task.retries,
    useResponsesApi: false,
    configuration: { baseURL: task.baseURL },
  };
  const chat = new ChatOpenAI(common);
  async function streamed(model = chat, asked = QUESTION) {
    let whole = null;
    for await (const chunk of await model.stream(asked)) whole = whole ? whole.concat(chunk) : chunk;
    return whole;
  }
  switch (task.scenario) {
    case "text":
    case "retry":
    case "overloaded":
    case "error":
      return { text: (await chat.invoke(QUESTION)).content };
    case "stream":
    case "cut":
    case "error-stream":
      return { text: (await streamed()).content };
    case "length": {
      const said = await new ChatOpenAI({ ...common, maxTokens: 5 }).invoke(QUESTION);
      return { text: said.content, finish: said.response_metadata.finish_reason };
    }
    case "usage": {
      const usage = (await streamed(new ChatOpenAI({ ...common, streamUsage: true }))).usage_metadata;
      return { tokens: [usage.input_tokens, usage.input_token_details.cache_read, usage.output_tokens] };
    }
    case "tools":
    case "tools-stream":
    case "parallel": {
      const bound = chat.bindTools([TOOL]);
      const asked = [new HumanMessage(QUESTION)];
      const first = task.scenario === "tools" ? await bound.invoke(asked) : await streamed(bound, asked);
      const results = first.tool_calls.map((call) => new ToolMessage({ content: RESULT, tool_call_id: call.id }));
      const second = await bound.invoke([...asked, first, ...results]);
      return { calls: first.tool_calls.map((call) => call.args), text: second.content };
    }
    case "image": {
      const content = [
        { type: "text", text: "What is this?" },
        { type: "image_url", image_url: { url: IMAGE } },
      ];
      return { text: (await chat.invoke([new HumanMessage({ content })])).content };
    }
    case "structured": {
      const schema = { title: "recipe", description: "A recipe", ...SCHEMA };
      return { object: await chat.withStructuredOutput(schema, { method: "jsonSchema" }).invoke(QUESTION) };
    }
    case "reasoning":
      return { text: (await streamed(new ChatOpenAI({ ...common, reasoning: { effort: "high" } }))).content };
    case "abort": {
      const controller = new AbortController();
      let count = 0;
      try {
        for await (const chunk of await chat.stream(QUESTION, { signal: controller.signal })) {
          if (chunk.content && ++count === 3) controller.abort();
        }
      } catch {
        // as wished
      }
      return { left: true };
    }
  }
  return {};
}

await serve(play);
