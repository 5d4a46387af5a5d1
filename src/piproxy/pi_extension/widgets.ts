// The parts of the panel that pi-tui does not have: a text field with a judge, and a list with a search to pick from.

import type { Component } from "@mariozechner/pi-tui";
import { Input, truncateToWidth, wrapTextWithAnsi } from "@mariozechner/pi-tui";

export interface Look {
	title: (text: string) => string;
	picked: (text: string) => string;
	dim: (text: string) => string;
	bad: (text: string) => string;
	/** Whether what was typed is the key that pi's user has bound to this. */
	is: (data: string, key: "tui.select.up" | "tui.select.down" | "tui.select.confirm" | "tui.select.cancel") => boolean;
	draw: () => void;
	/** How many lines the whole panel may have. */
	height: () => number;
}

/** One line of text; closes only when `accept` has nothing against it. */
export class TextField implements Component {
	private readonly input = new Input();
	private complaint = "";

	constructor(
		private readonly title: string,
		private readonly hint: string,
		value: string,
		private readonly look: Look,
		accept: (text: string) => Promise<string>,
		close: () => void,
	) {
		this.input.focused = true;
		this.input.setValue(value);
		this.input.handleInput("\x05"); // the end of the line
		this.input.onEscape = close;
		this.input.onSubmit = async (text) => {
			this.complaint = await accept(text.trim());
			if (this.complaint === "") close();
			look.draw();
		};
	}

	render(width: number): string[] {
		const notes = [...wrapTextWithAnsi(this.hint, width - 4).map(this.look.dim)];
		if (this.complaint) notes.push("", ...wrapTextWithAnsi(this.complaint, width - 4).map(this.look.bad));
		const keys = this.look.dim("Enter to save · Esc to go back");
		return [
			this.look.title(`  ${this.title}`),
			"",
			...this.input.render(width),
			"",
			...notes.map((line) => `  ${line}`),
			"",
			truncateToWidth(`  ${keys}`, width),
		];
	}

	handleInput(data: string): void {
		this.input.handleInput(data);
	}

	invalidate(): void {
		this.input.invalidate();
	}
}

export interface Choice {
	value: string;
	hint: string;
	/** What stands before it: a box, a prefix, nothing. */
	mark: () => string;
}

/** Choices that are seen at once, where there is room for so many. */
const VISIBLE = 12;
/** Lines of the panel beside them. */
const AROUND = 13;

/** A list with a search; `pick` is told what was picked, and the list stays open. */
export class PickList implements Component {
	private readonly search = new Input();
	private selected = 0;
	private inner: Component | undefined;
	private complaint = "";

	constructor(
		private readonly title: string,
		private readonly keys: string,
		private readonly choices: Choice[],
		private readonly look: Look,
		/** Gives a complaint, nothing, or a component to go on in. */
		private readonly pick: (value: string, back: () => void) => Promise<string> | Component,
		private readonly close: () => void,
	) {
		this.search.focused = true;
	}

	render(width: number): string[] {
		if (this.inner) return this.inner.render(width);
		const found = this.found();
		const rows = Math.min(VISIBLE, Math.max(3, this.look.height() - AROUND));
		const first = Math.max(0, Math.min(this.selected - Math.floor(rows / 2), found.length - rows));
		const lines = found.slice(first, first + rows).map((choice, at) => {
			const text = `${choice.mark()}${choice.value}`;
			const hint = choice.hint ? `  ${this.look.dim(choice.hint)}` : "";
			const here = first + at === this.selected;
			return truncateToWidth(`${here ? this.look.picked("→ ") : "  "}${here ? this.look.picked(text) : text}${hint}`, width);
		});
		if (found.length > rows) lines.push(this.look.dim(`  (${this.selected + 1}/${found.length})`));
		if (this.complaint) lines.push("", ...wrapTextWithAnsi(this.complaint, width - 4).map((line) => this.look.bad(`  ${line}`)));
		return [
			this.look.title(`  ${this.title}`),
			"",
			...this.search.render(width),
			"",
			...(found.length > 0 ? lines : [this.look.dim("  Nothing fits.")]),
			"",
			truncateToWidth(this.look.dim(`  Type to search · ${this.keys} · Esc to go back`), width),
		];
	}

	handleInput(data: string): void {
		if (this.inner) return this.inner.handleInput?.(data);
		const found = this.found();
		if (this.look.is(data, "tui.select.up")) this.selected = (this.selected || found.length) - 1;
		else if (this.look.is(data, "tui.select.down")) this.selected = (this.selected + 1) % Math.max(found.length, 1);
		else if (this.look.is(data, "tui.select.cancel")) this.close();
		else if (this.look.is(data, "tui.select.confirm") || (data === " " && this.search.getValue() === "")) {
			const choice = found[this.selected];
			if (choice) this.picked(choice.value);
		} else {
			this.search.handleInput(data);
			this.selected = 0;
		}
	}

	invalidate(): void {
		this.inner?.invalidate();
	}

	private picked(value: string): void {
		const next = this.pick(value, () => {
			this.inner = undefined;
			this.look.draw();
		});
		if (next instanceof Promise) {
			void next.then((complaint) => {
				this.complaint = complaint;
				this.look.draw();
			});
		} else this.inner = next;
	}

	private found(): Choice[] {
		const words = this.search.getValue().toLowerCase().split(/\s+/);
		return this.choices.filter((choice) => words.every((word) => `${choice.value} ${choice.hint}`.toLowerCase().includes(word)));
	}
}
