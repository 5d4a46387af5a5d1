"""Writing one setting, as text, from wherever: ``config set``, the panel, pi."""

from __future__ import annotations

from piproxy.cli.surroundings import Surroundings
from piproxy.errors import ConfigError
from piproxy.settings import BY_KEY, Setting, parse_text, save
from piproxy.similar import similar


def known(key: str) -> Setting:
    """The setting of that name. Raises :class:`~piproxy.errors.ConfigError` with similar names, or all."""
    if key not in BY_KEY:
        near = similar(key, BY_KEY)
        raise ConfigError(
            f"{key}: no such setting; did you mean {' or '.join(near)}?"
            if near
            else f"{key}: no such setting; there are {', '.join(BY_KEY)}."
        )
    return BY_KEY[key]


def write(around: Surroundings, key: str, text: str) -> None:
    """Set it in proxy-config.json; an empty list or object is taken out. Raises ``ConfigError``."""
    setting = known(key)
    if text or setting.kind not in ("strings", "map"):
        save(around.directory.proxy_config, {key: parse_text(key, text)})
    else:
        save(around.directory.proxy_config, {}, remove=(key,))
