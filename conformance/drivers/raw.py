"""HTTP/1.1 written by hand: all that a client may legally do and few do."""

from __future__ import annotations

import json
import socket
import time
from typing import Any
from urllib.parse import urlsplit

from common import USER, Task, serve


class Line:
    """A connection."""

    def __init__(self, task: Task) -> None:
        place = urlsplit(task.base_url)
        self.task = task
        self.socket = socket.create_connection((place.hostname, place.port), timeout=30)
        self.held = b""

    def request(self, *, version: str = "1.1", stream: bool = False, headers: str = "", body: bool = True) -> bytes:
        """The bytes of a request; with ``headers`` that frame the body by themselves, ``body=False``."""
        data = self.data(stream=stream)
        length = f"Content-Length: {len(data)}\r\n" if body else ""
        head = f"POST /v1/chat/completions HTTP/{version}\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        return (head + length + headers + "\r\n").encode() + (data if body else b"")

    def data(self, *, stream: bool = False) -> bytes:
        return json.dumps({"model": self.task.model, "messages": [USER], "stream": stream}).encode()

    def until(self, end: bytes) -> bytes:
        """What comes, up to and with ``end``."""
        while end not in self.held:
            data = self.socket.recv(65536)
            if not data:
                raise ConnectionError(f"closed after {self.held[-300:]!r}")
            self.held += data
        found, _, self.held = self.held.partition(end)
        return found + end

    def answer(self) -> str:
        """The text of a whole answer."""
        head = self.until(b"\r\n\r\n").decode()
        if " 100" in head.split("\r\n")[0]:
            return self.answer()
        length = int(head.lower().partition("content-length:")[2].partition("\r\n")[0])
        while len(self.held) < length:
            self.held += self.socket.recv(65536)
        body, self.held = self.held[:length], self.held[length:]
        return str(json.loads(body)["choices"][0]["message"]["content"])

    def rest(self) -> bytes:
        """Everything, to the end of the connection."""
        while data := self.socket.recv(65536):
            self.held += data
        return self.held


def play(task: Task) -> dict[str, Any]:
    line = Line(task)
    match task.scenario:
        case "byte-by-byte":
            line.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in line.request():
                line.socket.send(bytes([byte]))
                time.sleep(0.001)
            return {"text": line.answer()}
        case "chunked-body":
            line.socket.sendall(line.request(headers="Transfer-Encoding: chunked\r\n", body=False))
            for at in range(0, len(line.data()), 20):
                piece = line.data()[at : at + 20]
                line.socket.sendall(f"{len(piece):X};note=1\r\n".encode() + piece + b"\r\n")
                time.sleep(0.02)
            line.socket.sendall(b"0\r\nX-Trailer: yes\r\n\r\n")
            return {"text": line.answer()}
        case "expect-continue":
            length = len(line.data())
            line.socket.sendall(
                line.request(headers=f"Content-Length: {length}\r\nExpect: 100-continue\r\n", body=False)
            )
            if b" 100 " not in line.until(b"\r\n\r\n"):
                return {"error": "no 100 came"}
            line.socket.sendall(line.data())
            return {"text": line.answer()}
        case "http10":
            line.socket.sendall(line.request(version="1.0"))
            body = line.rest().partition(b"\r\n\r\n")[2]
            return {"text": json.loads(body)["choices"][0]["message"]["content"]}
        case "http10-stream":
            line.socket.sendall(line.request(version="1.0", stream=True))
            return {"failed": not line.rest().endswith(b"data: [DONE]\n\n")}
        case "connection-close":
            line.socket.sendall(line.request(headers="Connection: close\r\n"))
            text = line.answer()
            return {"text": text if line.rest() == b"" else "the connection was not closed"}
        case "keep-alive":
            texts = []
            for _ in range(3):
                line.socket.sendall(line.request())
                texts.append(line.answer())
            return {"text": texts[0] if len(set(texts)) == 1 else str(texts)}
        case "pipelined":
            line.socket.sendall(line.request() * 3)
            texts = [line.answer() for _ in range(3)]
            return {"text": texts[0] if len(set(texts)) == 1 else str(texts)}
        case "pipelined-abort":
            line.socket.sendall(line.request(stream=True) + line.request())
            line.until(b"word3")
            line.socket.close()
            return {"left": True}
        case "half-closed":
            line.socket.sendall(line.request(stream=True))
            line.until(b"word3")
            line.socket.shutdown(socket.SHUT_WR)
            return {"left": b"[DONE]" not in line.rest()}
        case "abort-early":
            line.socket.sendall(line.request(stream=True))
            time.sleep(0.05)
            line.socket.close()
            return {"left": True}
    return {}


serve(play)
