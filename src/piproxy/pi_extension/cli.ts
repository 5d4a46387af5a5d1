// Asking the piproxy program. Every rule about settings and models is there; here is only how to find and call it.

import { spawn } from "node:child_process";
import { accessSync, constants, readFileSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, dirname, isAbsolute, join } from "node:path";
import { fileURLToPath } from "node:url";

export const INSTALL_HINT =
	"Install it with `uv tool install piproxy` or `pipx install piproxy`, or set PIPROXY_BIN to where it is.";

/** Milliseconds that a question to piproxy may take. */
const PATIENCE = 60_000;

export interface Answer {
	code: number;
	out: string;
	err: string;
}

/** What went wrong, in words for the user. */
export class Trouble extends Error {}

/** The words that start piproxy: PIPROXY_BIN, PATH, ~/.local/bin, and the Python that installed this extension. */
export function command(): string[] {
	const named = process.env.PIPROXY_BIN;
	if (named) {
		if (!isProgram(named)) throw new Trouble(`PIPROXY_BIN is ${named}, which is not a program. ${INSTALL_HINT}`);
		return [named];
	}
	const name = process.platform === "win32" ? "piproxy.exe" : "piproxy";
	const folders = [...(process.env.PATH ?? "").split(delimiter), join(homedir(), ".local", "bin")];
	const found = folders.filter((folder) => isAbsolute(folder)).map((folder) => join(folder, name)).find(isProgram);
	if (found) return [found];
	const installer = recorded();
	if (installer.length > 0 && isProgram(installer[0]!)) return installer;
	throw new Trouble(`The program piproxy was not found. ${INSTALL_HINT}`);
}

/** Run piproxy to its end. */
export function ask(args: string[], input = ""): Promise<Answer> {
	return new Promise((resolve, reject) => {
		const [program, ...first] = command();
		const child = spawn(program!, [...first, ...args], { stdio: ["pipe", "pipe", "pipe"], timeout: PATIENCE });
		let out = "";
		let err = "";
		child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text));
		child.stderr.setEncoding("utf8").on("data", (text: string) => (err += text));
		child.stdin.on("error", () => {}); // It ended before it read: its exit code says why.
		child.on("error", (error) => reject(new Trouble(`${program} cannot be started: ${error.message}`)));
		child.on("close", (code, signal) => {
			if (signal) err += `\npiproxy: ${args.slice(0, 2).join(" ")} was ended by ${signal} (it has ${PATIENCE / 1000} s)`;
			resolve({ code: code ?? 1, out, err });
		});
		child.stdin.end(input);
	});
}

/** What piproxy prints as JSON; its own words where it prints none. */
export async function askJson<T>(args: string[]): Promise<T> {
	return (await askJsonAndWords<T>(args)).json;
}

/** The same, and what piproxy had to say beside it, such as that the file of settings is broken. */
export async function askJsonAndWords<T>(args: string[]): Promise<{ json: T; beside: string }> {
	const answer = await ask([...args, "--json"]);
	try {
		return { json: JSON.parse(answer.out) as T, beside: answer.err.trim() };
	} catch {
		throw new Trouble(words(answer) || `piproxy ${args.join(" ")} ended with code ${answer.code}`);
	}
}

/** What piproxy said about a failure, without its name in front. */
export function words(answer: Pick<Answer, "err">): string {
	const lines = answer.err.trim().split("\n");
	return (lines.find((line) => line.startsWith("piproxy: ")) ?? lines.at(-1) ?? "").replace(/^piproxy: /, "");
}

function recorded(): string[] {
	try {
		const file = join(dirname(fileURLToPath(import.meta.url)), "installed-by.json");
		const { command } = JSON.parse(readFileSync(file, "utf8")) as { command?: unknown };
		return Array.isArray(command) && command.every((word) => typeof word === "string") ? command : [];
	} catch {
		return [];
	}
}

function isProgram(path: string): boolean {
	try {
		accessSync(path, constants.X_OK);
		return statSync(path).isFile(); // A folder may bear the name, too.
	} catch {
		return false;
	}
}
