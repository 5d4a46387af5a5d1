// piproxy in pi: /proxy and --proxy. Loads without a build step on pi 0.73 and newer; the legacy package names are the
// ones that every version knows.

import type { ExtensionAPI } from "@mariozechner/pi-coding-agent";
import * as child from "./child.ts";
import { Trouble } from "./cli.ts";
import { type Context, keepZed, run, showStatus, start, SUBCOMMANDS, tell } from "./commands.ts";

export default function (pi: ExtensionAPI) {
	pi.registerFlag("proxy", {
		description: "Start piproxy, an OpenAI-compatible gateway to pi's models, with this session",
		type: "boolean",
		default: false,
	});

	pi.registerCommand("proxy", {
		description: "piproxy: settings panel, start, stop, status and more (/proxy help)",
		getArgumentCompletions: (prefix: string) => {
			const fitting = Object.entries(SUBCOMMANDS).filter(([name]) => name.startsWith(prefix.trimStart()));
			return fitting.length > 0
				? fitting.map(([value, { about }]) => ({ value, label: value, description: about }))
				: null;
		},
		handler: async (args: string, ctx: Context) => {
			try {
				await run(args, ctx);
			} catch (error) {
				if (!(error instanceof Trouble)) throw error;
				tell(ctx, error.message, "error");
			}
		},
	});

	pi.on("session_start", async (_event: unknown, ctx: Context) => {
		child.whenEnded((text) => {
			tell(ctx, text, "error");
			ctx.ui.setStatus("piproxy", undefined);
		});
		// Not awaited: pi does not wait for the proxy.
		const wanted = pi.getFlag("proxy") === true && !child.own();
		const look = async () => {
			if (wanted) await start(ctx);
			else if (ctx.hasUI && (await showStatus(ctx))) await keepZed(ctx);
		};
		look().catch((error: unknown) => {
			if (wanted) tell(ctx, error instanceof Error ? error.message : String(error), "error");
		});
	});

	pi.on("session_shutdown", async (event: { reason?: string }) => {
		// After /reload, /new and /resume this pi goes on, and so does its proxy.
		const goesOn = ["reload", "new", "resume", "fork"].includes(event?.reason ?? "");
		if (!goesOn && child.own()?.lifetime === "session") await child.stop();
	});
}
