"""A provider that goes as far as it is asked to, then waits to be left: ``python -m benchmarks.stalling``.

It prints its port, then ``reached TAG`` and ``gone TAG SECONDS`` for each request, by the monotonic clock, which the
processes of a machine share. A thread per connection blocks in ``recv``: no event loop stands between the gateway's
close and the clock. The prompt says what to do: ``stall:head:7:`` is the phase and the tag. A login is never refreshed.
"""

from __future__ import annotations

import re
import socket
import sys
import threading
import time
from typing import Final

WISH: Final = re.compile(rb"stall:(\w+):(\d+):")
HEAD: Final = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
EVENT: Final = (
    b'data: {"id":"1","model":"m","choices":[{"index":0,"delta":{"content":"mark"},"finish_reason":null}]}\n\n'
)


def piece(data: bytes) -> bytes:
    """One HTTP chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


SAID: Final = {
    b"head": b"",
    b"byte": HEAD,
    b"event": HEAD + piece(EVENT + EVENT[:40]),
    b"between": HEAD + piece(EVENT),
}


def handle(connection: socket.socket) -> None:
    """One request."""
    data = b""
    while not (wish := WISH.search(data)):
        more = connection.recv(65536)
        if not more or b"grant_type" in data:
            return
        data += more
    connection.sendall(SAID[wish[1]])
    tell(f"reached {wish[2].decode()}")
    try:
        while connection.recv(65536):
            pass
    except ConnectionError:
        pass
    gone = time.monotonic()
    tell(f"gone {wish[2].decode()} {gone}")
    connection.close()


def tell(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> None:
    """Serve until killed."""
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        tell(str(listener.getsockname()[1]))
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=handle, args=(connection,), daemon=True).start()


if __name__ == "__main__":
    main()
