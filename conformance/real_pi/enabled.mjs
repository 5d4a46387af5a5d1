// What pi's own resolver makes of patterns of enabledModels: node enabled.mjs <model-resolver.js> < input > output
// Input: {models, patterns}; output: for each pattern alone, the canonical ids that it names.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import threads from "node:worker_threads";

threads.markAsUncloneable ??= () => {}; // Node 20 lacks it; what pi imports asks for it and has no use for it here

const { resolveModelScopeFromModels } = await import(pathToFileURL(process.argv[2]).href);
const { models, patterns } = JSON.parse(readFileSync(0, "utf8"));
const found = patterns.map((pattern) =>
  resolveModelScopeFromModels([pattern], models).scopedModels.map(({ model }) => `${model.provider}/${model.id}`),
);
process.stdout.write(JSON.stringify(found));
