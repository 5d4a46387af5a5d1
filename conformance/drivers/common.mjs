// What all drivers in JavaScript share: tasks come in as lines of JSON, what the client saw goes out as one line each.

import { createInterface } from "node:readline";

export const QUESTION = "What is the answer?";
export const USER = { role: "user", content: QUESTION };
export const PNG =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==";
export const IMAGE = `data:image/png;base64,${PNG}`;
export const RESULT = "21 °C and sunny";
export const SCHEMA = {
  type: "object",
  properties: {
    name: { type: "string" },
    minutes: { type: "integer" },
    steps: { type: "array", items: { type: "string" } },
  },
  required: ["name", "minutes", "steps"],
  additionalProperties: false,
};
export const PARAMETERS = {
  type: "object",
  properties: { city: { type: "string" }, unit: { enum: ["celsius", "fahrenheit"] } },
  required: ["city"],
};
export const TOOL = {
  type: "function",
  function: { name: "get_weather", description: "The weather in a city", parameters: PARAMETERS },
};

// play(task) gives what the client saw; what it throws is an error seen.
export async function serve(play) {
  for await (const line of createInterface({ input: process.stdin })) {
    const { scenario, base_url, model } = JSON.parse(line);
    const retries = ["retry", "overloaded", "cut"].includes(scenario) ? 2 : 0;
    let seen;
    try {
      seen = await play({ scenario, baseURL: base_url, model, retries, apiKey: process.env.API_KEY });
    } catch (error) {
      const whole = [error?.message, error?.responseBody, error?.lastError?.message].filter(Boolean).join(" | ");
      seen = { error: `${error?.name}: ${whole}`, failed: true };
    }
    process.stdout.write(JSON.stringify(seen) + "\n");
  }
}
