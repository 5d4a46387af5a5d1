"""Tools and the choice among them (wire reference, 3.5 and 12). Schemas go through byte for byte."""

from __future__ import annotations

from dataclasses import dataclass, field

from piproxy import transcript
from piproxy.chat import Chat, Tool, ToolChoice
from piproxy.errors import UnsupportedParameter
from piproxy.jsontext import Json
from piproxy.wire.openai_completions import cachemarks
from piproxy.wire.openai_completions.compat import Compat


@dataclass(slots=True)
class ToolWriter:
    """Writes the tool fields of one request. ``dropped`` collects what the upstream cannot take."""

    compat: Compat
    dropped: list[str] = field(default_factory=list)

    def fields(self, chat: Chat) -> dict[str, Json]:
        """``tools``, ``tool_choice`` and ``tool_stream``.

        Raises :class:`UnsupportedParameter` for a custom tool where the upstream has none.
        """
        offered, choice = self._offered(chat.tools, chat.tool_choice)
        if not offered:
            history = bool(transcript.call_ids(chat.messages))
            return {"tools": []} if self.compat.requiresToolsWithToolHistory and history else {}
        written: dict[str, Json] = {"tools": [self._tool(tool) for tool in offered]}
        if self.compat.zaiToolStream:
            written["tool_stream"] = True
        if choice is not None:
            written["tool_choice"] = choice
        return written

    def _offered(self, tools: tuple[Tool, ...], choice: ToolChoice | None) -> tuple[tuple[Tool, ...], Json]:
        """The tools to send and the choice to send; ``allowed_tools`` is OpenAI's, elsewhere the list is filtered."""
        if choice is None:
            return tools, None
        if choice.mode == "named":
            kind = "custom" if choice.custom else "function"
            return tools, {"type": kind, kind: {"name": choice.names[0]}}
        if not choice.names:
            return tools, choice.mode
        if self.compat.host not in ("openai", "custom"):
            return tuple(tool for tool in tools if tool.name in choice.names), choice.mode
        kinds = {tool.name: "custom" if tool.custom else "function" for tool in tools}
        allowed = [
            {"type": kinds.get(name, "function"), kinds.get(name, "function"): {"name": name}} for name in choice.names
        ]
        return tools, {"type": "allowed_tools", "allowed_tools": {"mode": choice.mode, "tools": allowed}}

    def _tool(self, tool: Tool) -> dict[str, Json]:
        return self._custom(tool) if tool.custom else self._function(tool)

    def _function(self, tool: Tool) -> dict[str, Json]:
        function: dict[str, Json] = {"name": tool.name}
        if tool.description is not None:
            function["description"] = tool.description
        if tool.parameters is not None:
            function["parameters"] = tool.parameters
        if self.compat.supportsStrictMode or (tool.strict is not None and self._takes_strict):
            function["strict"] = bool(tool.strict)
        elif tool.strict:
            self._drop("tools.strict")
        return self._marked({"type": "function", "function": function}, tool)

    @property
    def _takes_strict(self) -> bool:
        """OpenAI does; an unknown host does until its entry says otherwise."""
        if "supportsStrictMode" in self.compat.explicit:
            return self.compat.supportsStrictMode
        return self.compat.host in ("openai", "custom")

    def _custom(self, tool: Tool) -> dict[str, Json]:
        takes = self.compat.supportsOpenAIGrammarTools or (
            self.compat.host in ("openai", "custom") and "supportsOpenAIGrammarTools" not in self.compat.explicit
        )
        if not takes:
            raise UnsupportedParameter(
                f"Tool '{tool.name}' is a custom tool, which this model's provider does not take.",
                advice="Declare a function tool instead.",
                param="tools",
            )
        custom: dict[str, Json] = {"name": tool.name}
        if tool.description is not None:
            custom["description"] = tool.description
        if tool.format is not None:
            custom["format"] = tool.format
        return self._marked({"type": "custom", "custom": custom}, tool)

    def _marked(self, written: dict[str, Json], tool: Tool) -> dict[str, Json]:
        if tool.cache_control is None:
            return written
        kind = cachemarks.mark_kind(tool.cache_control)
        if cachemarks.accepts(self.compat, kind):
            return {**written, kind: tool.cache_control}
        self._drop(kind)
        return written

    def _drop(self, name: str) -> None:
        if name not in self.dropped:
            self.dropped.append(name)
