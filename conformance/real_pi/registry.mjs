// What pi makes of agent directories: models, which are available, and key and headers of each available one.
// Arguments: pi's bundle, then directories. One line of JSON per directory.
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [bundle, ...directories] = process.argv.slice(2);
const { ModelRuntime } = await import(pathToFileURL(bundle).href);

for (const directory of directories) {
  const runtime = await ModelRuntime.create({
    authPath: join(directory, "auth.json"),
    modelsPath: join(directory, "models.json"),
    modelsStorePath: join(directory, "models-store.json"),
    allowModelNetwork: false,
  });
  const available = await runtime.getAvailable();
  const auth = {};
  for (const model of available) {
    const id = `${model.provider}/${model.id}`;
    try {
      const found = await runtime.getAuth(model);
      auth[id] = found ? { key: found.auth.apiKey ?? null, headers: found.auth.headers ?? {} } : null;
    } catch (error) {
      auth[id] = { error: error.cause instanceof Error ? error.cause.message : error.message };
    }
  }
  const line = {
    models: runtime.getModels(),
    available: available.map((model) => `${model.provider}/${model.id}`),
    error: runtime.getError() ?? "",
    auth,
  };
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
