"""The Quart-Trio app: paths, guards, errors in OpenAI's shape, a request id on every answer."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any, Final, cast

import trio
from quart import Quart, Request, Response
from quart.sessions import SessionInterface, SessionMixin
from quart.wrappers.base import BaseRequestWebsocket
from quart_trio import QuartTrio
from quart_trio.wrappers import TrioRequest
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge, RequestTimeout
from werkzeug.exceptions import MethodNotAllowed as WerkzeugMethodNotAllowed
from werkzeug.exceptions import NotFound as WerkzeugNotFound
from werkzeug.routing import MapAdapter

from piproxy import __version__
from piproxy.errors import BodyTooLarge, InvalidRequest, PiproxyError
from piproxy.exchange import Ending, Record
from piproxy.jsontext import Json, dump
from piproxy.logged import logged
from piproxy.openai import failures
from piproxy.server import websockets
from piproxy.server.chat import ChatView
from piproxy.server.connection import FINISHED, NEW_RECORD, RECORD, Connection, current_request
from piproxy.server.engine import Engine
from piproxy.server.guards import preflight
from piproxy.server.models import ModelViews

BODY_TIMEOUT: Final = 300
"""Seconds that a client may take to send its body."""
CLIENT_REQUEST_ID: Final = "x-client-request-id"
_OPEN: Final = frozenset(("/", "/health"))
"""Paths that need no token: they say nothing about models or users."""


class _Request(TrioRequest):
    """Of an app that has no blueprints."""

    blueprints: Sequence[str] = ()  # type: ignore[assignment]


class _NoSessions(SessionInterface):
    """Nobody is remembered."""

    def __init__(self) -> None:
        self._none = self.null_session_class()

    async def open_session(self, app: Quart, request: BaseRequestWebsocket) -> SessionMixin:  # noqa: ARG002
        return self._none


class App(QuartTrio):
    """The app of one engine; nothing is global."""

    asgi_http_class = Connection
    request_class = _Request
    session_interface = cast(Any, _NoSessions())  # Quart names the type of its own

    def __init__(self, engine: Engine) -> None:
        super().__init__("piproxy", static_folder=None)
        self.engine = engine
        self.config["MAX_CONTENT_LENGTH"] = engine.settings.max_body_bytes
        self.config["BODY_TIMEOUT"] = BODY_TIMEOUT
        self.config["RESPONSE_TIMEOUT"] = None
        self.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
        self.url_map.strict_slashes = False
        self.url_map.merge_slashes = False

    async def asgi_app(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            scope[NEW_RECORD] = _record
            scope[FINISHED] = self._finished
        elif scope["type"] == "websocket":
            record, began = _record({"method": "GET", **scope}), trio.current_time()
            await websockets.refuse(scope, receive, send, guards=self.engine.guards, record=record)
            self._finished(record, trio.current_time() - began)
            return
        await super().asgi_app(scope, receive, send)

    def create_url_adapter(self, request: BaseRequestWebsocket | None) -> MapAdapter | None:
        """Hosts are the guards' business; no path here depends on one."""
        if request is None:
            return None
        return self.url_map.bind(
            "localhost", request.root_path, None, request.scheme, request.method, request.path, query_args=""
        )

    def ensure_async(self, func: Any) -> Any:
        """All that this app calls is asynchronous; Quart finds that out anew for each call."""
        return func

    def _finished(self, record: Record, seconds: float) -> None:
        self.engine.tally.add(record)
        self.engine.log.request(record, seconds)


def create_app(engine: Engine) -> App:
    """The app for one engine."""
    app = App(engine)
    chat, models = ChatView(engine), ModelViews(engine)

    async def greet() -> Response:
        return json_response(
            {
                "name": "piproxy",
                "version": __version__,
                "about": "An OpenAI-compatible gateway to every model that the pi coding agent can reach.",
                "endpoints": ["/v1/models", "/v1/models/{id}", "/v1/chat/completions", "/health", "/status"],
            }
        )

    async def health() -> Response:
        return json_response({"status": "ok"})

    async def status() -> Response:
        exposure = await engine.exposure()
        return json_response(
            {
                "name": "piproxy",
                "version": __version__,
                "pid": os.getpid(),
                "models": len(exposure.models),
                "demo": engine.settings.demo,
                **engine.tally.as_json(),
            }
        )

    async def before() -> Response | None:
        asked = current_request()
        scope = cast(MutableMapping[str, Any], asked.scope)
        record: Record = scope[RECORD]
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        record.client_request_id = headers.get(CLIENT_REQUEST_ID, "")[:200] or None
        cors = engine.guards.admit(headers)
        scope["piproxy.cors"] = cors
        if asked.method == "OPTIONS" and cors:
            return Response(b"", status=204, headers=preflight(headers))
        if asked.path not in _OPEN:
            engine.guards.authenticate(headers)
        return None

    async def after(response: Response) -> Response:
        scope = cast(Mapping[str, Any], current_request().scope)
        record: Record = scope[RECORD]
        record.status = response.status_code
        if response.status_code == 204:  # no body, and no word about one (RFC 9110, 8.6)
            response.headers.pop("content-type", None)
            response.headers.pop("content-length", None)
        response.headers["x-request-id"] = record.request_id
        if record.client_request_id is not None:
            response.headers[CLIENT_REQUEST_ID] = record.client_request_id
        for name, value in scope.get("piproxy.cors", {}).items():
            response.headers[name] = value
        return response

    async def fail(error: Exception) -> Response:
        asked = current_request()
        known = _foreseen(error, asked)
        record: Record = cast(Mapping[str, Any], asked.scope)[RECORD]
        record.error = record.error or (logged(known) if isinstance(known, PiproxyError) else None)
        if not isinstance(known, PiproxyError):
            record.bug, record.ending = known, Ending.BUG
        elif record.ending is Ending.DONE:
            record.ending = Ending.REFUSED
        status, headers, body = failures.failure(known)
        return Response(body, status=status, headers=headers)

    app.before_request(before)
    app.after_request(after)
    app.register_error_handler(Exception, fail)
    app.add_url_rule("/", view_func=greet, methods=["GET"])
    app.add_url_rule("/health", view_func=health, methods=["GET"])
    app.add_url_rule("/status", view_func=status, methods=["GET"])
    for prefix in ("/v1", ""):
        app.add_url_rule(f"{prefix}/models", f"list{prefix}", models.list, methods=["GET"])
        app.add_url_rule(f"{prefix}/models/<path:model_id>", f"one{prefix}", models.one, methods=["GET"])
        app.add_url_rule(f"{prefix}/chat/completions", f"chat{prefix}", chat.complete, methods=["POST"])
    return app


def json_response(value: Json) -> Response:
    return Response(dump(value), content_type="application/json")


def _record(scope: Mapping[str, Any]) -> Record:
    return Record(request_id=f"req_{secrets.token_hex(12)}", method=scope["method"], path=scope["path"])


def _foreseen(error: Exception, asked: Request) -> Exception:
    """Quart's own HTTP errors, and groups with one error in them, as ours."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    match error:
        case RequestEntityTooLarge():
            return BodyTooLarge(f"The request body is larger than {asked.max_content_length} bytes.")
        case RequestTimeout():
            return InvalidRequest(f"The request body did not arrive within {BODY_TIMEOUT} s.", status=408)
        case WerkzeugMethodNotAllowed():
            return failures.method_not_allowed(asked.method, asked.path, sorted(error.valid_methods or ()))
        case WerkzeugNotFound():
            return failures.not_found(asked.path)
        case HTTPException():
            return InvalidRequest(error.description or error.name, status=error.code or 400)
    return error
