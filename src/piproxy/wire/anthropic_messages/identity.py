"""As whom a Claude subscription speaks (wire-native-apis.md, 2.4): Claude Code, with its headers and tool names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from piproxy.wire.room import Options

SYSTEM: Final = "You are Claude Code, Anthropic's official CLI for Claude."
"""The first system block of every such request, exactly."""
BETAS: Final = ("claude-code-20250219", "oauth-2025-04-20")
VERSION: Final = "2.1.322"
"""The version that pi 1.5.2 names. Anthropic refuses versions that are too old."""
VERSION_VARIABLE: Final = "PIPROXY_CLAUDE_CODE_VERSION"

_TOOLS: Final = {
    name.lower(): name
    for name in (
        "Read",
        "Write",
        "Edit",
        "Bash",
        "Grep",
        "Glob",
        "AskUserQuestion",
        "EnterPlanMode",
        "ExitPlanMode",
        "KillShell",
        "NotebookEdit",
        "Skill",
        "Task",
        "TaskOutput",
        "TodoWrite",
        "WebFetch",
        "WebSearch",
    )
}


def speaks(options: Options) -> bool:
    """Whether this request is made as Claude Code."""
    return options.identity == "claude_code"


def headers(options: Options) -> dict[str, str | None]:
    """The client's own headers."""
    version = options.env.get(VERSION_VARIABLE) or VERSION
    return {"user-agent": f"claude-cli/{version}", "x-app": "cli"}


class ToolNames:
    """The client's tool names in Claude Code's casing; every other name stays as it is.

    Two tools whose names differ only in case keep them both.
    """

    def __init__(self, names: Iterable[str], *, recase: bool) -> None:
        given = tuple(dict.fromkeys(names))
        folded = [name.lower() for name in given]
        self._recase = recase
        self._kept = {name for name in given if folded.count(name.lower()) > 1}

    def to_wire(self, name: str) -> str:
        """The name as it is sent, in tools, in tool choice and in history."""
        if not self._recase or name in self._kept:
            return name
        return _TOOLS.get(name.lower(), name)

    def to_client(self, names: Iterable[str]) -> Mapping[str, str]:
        """Lower-case wire name -> the client's spelling, for the answer's parser."""
        if not self._recase:
            return {}
        return {name.lower(): name for name in names if name not in self._kept}
