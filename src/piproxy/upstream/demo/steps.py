"""What the demo provider does, step by step: data that :mod:`piproxy.upstream.demo.transport` plays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Head:
    """The answer begins."""

    status: int
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Data:
    """Bytes of the body."""

    body: bytes


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing happens for a while."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Break:
    """The connection breaks off."""


@dataclass(frozen=True, slots=True)
class Hang:
    """Nothing happens any more."""


Step: TypeAlias = Head | Data | Pause | Break | Hang
"""Without a :class:`Break` or a :class:`Hang` the answer ends cleanly after its last step."""
