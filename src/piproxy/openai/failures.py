"""Any error as an answer in OpenAI's shape: ``{"error": {"message", "type", "param", "code"}}``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from piproxy.errors import MethodNotAllowed, NotFound, PiproxyError
from piproxy.jsontext import Json, dump

_UNEXPECTED: Final = PiproxyError(
    "piproxy failed to handle this request; its log says why.",
    code="internal_error",
    headers={"x-should-retry": "false"},  # SDKs repeat every 5xx; a fault of ours would only cost twice more
)


class Failure(NamedTuple):
    """A whole HTTP answer."""

    status: int
    headers: dict[str, str]
    body: bytes


def known(error: BaseException) -> PiproxyError:
    """The error itself, or, for one that nobody foresaw, a 500 that tells nothing about it."""
    return error if isinstance(error, PiproxyError) else _UNEXPECTED


def error_object(error: BaseException) -> dict[str, Json]:
    """``code`` and ``param`` are strings or null: numbers break typed clients (wire reference, 9.1)."""
    shown = known(error)
    return {"error": {"message": shown.message, "type": shown.type, "param": shown.param, "code": shown.code}}


def failure(error: BaseException) -> Failure:
    """The answer for an error that came before the first byte."""
    shown = known(error)
    headers = {"content-type": "application/json", **shown.headers}
    if shown.status == 401:  # which has to say how (RFC 9110, 15.5.2)
        headers.setdefault("www-authenticate", "Bearer")
    return Failure(shown.status, headers, dump(error_object(shown)))


def frame(error: BaseException) -> bytes:
    """The last two frames of a stream that failed after its first byte."""
    return b"data: " + dump(error_object(error)) + b"\n\ndata: [DONE]\n\n"


def not_found(path: str) -> NotFound:
    """For a path that is served by nobody; names what is served to whoever seems to look for OpenAI's API."""
    shown = path[:200]
    steps = path.strip("/").split("/")
    if steps[0] in _OTHER_ENDPOINTS or steps[:2] == ["chat", "completions"]:  # below it are OpenAI's stored completions
        return NotFound(
            f"'{shown}' is not offered by piproxy; it serves '/v1/chat/completions' and '/v1/models'.",
            code="unsupported_endpoint",
        )
    return NotFound(f"No such path: '{shown}'.", code="not_found")


def method_not_allowed(method: str, path: str, allowed: Sequence[str]) -> MethodNotAllowed:
    """With the ``allow`` header that HTTP demands (RFC 9110, 15.5.6)."""
    headers: Mapping[str, str] = {"allow": ", ".join(allowed)}
    return MethodNotAllowed(
        f"'{path[:200]}' does not take {method[:20]}, but {' or '.join(allowed)}.",
        code="method_not_allowed",
        headers=headers,
    )


_OTHER_ENDPOINTS: Final = frozenset(
    (
        "agents",
        "assistants",
        "audio",
        "batches",
        "chatkit",
        "completions",
        "containers",
        "content_provenance_checks",
        "conversations",
        "decisions",
        "embeddings",
        "engines",
        "evals",
        "files",
        "fine_tuning",
        "images",
        "live",
        "messages",
        "moderations",
        "organization",
        "projects",
        "realtime",
        "responses",
        "safety",
        "skills",
        "threads",
        "uploads",
        "v1",
        "vaults",
        "vector_stores",
        "videos",
        "webhook_endpoints",
        "webhook_event_types",
    )
)
"""First steps of paths of OpenAI's API (openai-python 3.54) and of Anthropic's; below ``v1`` it is all of it."""
