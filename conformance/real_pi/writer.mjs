// Counts one entry of auth.json up with pi's own storage code: node writer.mjs <auth-storage.js> <auth.json> <key> <times>
import { pathToFileURL } from "node:url";

const [module, path, key, times] = process.argv.slice(2);
const { AuthStorage } = await import(pathToFileURL(module).href);
const storage = AuthStorage.create(path);
for (let i = 0; i < Number(times); i++) {
	await storage.modify(key, async (entry) => ({ ...entry, expires: entry.expires + 1 }));
}
