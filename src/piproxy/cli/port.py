"""Whether the port is free, and if not, who seems to have it."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException
from typing import Final

from piproxy.cli.finding import Finding
from piproxy.settings import Settings

DEFAULT: Final = Settings().port
_PATIENCE: Final = 1.0
"""Seconds to wait for whoever listens there."""
_ANY: Final = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104  (names of addresses)


def port_findings(host: str, port: int) -> Iterator[Finding]:
    """Try to listen where the server would."""
    where = f"{host}:{port}"
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        yield Finding("error", f"{host} is no address of this machine: {error}", "Choose another with --host.")
        return
    family, kind, protocol, _, address = addresses[0]
    with socket.socket(family, kind, protocol) as attempt:
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            attempt.bind(address)
            attempt.listen()
        except OSError as error:
            yield _taken(where, host, port, error)
        else:
            yield Finding("ok", f"{where} is free")


def _taken(where: str, host: str, port: int, error: OSError) -> Finding:
    neighbour = _neighbour(_ANY.get(host, host), port)
    if neighbour is None:
        also = f" {DEFAULT} is the default of pi-openai-proxy and copilot-api, too." if port == DEFAULT else ""
        return Finding(
            "error", f"cannot listen on {where}: {error.strerror}", f"Choose another port with --port.{also}"
        )
    return Finding("note", f"{where} is taken by {neighbour}", "Use that one, or choose another port with --port.")


def _neighbour(host: str, port: int) -> str | None:
    """Something that lists models like OpenAI, or wants a key before it does."""
    connection = HTTPConnection(host, port, timeout=_PATIENCE)
    try:
        connection.request("GET", "/v1/models")
        answer = connection.getresponse()
        body = answer.read(1024 * 1024)
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()
    if answer.status == 401:
        return "a server that wants a token: piproxy with a token, or another gateway"
    try:
        listed = json.loads(body)["data"]
    except (ValueError, LookupError, TypeError):
        return None
    return f"a running piproxy, pi-openai-proxy or another OpenAI-like server with {len(listed)} models"
