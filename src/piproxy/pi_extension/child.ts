// The proxy that this pi started. It survives /reload and /new, and dies with pi: by a signal when pi ends in order,
// and because its standard input ends when pi does not.

import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { ask, askJson, command, Trouble, words } from "./cli.ts";

/** Milliseconds from the start to the line that says where the proxy listens. */
const START = 60_000;
/** Milliseconds between two looks at a detached proxy. */
const LOOK = 300;
/** Milliseconds that a stop may take before the proxy is killed. */
const STOP = 15_000;
/** Characters of the proxy's output that are kept for the words about a crash. */
const KEPT = 8_192;

export interface Status {
	running: boolean;
	url: string;
	pid: number | null;
	other: string | null;
	version: string | null;
	started: number | null;
	models: number | null;
	requests: number | null;
	failed: number | null;
	prompt_tokens: number | null;
	completion_tokens: number | null;
	cost: number | null;
}

interface Own {
	process: ChildProcess;
	url: string;
	stopping: boolean;
	lifetime: string;
}

interface Shared {
	own?: Own;
	starting?: Promise<string>;
	/** Told when the proxy ends without having been stopped. */
	ended?: (text: string) => void;
	guarded?: boolean;
}

const KEY = Symbol.for("piproxy.pi-extension");
/** Outlives this module: pi loads extensions again at /reload. */
const shared: Shared = ((globalThis as Record<symbol, unknown>)[KEY] ??= {}) as Shared;

export const status = () => askJson<Status>(["status"]);

/** The proxy of this session, if it still runs. */
export function own(): { url: string; pid: number; lifetime: string } | undefined {
	const { own } = shared;
	if (!own || own.process.exitCode !== null || own.process.signalCode !== null) return undefined;
	return { url: own.url, pid: own.process.pid!, lifetime: own.lifetime };
}

export function whenEnded(tell: (text: string) => void): void {
	shared.ended = tell;
}

/** Start a proxy and wait until it listens; gives its address. Throws Trouble with the proxy's own words. */
export function start(): Promise<string> {
	// Whoever asks in the meantime waits for the same one.
	shared.starting ??= startOne().finally(() => (shared.starting = undefined));
	return shared.starting;
}

async function startOne(): Promise<string> {
	const lifetime = (await ask(["config", "get", "lifetime"])).out.trim();
	const child = lifetime === "detached" ? await startDetached() : startTied();
	const url = await (lifetime === "detached" ? lookUntilThere(child) : readUntilThere(child));
	const mine: Own = { process: child.process, url, stopping: false, lifetime };
	shared.own = mine;
	child.process.once("exit", (code, signal) => {
		if (shared.own === mine) shared.own = undefined;
		if (!mine.stopping) shared.ended?.(`The proxy ended by itself: ${child.said() || (signal ?? `code ${code}`)}`);
	});
	guard();
	return url;
}

/** Stop the proxy of this session; gives where it was, or nothing where there is none. */
export async function stop(): Promise<string | undefined> {
	await shared.starting?.catch(() => {}); // One that is about to be there is stopped, too.
	const mine = shared.own;
	if (!mine || !own()) return undefined;
	mine.stopping = true;
	const gone = new Promise<void>((resolve) => mine.process.once("exit", () => resolve()));
	const late = setTimeout(() => mine.process.kill("SIGKILL"), STOP);
	mine.process.kill("SIGTERM");
	await gone;
	clearTimeout(late);
	return mine.url;
}

interface Started {
	process: ChildProcess;
	/** The proxy's last words. */
	said: () => string;
}

function startTied(): Started {
	const [program, ...first] = command();
	const child = spawn(program!, [...first, "serve", "--stop-with-stdin"], {
		stdio: ["pipe", "pipe", "pipe"],
		// A process group of its own: Ctrl+Z suspends pi's whole group, and clients would wait until pi comes back.
		detached: process.platform !== "win32",
	});
	let err = "";
	child.stdin!.on("error", () => {});
	child.stderr!.setEncoding("utf8").on("data", (text: string) => (err = (err + text).slice(-KEPT)));
	return { process: child, said: () => words({ err }) };
}

async function startDetached(): Promise<Started> {
	const [program, ...first] = command();
	const log = join(dirname((await ask(["config", "path"])).out.trim()), "proxy.log");
	const file = openSync(log, "w", 0o600);
	const child = spawn(program!, [...first, "serve"], { stdio: ["ignore", file, file], detached: true });
	closeSync(file);
	child.unref();
	return { process: child, said: () => words({ err: readFileSync(log, "utf8").slice(-KEPT) }) };
}

function readUntilThere(child: Started): Promise<string> {
	return new Promise((resolve, reject) => {
		let out = "";
		const late = setTimeout(() => {
			child.process.kill("SIGKILL");
			reject(new Trouble(`The proxy did not listen within ${START / 1000} s. ${child.said()}`));
		}, START);
		child.process.stdout!.setEncoding("utf8").on("data", (text: string) => {
			out = (out + text).slice(-KEPT);
			const found = / listens on (\S+\/v1) /.exec(out);
			if (found) {
				clearTimeout(late);
				resolve(found[1]!);
			}
		});
		ends(child, late, reject);
	});
}

function lookUntilThere(child: Started): Promise<string> {
	return new Promise((resolve, reject) => {
		let over = false;
		const late = setTimeout(() => {
			over = true;
			reject(new Trouble(`The proxy does not answer after ${START / 1000} s. ${child.said()}`));
		}, START);
		ends(child, late, (trouble) => {
			over = true;
			reject(trouble);
		});
		const look = async () => {
			const now = await status().catch(() => undefined);
			if (over) return;
			if (now?.running && now.pid === child.process.pid) {
				clearTimeout(late);
				resolve(now.url);
			} else setTimeout(look, LOOK);
		};
		void look();
	});
}

function ends(child: Started, late: NodeJS.Timeout, reject: (trouble: Trouble) => void): void {
	child.process.once("error", (error) => {
		clearTimeout(late);
		reject(new Trouble(`The proxy cannot be started: ${error.message}`));
	});
	child.process.once("close", (code, signal) => {
		clearTimeout(late);
		reject(new Trouble(`The proxy did not start: ${child.said() || `it ended with ${signal ?? `code ${code}`}`}`));
	});
}

/** A pi that leaves without its session_shutdown still takes the proxy along. */
function guard(): void {
	if (shared.guarded) return;
	shared.guarded = true;
	process.once("exit", () => {
		if (own()?.lifetime === "session") shared.own?.process.kill("SIGTERM");
	});
}
