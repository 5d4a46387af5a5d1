"""The proxy's own token: what the file says about it may not be lost, and who goes without is told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from piproxy.jsontext import Json
from piproxy.settings.addresses import Address
from piproxy.similar import similar

KEY: Final = "authToken"
_ALLOWED: Final = 'a string, "" for no token'
REMEDY: Final = "Correct the file, or give the token with PI_PROXY_AUTH_TOKEN or --auth-token."
"""What to do when a start is refused because of the token."""


def unusable(document: Mapping[str, Json]) -> str | None:
    """Why nobody can tell which token the file asks for, and what is allowed; ``None`` if one can.

    The key counts in any case and with any separators: ``auth_token`` is a slip of the pen, not another program's.
    """
    given = document.get(KEY)
    if isinstance(given, str) and given.strip():
        return None
    if KEY in document and given != "":
        return f"{KEY}: the value is {'blank' if isinstance(given, str) else 'not a string'}; allowed is {_ALLOWED}"
    meant = next((key for key in document if key != KEY and _letters(key) == KEY.lower()), None)
    return None if meant is None else f"{slip(meant)}; allowed is {KEY} with {_ALLOWED}"


def doubtful(document: Mapping[str, Json], known: Iterable[str]) -> str | None:
    """What in a file without a token looks as if it were to be one; ``None`` if nothing does."""
    if KEY in document:
        return None
    names = tuple(known)
    found = (key for key in document if key not in names and similar(key, names)[:1] == [KEY])
    return next(map(slip, found), None)


def slip(key: str, meant: str = KEY) -> str:
    """A key that is not known, and the one that looks like it."""
    return f"{key}: unknown key (did you mean {meant}?)"


def listed(addresses: Sequence[Address]) -> str:
    """``0.0.0.0:4141 and [::]:4141``."""
    return " and ".join(map(str, addresses))


def open_warning(addresses: Sequence[Address]) -> str:
    """To whoever listens on these addresses, beyond loopback, without a token."""
    return (
        f"{listed(addresses)} may be reached from other machines, and no token is asked for: whoever reaches it uses "
        f"every model, at your cost. Set a token (PI_PROXY_AUTH_TOKEN, --auth-token, piproxy config set {KEY} -), or "
        "listen on 127.0.0.1."
    )


def _letters(key: str) -> str:
    return "".join(filter(str.isalnum, key)).lower()
