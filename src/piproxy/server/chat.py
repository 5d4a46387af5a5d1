"""``POST /v1/chat/completions``: decode, find the model, start the exchange, answer."""

from __future__ import annotations

import time
from typing import Any, Final, cast

import trio
from quart import Response
from werkzeug.exceptions import RequestEntityTooLarge

from piproxy.errors import InvalidRequest
from piproxy.exchange import Call, Head, Record
from piproxy.openai.body import parse_body
from piproxy.openai.decode import read
from piproxy.openai.encode import Fold, StreamEncoder
from piproxy.pi.cost import cost_of
from piproxy.server.body import WRITER, StreamBody
from piproxy.server.connection import BODY, EXCESS, NURSERY, RECORD, current_request
from piproxy.server.engine import Engine

UPSTREAM_KEY: Final = "x-pi-upstream-api-key"
DROPPED: Final = "x-piproxy-dropped-params"
UPSTREAM_ID: Final = "x-piproxy-upstream-request-id"


class ChatView:
    """The view; all state of a request is in its locals."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def complete(self) -> Response:
        engine = self._engine
        asked = current_request()
        scope = cast(dict[str, Any], asked.scope)
        record: Record = scope[RECORD]
        _refuse_compressed(asked.headers.get("content-encoding"))
        if BODY not in scope:  # it is not there yet
            await asked.get_data(cache=False)
        if EXCESS in scope:
            raise RequestEntityTooLarge
        decoded = read(
            parse_body(scope.pop(BODY)),  # large images: nobody else holds it
            strictness=engine.settings.strictness,
            remote_images=engine.settings.remote_images,
        )
        chat = decoded.chat
        record.stream = chat.stream
        exposure = await engine.exposure()
        model = exposure.resolve(chat.model)
        record.model, record.provider, record.api = model.id, model.provider, model.api
        call = Call(chat=chat, model=model, record=record, override_key=asked.headers.get(UPSTREAM_KEY) or None)
        about: dict[str, Any] = {
            "id": record.request_id.replace("req_", "chatcmpl-", 1),
            "model": exposure.public_id(model),
            "created": int(time.time()),
            "include_usage": chat.include_usage,
            "opaque": decoded.details,
            "price": lambda usage: cost_of(usage, model.cost).total,
        }
        if not chat.stream:
            head, whole = await engine.exchange.whole(call, Fold(**about))
            return _response(whole, head, record, decoded.ignored, "application/json")
        nursery: trio.Nursery = await scope[NURSERY]()
        body = StreamBody(scope.get(WRITER))
        try:
            head = await nursery.start(engine.exchange.stream, call, StreamEncoder(**about), body)
        except BaseException:
            body.abandon()
            raise
        response = _response(body, head, record, decoded.ignored, "text/event-stream; charset=utf-8")
        response.headers["cache-control"] = "no-cache"
        response.headers["x-accel-buffering"] = "no"
        return response


def _refuse_compressed(coding: str | None) -> None:
    """Nobody is known to send such bodies, and a small one could become a large one."""
    if coding is not None and coding.strip().lower() not in {"", "identity"}:
        raise InvalidRequest(
            "A compressed request body is not accepted. Send it without Content-Encoding.",
            status=415,
            code="unsupported_content_encoding",
            headers={"accept-encoding": "identity"},
        )


def _response(
    body: bytes | StreamBody, head: Head, record: Record, ignored: tuple[str, ...], content_type: str
) -> Response:
    response = Response(body, content_type=content_type)
    if lost := tuple(dict.fromkeys((*ignored, *head.dropped))):
        record.dropped = lost
        response.headers[DROPPED] = ",".join(lost)
    if record.upstream_id is not None:
        response.headers[UPSTREAM_ID] = record.upstream_id
    return response
