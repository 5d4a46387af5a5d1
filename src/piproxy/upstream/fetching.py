"""What the modules that get and refresh tokens need of the network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from piproxy.upstream.http import Fetched


class Fetcher(Protocol):
    """:class:`piproxy.upstream.http.Http`, or a scripted one in tests."""

    async def fetch(self, method: str, url: str, *, headers: Mapping[str, str], body: bytes = b"") -> Fetched:
        """One small exchange; the caller sets the deadline. Raises :class:`~piproxy.errors.UpstreamError`."""
        ...
