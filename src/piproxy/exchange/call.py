"""What goes into an exchange, and what is known when its answer begins."""

from __future__ import annotations

from dataclasses import dataclass

from piproxy.chat import Chat
from piproxy.exchange.record import Record
from piproxy.model import Model


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One chat on its way to one model."""

    chat: Chat
    model: Model
    record: Record
    override_key: str | None = None
    """The client's own key for the provider (``X-Pi-Upstream-Api-Key``)."""


@dataclass(frozen=True, slots=True)
class Head:
    """What is known when the answer begins."""

    dropped: tuple[str, ...] = ()
    """Request fields, by the client's names, that the model's API has no place for."""
