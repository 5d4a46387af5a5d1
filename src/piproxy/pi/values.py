"""pi's config-value language (pi-on-disk.md, 2.2): keys in auth.json, keys and headers in models.json.

    abc              itself
    pre-$A-${B}      variables; one that is unset or empty leaves the whole value unresolved
    $$  $!           a literal ``$`` and ``!``
    !command         what the command prints, trimmed

:func:`parse` and :func:`expand` are pure; :func:`run_command` is the one that starts a process.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, TypeAlias

from piproxy.pi.kept import Kept

COMMAND_TIMEOUT: Final = 10.0
MOST: Final = 1024 * 1024
"""Bytes that a command may print: Node's default, and so pi's."""

_TOKEN: Final = re.compile(
    r"\$(?:(?P<escaped>[$!])|\{(?P<braced>[A-Za-z_][A-Za-z0-9_]*)\}|(?P<odd>\{[^}]*\})|(?P<bare>[A-Za-z_][A-Za-z0-9_]*))"
)


@dataclass(frozen=True, slots=True)
class Variable:
    name: str


@dataclass(frozen=True, slots=True)
class Template:
    """Literal text and variables, in order."""

    parts: tuple[str | Variable, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The variables, each once."""
        return tuple(dict.fromkeys(part.name for part in self.parts if isinstance(part, Variable)))


@dataclass(frozen=True, slots=True)
class Command:
    """A shell command."""

    line: str


@dataclass(frozen=True, slots=True)
class Unresolved:
    """Why a value has no value; ``words`` ends pi's own sentence "Failed to resolve … from".

    A command is told by its failure and not by its line, which may hold a secret: these words reach clients.
    """

    words: str


@dataclass(frozen=True, slots=True)
class Failed:
    """A command that gave no value, and why; the words hold nothing of the command or of what it printed."""

    reason: str


Runner: TypeAlias = Callable[[str], "str | Failed"]
"""Runs a command line and gives what it printed."""


def parse(text: str) -> Template | Command:
    """Read a value; every text has a meaning."""
    if text.startswith("!"):
        return Command(text[1:])
    parts: list[str | Variable] = []
    end = 0
    for token in _TOKEN.finditer(text):
        literal = text[end : token.start()]
        name = token["braced"] or token["bare"]
        parts += [literal, Variable(name)] if name else [literal + (token["escaped"] or token[0])]
        end = token.end()
    parts.append(text[end:])
    return Template(tuple(_joined(parts)))


def expand(text: str, *variables: Mapping[str, str], run: Runner | None = None) -> str | Unresolved:
    """The value of ``text``. Variables are looked up in the mappings from left to right; empty counts as unset.

    ``run`` is given commands (default: :func:`run_command`, anew each time).
    """
    value = parse(text)
    if isinstance(value, Command):
        printed = (run or run_command)(value.line)
        return Unresolved(f"shell command ({printed.reason})") if isinstance(printed, Failed) else printed
    found = {name: lookup(name, *variables) for name in value.names}
    unset = [name for name in found if found[name] is None]
    if unset:
        return Unresolved(f"environment variable{'s' if len(unset) > 1 else ''}: {', '.join(unset)}")
    return "".join(part if isinstance(part, str) else found[part.name] or "" for part in value.parts)


def lookup(name: str, *variables: Mapping[str, str]) -> str | None:
    """The first non-empty value of a variable."""
    return next((layer[name] for layer in variables if layer.get(name)), None)


def run_command(line: str, *, timeout: float = COMMAND_TIMEOUT) -> str | Failed:
    """Run ``line`` by the system's shell and give what it printed, trimmed; blocks, so call it from a thread.

    :class:`Failed` for a failure, for nothing printed, for more than :data:`MOST` bytes, and for a command that still
    runs after ``timeout`` seconds; the last two are ended with everything that they started.
    """
    try:
        process = subprocess.Popen(  # noqa: S602 - the user's own command, from the user's own file
            line,
            shell=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except (OSError, ValueError):
        return Failed("it could not be started")
    printed = bytearray()
    reader = threading.Thread(target=_read, args=(process, printed), daemon=True)
    until = time.monotonic() + timeout
    with process:
        reader.start()
        reader.join(timeout)
        try:
            if reader.is_alive():
                raise subprocess.TimeoutExpired(line, timeout)
            if len(printed) <= MOST:
                process.wait(max(until - time.monotonic(), 0.0))
        except subprocess.TimeoutExpired:
            return Failed(f"it did not end within {timeout:g} s")
        finally:
            if reader.is_alive() or process.poll() is None:
                _end(process)
            reader.join()
    if len(printed) > MOST:
        return Failed(f"it printed more than {MOST} bytes")
    if process.returncode:
        return Failed(_ending(process.returncode))
    return printed.decode(errors="replace").strip() or Failed("it printed nothing")


class CommandCache:
    """Runs each command line once and remembers the outcome, failures included.

    This is pi's rule for auth.json, for the life of its process; commands of models.json run for every request. A proxy
    lives longer than pi, so an outcome can be forgotten. Safe to call from several threads: the second caller of a line
    waits for the first, callers of other lines do not.
    """

    def __init__(self, run: Runner = run_command, clock: Callable[[], float] = time.monotonic) -> None:
        self._run = run
        self._outcomes: Kept[str, str | Failed] = Kept(clock)
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()

    def __call__(self, line: str) -> str | Failed:
        with self._guard:
            lock = self._locks.setdefault(line, threading.Lock())
        with lock:
            known = self._outcomes.get(line)
            return self._outcomes.put(line, self._run(line)) if known is None else known

    def refused(self, line: str) -> None:
        """A provider did not accept what ``line`` printed: run it anew, unless it has just run."""
        self._outcomes.refused(line)


def _joined(parts: list[str | Variable]) -> list[str | Variable]:
    joined: list[str | Variable] = []
    for part in parts:
        if isinstance(part, str) and joined and isinstance(joined[-1], str):
            joined[-1] += part
        elif part != "":
            joined.append(part)
    return joined


def _read(process: subprocess.Popen[bytes], into: bytearray) -> None:
    """Up to the end, or a little more than :data:`MOST` bytes."""
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    while len(into) <= MOST and (data := os.read(process.stdout.fileno(), 65536)):
        into += data


def _ending(code: int) -> str:
    """A shell's exit code in words."""
    if code < 0:
        return f"it was ended by signal {-code}"
    known = {126: ": it cannot be executed", 127: ": not found"}
    return f"exit code {code}{known.get(code, '')}"


def _end(process: subprocess.Popen[bytes]) -> None:
    """With its whole group, which may outlive it."""
    if os.name == "posix":
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
