"""WebSockets are refused as any other endpoint that is not there: in OpenAI's shape, with a line in the log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from piproxy.errors import NotFound, PiproxyError
from piproxy.exchange import Ending, Record
from piproxy.logged import logged
from piproxy.openai import failures
from piproxy.server.guards import Guards

_RESPONSE: Final = "websocket.http.response"
"""ASGI's extension for a refusal with a body; without it a closed handshake is a 403."""


async def refuse(scope: Mapping[str, Any], receive: Any, send: Any, *, guards: Guards, record: Record) -> None:
    """Answer a handshake; ``record`` tells how."""
    error: PiproxyError = NotFound(
        "piproxy has no WebSockets; it serves '/v1/chat/completions' and '/v1/models' over HTTP.",
        code="unsupported_endpoint",
    )
    try:
        guards.admit({name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]})
    except PiproxyError as forbidden:
        error = forbidden
    status, headers, body = failures.failure(error)
    record.status, record.error, record.ending = status, logged(error), Ending.REFUSED
    await receive()  # the handshake itself
    if _RESPONSE not in (scope.get("extensions") or {}):
        await send({"type": "websocket.close"})
        return
    headers |= {"content-length": str(len(body)), "x-request-id": record.request_id}
    shown = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": f"{_RESPONSE}.start", "status": status, "headers": shown})
    await send({"type": f"{_RESPONSE}.body", "body": body, "more_body": False})
