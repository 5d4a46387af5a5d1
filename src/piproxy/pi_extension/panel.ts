// The settings panel. Its lines, words and choices come from `piproxy config entries`, what is allowed is decided by
// `piproxy config set`, and each change is saved at once.

import { randomBytes } from "node:crypto";
import type { Component, SettingItem } from "@mariozechner/pi-tui";
import { SettingsList, truncateToWidth, visibleWidth } from "@mariozechner/pi-tui";
import { getSettingsListTheme } from "@mariozechner/pi-coding-agent";
import { own } from "./child.ts";
import { ask, askJson, words } from "./cli.ts";
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

const ROWS = 13;

/** Show the panel until it is closed; false where there is no terminal to show it in. */
export async function openPanel(ctx: Context): Promise<boolean> {
	const mode = (ctx as { mode?: string }).mode;
	if (mode !== undefined && mode !== "tui") return false;
	const entries = await askJson<Entry[]>(["config", "entries"]);
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
			};
			return new Panel(entries, look, (text) => theme.fg("border", text), () => done());
		},
		{ overlay: true, overlayOptions: { anchor: "center", width: 80, maxHeight: "90%", margin: 1 } },
	);
	return opened;
}

class Panel implements Component {
	private readonly list: SettingsList;
	private note = "Changes are saved at once.";
	private complaint = false;
	/** The saves so far, one after the other: each reads and writes the whole file. */
	private saves: Promise<unknown> = Promise.resolve();
	/** How many saves of a setting are still to come. */
	private readonly waiting = new Map<string, number>();

	constructor(
		private readonly entries: Entry[],
		private readonly look: Look,
		private readonly line: (text: string) => string,
		close: () => void,
	) {
		this.list = new SettingsList(
			entries.map((entry) => this.item(entry)),
			ROWS,
			getSettingsListTheme(),
			(key, value) => void this.save(key, value),
			close,
			{ enableSearch: true },
		);
	}

	render(width: number): string[] {
		const inner = width - 4;
		const note = this.complaint ? this.look.bad(this.note) : this.look.dim(this.note);
		const lines = [this.look.title("piproxy"), "", ...this.list.render(inner), "", truncateToWidth(`  ${note}`, inner)];
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
			if (!chosen.delete(value)) chosen.add(value);
			return save([...chosen].join(","));
		}, close);
	}

	private map(entry: Entry, save: (text: string) => Promise<string>, close: () => void): Component {
		const pairs = new Map(entry.text.split(",").filter(Boolean).map((pair) => pair.split("=", 2) as [string, string]));
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
		const complaint = done.code === 0 ? "" : words(done) || "It was not saved.";
		if (complaint === "") {
			const saved = JSON.parse(done.out) as Entry;
			Object.assign(this.entries[at]!, saved);
			const later = saved.restart && own() ? " It counts from the next /proxy start on." : "";
			this.tell(saved.wins ? `Saved, but ${saved.wins} is set and wins.` : `Saved: ${saved.label} is ${saved.shown}.${later}`);
		} else this.tell(complaint, true);
		if (!this.waiting.get(key)) this.list.updateValue(key, this.entries[at]!.shown);
		this.look.draw();
		return complaint;
	}

	private tell(text: string, complaint = false): void {
		this.note = text;
		this.complaint = complaint;
	}
}
