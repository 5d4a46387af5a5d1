// What follows /proxy.

import { dirname } from "node:path";
import type { ExtensionCommandContext, ExtensionContext } from "@mariozechner/pi-coding-agent";
import * as child from "./child.ts";
import { ask, askJson, askJsonAndWords, Trouble, words } from "./cli.ts";
import { openPanel } from "./panel.ts";

export type Context = ExtensionContext | ExtensionCommandContext;
type Kind = "info" | "warning" | "error";

interface Subcommand {
	about: string;
	run: (ctx: Context) => Promise<void>;
}

interface Shown {
	value: unknown;
	source: string;
}

interface Listed {
	id: string;
	model: string;
	provider: string;
}

interface Finding {
	level: "ok" | "note" | "warning" | "error";
	what: string;
	next_step: string;
}

export const SUBCOMMANDS: Record<string, Subcommand> = {
	config: { about: "open the settings panel; also /proxy alone", run: config },
	start: { about: "start the proxy; it ends with this session", run: start },
	stop: { about: "stop the proxy that this session started", run: stop },
	status: { about: "say whether a proxy runs, where, and what it served", run: tellStatus },
	show: { about: "show the settings and the exposed models in short", run: show },
	models: { about: "list the exposed models by provider", run: models },
	verify: { about: "check logins, settings, models and the port", run: verify },
	path: { about: "say where the settings are kept", run: path },
	reset: { about: "go back to the default settings", run: reset },
	help: { about: "show this", run: help },
};

export async function run(args: string, ctx: Context): Promise<void> {
	const name = args.trim().split(/\s+/)[0] || "config";
	const found = Object.hasOwn(SUBCOMMANDS, name) ? SUBCOMMANDS[name] : undefined;
	if (found) await found.run(ctx);
	else tell(ctx, `/proxy ${name}: no such command.\n${usage()}`, "warning");
}

/** Say something where this session can show it. */
export function tell(ctx: Context, text: string, kind: Kind = "info"): void {
	if (ctx.hasUI) ctx.ui.notify(text, kind);
	else if ((ctx as { mode?: string }).mode === "print" && kind === "info") console.log(text);
	else console.error(text);
}

export async function start(ctx: Context): Promise<void> {
	const mine = child.own();
	if (mine) return tell(ctx, `The proxy of this session already runs at ${mine.url}, process ${mine.pid}.`);
	const before = await child.status();
	if (before.running) {
		await showStatus(ctx);
		return tell(ctx, `A proxy already runs at ${before.url}, process ${before.pid}, outside this session. It is left alone.`);
	}
	if (before.other) {
		throw new Trouble(`The proxy cannot start: ${before.other}. Choose another port with /proxy config.`);
	}
	const url = await child.start();
	await showStatus(ctx);
	const ends = child.own()?.lifetime === "detached" ? "It goes on when pi ends" : "It ends with this session";
	tell(ctx, `The proxy listens on ${url}, process ${child.own()?.pid ?? "unknown"}. ${ends}.`);
	await keepZed(ctx);
}

/** Let Zed know the models, if the setting zed says so. */
export async function keepZed(ctx: Context): Promise<void> {
	const done = await ask(["connect", "zed", "--auto"]);
	if (done.code !== 0) tell(ctx, `Zed's settings were not changed: ${words(done)}`, "warning");
}

/** The line at the foot of pi's screen; whether a proxy runs. */
export async function showStatus(ctx: Context): Promise<boolean> {
	const now = await child.status();
	const count = now.models === null ? "" : ` (${now.models} models)`;
	ctx.ui.setStatus("piproxy", now.running ? `proxy: ${now.url}${count}` : undefined);
	return now.running;
}

async function config(ctx: Context): Promise<void> {
	const opened = ctx.hasUI && (await openPanel(ctx));
	if (!opened) {
		tell(ctx, "The panel needs a terminal. /proxy show shows the settings, `piproxy config set` changes them.", "warning");
	}
}

async function stop(ctx: Context): Promise<void> {
	const stopped = await child.stop();
	if (stopped) {
		tell(ctx, `The proxy at ${stopped} has stopped.`);
	} else {
		const now = await child.status();
		const outside = `A proxy runs at ${now.url}, process ${now.pid}, outside this session. It is left alone; \`piproxy stop\` ends it.`;
		tell(ctx, now.running ? outside : "No proxy runs.", now.running ? "warning" : "info");
	}
	await showStatus(ctx);
}

async function tellStatus(ctx: Context): Promise<void> {
	const now = await child.status();
	const text = (await ask(["status"])).out.trim();
	const whose = child.own()?.pid === now.pid ? "started by this session" : "outside this session";
	tell(ctx, now.running ? `${text}\n${whose}` : text);
	await showStatus(ctx);
}

async function show(ctx: Context): Promise<void> {
	const { json: settings, beside } = await askJsonAndWords<Record<string, Shown>>(["config", "show"]);
	const set = Object.entries(settings).filter(([key, { source }]) => source !== "default" && source !== key);
	const of = (key: string) => inWords(settings[key]?.value);
	const exposed = await askJson<Listed[]>(["models"]);
	const some = exposed.slice(0, 5).map((model) => model.id);
	tell(
		ctx,
		[
			`host ${of("host")}, port ${of("port")}, token ${of("authToken") || "none"}, images from the web ${of("remoteImages")}, ` +
				`body ${of("maxBodySizeMb")} MB, timeout ${of("upstreamTimeoutSec")} s`,
			`models: ${of("modelExposureMode")}, ids ${of("publicModelIdMode")}; ${exposed.length} exposed` +
				(some.length > 0 ? `: ${some.join(", ")}${exposed.length > some.length ? " …" : ""}` : ""),
			...set.filter(([, { source }]) => source.startsWith("PI_")).map(([key, { source }]) => `${key} is set by ${source}`),
			...(beside ? [beside] : []),
		].join("\n"),
		beside ? "warning" : "info",
	);
}

async function models(ctx: Context): Promise<void> {
	const exposed = await askJson<Listed[]>(["models"]);
	if (exposed.length === 0) {
		const why = (await ask(["models"])).err.trim();
		return tell(ctx, `No model is exposed: ${why}`, "warning");
	}
	const lines = [...new Set(exposed.map((model) => model.provider))].map((provider) => {
		const ids = exposed
			.filter((model) => model.provider === provider)
			.map(({ id, model }) => (id === model || `${provider}/${id}` === model ? id : `${id} (${model})`));
		return `${provider}: ${ids.join(", ")}`;
	});
	tell(ctx, lines.join("\n"));
}

async function verify(ctx: Context): Promise<void> {
	const findings = await askJson<Finding[]>(["doctor"]);
	const bad = findings.filter(({ level }) => level === "warning" || level === "error");
	const worst: Kind = bad.some(({ level }) => level === "error") ? "error" : bad.length > 0 ? "warning" : "info";
	const lines = (bad.length > 0 ? bad : findings).map(({ level, what, next_step }) =>
		[`${level}: ${what}`, ...(level === "ok" || !next_step ? [] : [`  ${next_step.replaceAll("\n", "\n  ")}`])].join("\n"),
	);
	tell(ctx, [...lines, ...(bad.length > 0 ? [] : ["All is well."])].join("\n"), worst);
}

async function path(ctx: Context): Promise<void> {
	const file = (await ask(["config", "path"])).out.trim();
	tell(ctx, `${file}\n(the extension itself: ${dirname(new URL(import.meta.url).pathname)})`);
}

async function reset(ctx: Context): Promise<void> {
	if (ctx.hasUI && !(await ctx.ui.confirm("Reset piproxy?", "All settings of the proxy go back to their defaults."))) return;
	const done = await ask(["config", "reset"]);
	if (done.code !== 0) throw new Trouble(words(done));
	tell(ctx, done.out.trim());
}

async function help(ctx: Context): Promise<void> {
	tell(ctx, usage());
}

function usage(): string {
	const lines = Object.entries(SUBCOMMANDS).map(([name, { about }]) => `/proxy ${name.padEnd(7)} ${about}`);
	return [...lines, "pi --proxy    start the proxy with the session"].join("\n");
}

function inWords(value: unknown): string {
	return typeof value === "string" ? value : JSON.stringify(value ?? null);
}
