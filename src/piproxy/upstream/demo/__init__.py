"""The demo provider, played in this process: no key, no network (design, decision 13; docs/demo.md)."""

from __future__ import annotations

from piproxy.upstream.demo.transport import WithDemo

__all__ = ["WithDemo"]
