"""One line per request, for people or for programs; never content, never a secret.

What went wrong is told in the words of :mod:`piproxy.logged`, which repeat neither the client nor the provider. A trace
has files, lines and the names of exceptions, but not what those say: a ``KeyError`` may hold a piece of a prompt.
"""

from __future__ import annotations

import logging
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Literal

from piproxy.exchange import Record
from piproxy.jsontext import Json, dump
from piproxy.redact import redact
from piproxy.server.terminal import PATIENCE, takes, write_line

Write = Callable[[str], None]

_USUAL: Final = frozenset(("/v1/chat/completions", "/v1/models", "/chat/completions", "/models", "/health", "/"))
"""Paths that hold nothing of anybody's."""


class Stderr:
    """Takes the log's lines to standard error, as long as somebody reads there."""

    def __init__(self, lost: Callable[[int], str]) -> None:
        """``lost(count)`` is the line that says how many could not be written."""
        self._say = lost
        self._lost = 0

    def __call__(self, line: str) -> None:
        stream = sys.stderr
        if not takes(stream, 0 if self._lost else PATIENCE):
            self._lost += 1
            return
        if self._lost:
            line, self._lost = f"{self._say(self._lost)}\n{line}", 0
        write_line(stream, line)


class Log:
    """Where requests and events of the server are written."""

    def __init__(self, style: Literal["human", "json"] = "human", write: Write | None = None) -> None:
        self._style = style
        self._write = write or Stderr(lambda count: self._line("nobody took the log's lines", lost=count))

    def request(self, record: Record, seconds: float) -> None:
        """A request is over."""
        if self._style == "json":
            self._write(dump({"time": _now(), "event": "request", **_fields(record, seconds)}).decode())
        else:
            self._write(_human(record, seconds))
        if record.bug is not None:
            self.bug(record.bug, request_id=record.request_id)

    def bug(self, error: BaseException, **fields: Json) -> None:
        """Something that should not happen."""
        self.event("internal error", **fields, trace=_trace(error))

    def event(self, text: str, **fields: Json) -> None:
        """Anything else that whoever runs the proxy should know; for people, ``what`` follows in words."""
        self._write(self._line(text, **fields))

    def _line(self, text: str, **fields: Json) -> str:
        told = {name: redact(value) if isinstance(value, str) else value for name, value in fields.items()}
        if self._style == "json":
            return dump({"time": _now(), "event": text, **told}).decode()
        shown = {name: value if name == "trace" else _printable(str(value), 4000) for name, value in told.items()}
        words = f"{text}: {shown.pop('what')}" if "what" in shown else text
        return " ".join((_now(), words, *(f"{name}={value}" for name, value in shown.items())))

    @contextmanager
    def listening(self) -> Iterator[None]:
        """What Python's ``logging`` is told below ``piproxy`` is written here, in the same form."""
        logger, ears = logging.getLogger("piproxy"), _Ears(self)
        logger.addHandler(ears)
        try:
            yield
        finally:
            logger.removeHandler(ears)


class _Ears(logging.Handler):
    """Warnings and errors of modules that know no :class:`Log`."""

    def __init__(self, log: Log) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        error = None if record.exc_info is None else record.exc_info[1]
        fields: dict[str, Json] = {} if error is None else {"trace": _trace(error)}
        self._log.event("warning", what=record.getMessage(), **fields)


def _trace(error: BaseException) -> str:
    """Where it happened and what kind of error it was, after its causes and before the members of a group."""
    parts: list[str] = []
    seen: set[int] = set()

    def tell(one: BaseException) -> None:
        if id(one) in seen:
            return
        seen.add(id(one))
        before = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
        if before is not None:
            tell(before)
        parts.extend(traceback.format_tb(one.__traceback__))
        parts.append(f"{type(one).__module__}.{type(one).__qualname__}\n")
        for member in one.exceptions if isinstance(one, BaseExceptionGroup) else ():
            tell(member)

    tell(error)
    return "".join(parts).rstrip()


def _fields(record: Record, seconds: float) -> dict[str, Json]:
    usage = record.usage
    fields: dict[str, Json] = {
        "request_id": record.request_id,
        "client_request_id": _id(record.client_request_id),
        "method": record.method,
        "path": _path(record.path),
        "status": record.status,
        "model": record.model,
        "provider": record.provider,
        "api": record.api,
        "stream": record.stream or None,
        "seconds": round(seconds, 3),
        "queued": round(record.queued, 3) or None,
        "first_event": None if record.first_event is None else round(record.first_event, 3),
        "prompt_tokens": None if usage is None else usage.input + usage.cache_read + usage.cache_write,
        "completion_tokens": None if usage is None else usage.output,
        "cached_tokens": None if usage is None else usage.cache_read,
        "reasoning_tokens": None if usage is None else usage.reasoning,
        "cost": record.cost,
        "partial": record.partial or None,
        "dropped": list(record.dropped) or None,
        "upstream_id": _id(record.upstream_id),
        "ending": str(record.ending),
        "error": record.error,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _human(record: Record, seconds: float) -> str:
    words = [_now(), record.method, _printable(_path(record.path)), str(record.status or "-")]
    if record.model is not None:
        words += [f"{record.provider}/{record.model}", f"api={record.api}"]
    words.append(f"{seconds:.3f}s")
    if record.queued >= 0.001:
        words.append(f"queued={record.queued:.3f}s")
    if record.first_event is not None:
        words.append(f"first={record.first_event:.3f}s")
    if record.usage is not None:
        usage = record.usage
        unfinished = "?" if record.partial else ""
        words.append(f"tokens={usage.input + usage.cache_read + usage.cache_write}+{usage.output}{unfinished}")
    if record.cost is not None:
        words.append(f"${record.cost:.6f}")
    if record.dropped:
        words.append("dropped=" + ",".join(record.dropped))
    words += [str(record.ending).replace(" ", "-"), record.request_id]
    for name, id_ in (("client", _id(record.client_request_id)), ("upstream", _id(record.upstream_id))):
        if id_ is not None:
            words.append(f"{name}={_printable(id_)}")
    if record.error is not None:
        words.append("- " + _printable(record.error))
    return " ".join(words)


def _path(path: str) -> str:
    return path if path in _USUAL else redact(path[:500])


def _id(id_: str | None) -> str | None:
    """An id that others made up."""
    return None if id_ is None else redact(id_[:200])


def _printable(text: str, most: int = 500) -> str:
    """A line stays one line, whatever a client or a provider wrote."""
    return "".join(c if c.isprintable() else " " for c in text[:most])


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")
