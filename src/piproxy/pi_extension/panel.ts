// The settings panel. Its lines, words and choices come from `piproxy config entries`, what is allowed is decided by
// `piproxy config set`, and each change is saved at once.

import { randomBytes } from "node:crypto";
import type { Component, SettingItem } from "@mariozechner/pi-tui";
import { SettingsList, visibleWidth, wrapTextWithAnsi } from "@mariozechner/pi-tui";
import { getSettingsListTheme } from "@mariozechner/pi-coding-agent";
import { own } from "./child.ts";
import { ask, askJsonAndWords, words } from "./cli.ts";
import type { Context } from "./commands.ts";
import { type Look, PickList, TextField } from "./widgets.ts";

interface Entry {
	key: string;
	label: string;
	kind: string;
	help: string;
	allowed: string;
	shown: string;
	text: string;
	choices: string[];
	candidates: { value: string; hint: string }[];
	chosen: string[];
	secret: boolean;
	restart: boolean;
	wins: string | null;
}

/** Settings that are seen at once, where there is room for so many. */
const ROWS = 13;
/** Lines of the panel beside them, with two for the words about a setting. */
const AROUND = 14;

/** Show the panel until it is closed; false where there is no terminal to show it in. */
export async function openPanel(ctx: Context): Promise<boolean> {
	const mode = (ctx as { mode?: string }).mode;
	if (mode !== undefined && mode !== "tui") return false;
	const { json: entries, beside } = await askJsonAndWords<Entry[]>(["config", "entries"]);
	let opened = false;
	await ctx.ui.custom<void>(
		(tui, theme, keybindings, done) => {
			opened = true;
			const look: Look = {
				title: (text) => theme.fg("accent", theme.bold(text)),
				picked: (text) => theme.fg("accent", text),
				dim: (text) => theme.fg("dim", text),
				bad: (text) => theme.fg("error", text),
				is: (data, key) => keybindings.matches(data, key),
				draw: () => tui.requestRender(),
				height: () => tui.terminal.rows - 2,
			};
			const late = (text: string, complaint: boolean) => ctx.ui.notify(text, complaint ? "error" : "info");
			return new Panel(entries, beside, look, (text) => theme.fg("border", text), late, () => done());
		},
		{ overlay: true, overlayOptions: { anchor: "center", width: 80, margin: 1 } },
	);
	return opened;
}

class Panel implements Component {
	private readonly list: SettingsList;
	private note = "Changes are saved at once.";
	private complaint = false;
	private closed = false;
	/** The saves so far, one after the other: each reads and writes the whole file. */
	private saves: Promise<unknown> = Promise.resolve();
	/** How many saves of a setting are still to come. */
	private readonly waiting = new Map<string, number>();

	constructor(
		private readonly entries: Entry[],
		/** What is wrong with the settings before anything is changed; often nothing. */
		trouble: string,
		private readonly look: Look,
		private readonly line: (text: string) => string,
		/** Says outside the panel what comes after it was closed. */
		private readonly late: (text: string, complaint: boolean) => void,
		close: () => void,
	) {
		this.list = new SettingsList(
			entries.map((entry) => this.item(entry)),
			Math.min(ROWS, Math.max(3, look.height() - AROUND)),
			getSettingsListTheme(),
			(key, value) => void this.save(key, value),
			() => {
				this.closed = true;
				close();
			},
			{ enableSearch: true },
		);
		if (trouble) this.tell(trouble, true);
	}

	render(width: number): string[] {
		const inner = width - 4;
		const colour = this.complaint ? this.look.bad : this.look.dim;
		const note = wrapTextWithAnsi(this.note, inner - 2).map((text) => `  ${colour(text)}`);
		const above = [this.look.title("piproxy"), "", ...this.list.render(inner), ""];
		const lines = [...fitted(above, this.look.height() - 2 - note.length), ...note];
		const side = this.line("│");
		return [
			this.line(`╭${"─".repeat(width - 2)}╮`),
			...lines.map((text) => `${side} ${text}${" ".repeat(Math.max(0, inner - visibleWidth(text)))} ${side}`),
			this.line(`╰${"─".repeat(width - 2)}╯`),
		];
	}

	handleInput(data: string): void {
		this.list.handleInput(data);
		this.look.draw();
	}

	invalidate(): void {
		this.list.invalidate();
	}

	private item(entry: Entry): SettingItem {
		const notes = [entry.help, entry.wins ? `${entry.wins} is set and wins over this.` : ""];
		if (entry.choices.length === 0) notes.push(`Allowed: ${entry.allowed}.`);
		const item: SettingItem = {
			id: entry.key,
			label: entry.label,
			description: notes.filter(Boolean).join(" "),
			currentValue: entry.shown,
		};
		if (entry.choices.length > 0) item.values = entry.choices;
		else item.submenu = (_value, done) => this.submenu(entry, () => done());
		return item;
	}

	private submenu(entry: Entry, close: () => void): Component {
		const save = (text: string) => this.save(entry.key, text);
		if (entry.secret) return this.secret(entry, save, close);
		if (entry.kind === "strings" && entry.candidates.length > 0) return this.several(entry, save, close);
		if (entry.kind === "map" && entry.candidates.length > 0) return this.map(entry, save, close);
		const form = { strings: " Separate by commas.", map: " Write name=value, separate by commas.", zed: " Write name=value, separate by commas." };
		const hint = `${entry.help} Allowed: ${entry.allowed}.${form[entry.kind as keyof typeof form] ?? ""}`;
		return new TextField(entry.label, hint, entry.text, this.look, save, close);
	}

	private secret(entry: Entry, save: (text: string) => Promise<string>, close: () => void): Component {
		const random = "a new random token";
		const own = "a token of your own";
		const none = "no token";
		const choices = [random, own, none].map((value) => ({ value, hint: "", mark: () => "" }));
		return new PickList(entry.label, "Enter to choose", choices, this.look, (value, back) => {
			if (value === own) return new TextField(entry.label, entry.help, "", this.look, save, back);
			const token = value === random ? randomBytes(16).toString("hex") : "";
			return save(token).then((complaint) => {
				if (complaint === "") {
					if (token) this.tell(`The token is ${token} (shown this once).`);
					close();
				}
				return complaint;
			});
		}, close);
	}

	private several(entry: Entry, save: (text: string) => Promise<string>, close: () => void): Component {
		const chosen = new Set(entry.chosen);
		const gone = entry.chosen.filter((value) => !entry.candidates.some((candidate) => candidate.value === value));
		const choices = [...gone.map((value) => ({ value, hint: "not available" })), ...entry.candidates].map((candidate) => ({
			...candidate,
			mark: () => (chosen.has(candidate.value) ? "[x] " : "[ ] "),
		}));
		return new PickList(entry.label, "Enter to change", choices, this.look, (value) => {
			const turn = () => chosen.delete(value) || chosen.add(value);
			turn();
			return save([...chosen].join(",")).then((complaint) => {
				if (complaint) turn();
				return complaint;
			});
		}, close);
	}

	private map(entry: Entry, save: (text: string) => Promise<string>, close: () => void): Component {
		const pairs = new Map(entry.text.split(",").filter(Boolean).map((pair): [string, string] => {
			const [name = "", ...rest] = pair.split("=");
			return [name, rest.join("=")];
		}));
		const names = new Set([...pairs.keys(), ...entry.candidates.map((candidate) => candidate.value)]);
		const choices = [...names].map((value) => ({ value, hint: "", mark: () => (pairs.has(value) ? `${pairs.get(value)} = ` : "") }));
		return new PickList(entry.label, "Enter to change", choices, this.look, (name, back) => {
			const accept = (text: string) => {
				const before = pairs.get(name);
				if (text) pairs.set(name, text);
				else pairs.delete(name);
				return save([...pairs].map(([key, value]) => `${key}=${value}`).join(",")).then((complaint) => {
					if (complaint && before === undefined) pairs.delete(name);
					else if (complaint) pairs.set(name, before!);
					return complaint;
				});
			};
			return new TextField(`${entry.label}: ${name}`, `${entry.help} Empty: none.`, pairs.get(name) ?? "", this.look, accept, back);
		}, close);
	}

	/** Save one value, and show what piproxy made of it; gives its complaint, or nothing. */
	private save(key: string, text: string): Promise<string> {
		this.waiting.set(key, (this.waiting.get(key) ?? 0) + 1);
		const saved = this.saves.then(() => this.saveNow(key, text));
		this.saves = saved;
		return saved;
	}

	private async saveNow(key: string, text: string): Promise<string> {
		this.waiting.set(key, (this.waiting.get(key) ?? 1) - 1);
		const at = this.entries.findIndex((entry) => entry.key === key);
		const done = await ask(["config", "set", key, "-", "--json"], text).catch((error: Error) => ({ code: 1, out: "", err: error.message }));
		const saved = done.code === 0 ? parsed(done.out) : undefined;
		const complaint = saved ? "" : words(done) || "It was not saved.";
		if (saved) {
			Object.assign(this.entries[at]!, saved);
			const later = saved.restart && own() ? " It counts from the next /proxy start on." : "";
			this.tell(saved.wins ? `Saved, but ${saved.wins} is set and wins.` : `Saved: ${saved.label} is ${saved.shown}.${later}`);
		} else this.tell(complaint, true);
		if (!this.waiting.get(key)) this.list.updateValue(key, this.entries[at]!.shown);
		this.look.draw();
		return complaint;
	}

	private tell(text: string, complaint = false): void {
		if (this.closed) this.late(text, complaint);
		this.note = text;
		this.complaint = complaint;
	}
}

/** Not more lines than there is room for: empty ones go first, then those at the end of the list. */
function fitted(lines: string[], room: number): string[] {
	const kept = [...lines];
	for (let at = kept.length - 1; at >= 0 && kept.length > room; at--) {
		if (kept[at]!.trim() === "") kept.splice(at, 1);
	}
	return kept.slice(0, Math.max(room, 1));
}

function parsed(text: string): Entry | undefined {
	try {
		return JSON.parse(text) as Entry;
	} catch {
		return undefined;
	}
}
