"""One HTTP request under Quart-Trio: its nursery, its body, and how it ends.

Quart-Trio runs a request in a private nursery and cancels it when the client goes. A subclass opens that nursery when
the view asks for it, hears of the client without a task for that, and mends three things (measured, Quart-Trio 0.12 and
0.13 on Hypercorn 0.18):

* Hypercorn tells the app of the "disconnect" as soon as a response is complete, still inside the app's last ``send``.
  Quart-Trio then cancels that very call before Hypercorn could start its idle timer, so that idle keep-alive
  connections were never closed. After the last piece of body a disconnect is no longer news.
* ``RESPONSE_TIMEOUT`` would cut a live stream without a word; it is not used.
* Quart 0.23 looks at ``MAX_CONTENT_LENGTH`` only when a body of unknown length is complete, all of it in memory. Bytes
  are counted here as they arrive; a body that grows too large ends there, and the view finds ``EXCESS`` in the scope.

And the body does not go through Quart, which would wake the view for each piece and copy the whole in the end, 20 MB of
an image too: it grows here, and the view takes it from the scope (``BODY``) when Quart says that it is complete.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from typing import Any, Final, cast

import trio
from hypercorn.typing import ASGIReceiveCallable, ASGIReceiveEvent, ASGISendCallable, ASGISendEvent, HTTPScope
from quart import Quart, request
from quart.utils import encode_headers
from quart.wrappers import Request
from quart.wrappers.response import DataBody
from quart_trio.asgi import TrioASGIHTTPConnection

from piproxy.exchange import Ending, Record
from piproxy.server.inbox import INBOX, Inbox

NURSERY: Final = "piproxy.nursery"
RECORD: Final = "piproxy.record"
NEW_RECORD: Final = "piproxy.new_record"
FINISHED: Final = "piproxy.finished"
EXCESS: Final = "piproxy.excess"
BODY: Final = "piproxy.body"


class Connection(TrioASGIHTTPConnection):
    """An ASGI HTTP connection that has a nursery for whoever asks, and tells when it is over."""

    _request: Request
    _stack: AsyncExitStack
    _alive: trio.CancelScope
    _ended = False
    _left: Ending | None = None
    """How the client's connection ended, if it did so before the answer."""
    _excess = False
    _children: trio.Nursery | None = None
    _missing: int | None = None
    """Bytes of the body that have not been sent yet, where the length is known."""

    def __init__(self, app: Quart, scope: HTTPScope) -> None:
        super().__init__(app, scope)
        self._body = bytearray()

    async def __call__(self, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        scope = cast(dict[str, Any], self.scope)
        record: Record = scope[NEW_RECORD](scope)
        scope[RECORD] = record
        scope[NURSERY] = self._nursery
        began = trio.current_time()
        self._request = request = self._create_request_from_scope(send)
        inbox: Inbox | None = (scope.get("extensions") or {}).get(INBOX)
        try:
            with trio.CancelScope() as self._alive:
                async with AsyncExitStack() as self._stack:
                    if inbox is not None:
                        inbox.listen(self._hear)
                    else:
                        (await self._nursery()).start_soon(self._listen, receive)
                    response = await self.app.handle_request(request)
                    await self._send_response(partial(self._send, send), response)
                    if self._children is not None:
                        self._children.cancel_scope.cancel()
        except BaseException:
            record.ending = record.ending if self._ended else Ending.SHUTDOWN
            raise
        finally:
            if self._left is Ending.CLIENT_LEFT or (self._left is not None and record.ending is Ending.DONE):
                record.ending = self._left
                if self._left is Ending.DEADLINE:
                    record.error = "The client has stopped reading."
            scope[FINISHED](record, trio.current_time() - began)

    async def _nursery(self) -> trio.Nursery:
        """The request's nursery, from the first time that somebody wants it."""
        if self._children is None:
            self._children = await self._stack.enter_async_context(trio.open_nursery())
        return self._children

    async def _listen(self, receive: ASGIReceiveCallable) -> None:
        """For servers that have no :class:`~piproxy.server.inbox.Inbox`."""
        while self._left is None:
            self._hear(await receive())

    def _hear(self, message: ASGIReceiveEvent) -> None:
        """A piece of the body, of which there is no more than is allowed; or a disconnect, while it is news."""
        if message["type"] == "http.disconnect":
            if not self._ended:
                scope = cast(dict[str, Any], self.scope)
                inbox: Inbox | None = (scope.get("extensions") or {}).get(INBOX)
                self._left = (inbox.cut() if inbox is not None else None) or Ending.CLIENT_LEFT
                record: Record = scope[RECORD]
                if record.cut is not None:
                    record.cut()
                self._alive.cancel()
        elif message["type"] == "http.request" and not self._excess:
            # What comes behind too much is thrown away, so that the client can hear the answer.
            self._body += message.get("body", b"")
            limit: int | None = self.app.config["MAX_CONTENT_LENGTH"]
            if limit is not None and len(self._body) > limit:
                self._excess = True
                cast(dict[str, Any], self.scope)[EXCESS] = True
                self._body.clear()
            elif message.get("more_body", False):
                return
            cast(dict[str, Any], self.scope)[BODY], self._body = self._body, bytearray()
            self._request.body.set_complete()

    async def _send_response(self, send: Any, response: Any) -> None:
        body = response.response
        if not isinstance(body, DataBody):
            await super()._send_response(send, response)
            return
        headers = encode_headers(response.headers)
        await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
        # All of it in one piece, which is known to be the last.
        await send({"type": "http.response.body", "body": body.data, "more_body": False})

    async def _send(self, send: Callable[[ASGISendEvent], Awaitable[None]], message: ASGISendEvent) -> None:
        if message["type"] == "http.response.start":
            lengths = [value for name, value in message["headers"] if name.lower() == b"content-length"]
            self._missing = int(lengths[0]) if lengths else None
        elif message["type"] == "http.response.body":
            if self._missing is not None:
                self._missing -= len(message.get("body", b""))
            # Quart ends a body with an empty piece; a client that counts bytes has left by then, and has everything.
            if not message.get("more_body", False) or self._missing == 0:
                self._ended = True
        await send(message)


_request: Any = request


def current_request() -> Request:
    """The request at hand, and not Quart's stand-in, which looks for it at each use."""
    found: Request = _request._get_current_object()  # noqa: SLF001  (it is documented)
    return found
