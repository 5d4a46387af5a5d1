// Renews logins with pi's own code: node refresh.mjs <load.js> <now in ms> < cases.json > results.json
// A case: {loader, options?, credential, replies}; a result: {asked, stored, auth} or {asked, error}.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [load, now] = process.argv.slice(2);
const loaders = await import(pathToFileURL(load).href);
Date.now = () => Number(now);

const results = [];
for (const { loader, options, credential, replies } of JSON.parse(readFileSync(0, "utf8"))) {
	const asked = [];
	globalThis.fetch = async (url, init = {}) => {
		const headers = Object.fromEntries(new Headers(init.headers));
		asked.push({ method: init.method ?? "GET", url: String(url), headers, body: String(init.body ?? "") });
		return new Response(JSON.stringify(replies.shift()), { headers: { "content-type": "application/json" } });
	};
	try {
		const flow = await loaders[loader](options);
		const renewed = await flow.refresh(credential, new AbortController().signal);
		const stored = { type: "oauth", ...renewed };
		results.push({ asked, stored: JSON.stringify(stored, null, 2), auth: await flow.toAuth(stored) });
	} catch (error) {
		results.push({ asked, error: String(error) });
	}
}
process.stdout.write(JSON.stringify(results));
