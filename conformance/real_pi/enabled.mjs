// What pi's own resolver makes of patterns of enabledModels: node enabled.mjs <pi's bundle> < input > output
// Input: {models, patterns}; output: for each pattern alone, the canonical ids that it names.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const { resolveModelScopeWithDiagnostics } = await import(pathToFileURL(process.argv[2]).href);
const { models, patterns } = JSON.parse(readFileSync(0, "utf8"));
const runtime = { getAvailable: async () => models };
const found = [];
for (const pattern of patterns) {
  const { scopedModels } = await resolveModelScopeWithDiagnostics([pattern], runtime);
  found.push(scopedModels.map(({ model }) => `${model.provider}/${model.id}`));
}
process.stdout.write(JSON.stringify(found));
