"""The answer to "what is configured for this provider?" (pi-on-disk.md, 2.3 and 8.1).

1. a key that the client sent along
2. the provider's entry in auth.json, which *owns* the provider: a login never falls back to the environment; only a
   key entry without a usable key does
3. ``apiKey`` in models.json, which blocks the environment even when it cannot be resolved
4. environment variables, then ambient cloud credentials
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from os.path import isfile
from typing import Final

from piproxy.pi.auth_entry import ApiKeyEntry, OAuthEntry, StoredEntry, UnusableEntry
from piproxy.pi.environment import KEY_VARIABLES, OAUTH, first, key_variables
from piproxy.pi.login import Login
from piproxy.pi.special_logins import CODEX, LLAMA, RESOLVERS, Asked, is_marker
from piproxy.pi.values import Command, Runner, Unresolved, expand, parse, run_command

__all__ = ["Login", "resolve"]

AUTH_JSON: Final = "auth.json"
MODELS_JSON: Final = "models.json"
RADIUS: Final = "radius"
CLIENT: Final = "the request's X-Pi-Upstream-Api-Key"


def resolve(
    provider: str,
    stored_entry: StoredEntry | None,
    models_json_api_key: str | None,
    environ: Mapping[str, str],
    override: str | None = None,
    *,
    run_commands: bool = True,
    oauth: str | None = None,
    gateway: str | None = None,
    stored_commands: Runner = run_command,
    run: Runner | None = None,
    exists: Callable[[str], bool] = isfile,
) -> Login:
    """What is configured for ``provider``; never raises.

    Blocks while a command runs (up to 10 seconds each): call it from a thread where that matters.
    ``run_commands=False`` leaves the commands of models.json alone (they run anew for every request); those of
    auth.json are for ``stored_commands``, which remembers them, and run also for a mere availability check, as in pi.
    ``oauth`` is the field of that name of the provider in models.json (``"radius"``), ``gateway`` that provider's
    address without ``/v1``.
    """
    env = stored_entry.env if isinstance(stored_entry, ApiKeyEntry) else {}
    if override is not None and override.strip():
        return _override(Asked(provider, override, CLIENT, env, environ, exists))
    if isinstance(stored_entry, UnusableEntry):
        return _none(provider, f"the entry in auth.json cannot be used: {stored_entry.reason}")
    if isinstance(stored_entry, OAuthEntry):
        return _oauth(provider, stored_entry, oauth, gateway)
    if provider == CODEX and models_json_api_key is None:  # only models.json gives it a key method, as in pi
        return _none(provider, "ChatGPT models need a login: a key cannot be used")
    if isinstance(stored_entry, ApiKeyEntry):
        return _stored_key(provider, stored_entry, environ, stored_commands, exists)
    if models_json_api_key is not None:
        return _configured(provider, models_json_api_key, environ, run if run_commands else _not_run, exists)
    login = _ask(Asked(provider, None, "", {}, environ, exists))
    return replace(login, hint=_forgotten_variables(login, environ))


def _override(asked: Asked) -> Login:
    """A client's key is used as it is, even where pi has no key method (a ChatGPT access token)."""
    found = _ask(asked)
    return Login(
        provider=asked.provider,
        kind="api_key",
        key=asked.key,
        env=found.env or asked.settings(),
        source=CLIENT,
        base_url=found.base_url,
        from_client=True,
    )


def _stored_key(
    provider: str,
    entry: ApiKeyEntry,
    environ: Mapping[str, str],
    run: Runner,
    exists: Callable[[str], bool],
) -> Login:
    key = expand(entry.key, entry.env, environ, run=run) if entry.key else None
    text = key if isinstance(key, str) and key.strip() and not is_marker(key) else None
    found = _ask(Asked(provider, text, AUTH_JSON, entry.env, environ, exists))
    if found.kind != "none" or text is not None:
        return replace(found, hint=_name_as_key(entry.key, environ, AUTH_JSON))
    if isinstance(key, Unresolved):
        return _none(provider, f"the key in auth.json could not be resolved from {key.words}")
    return _none(provider, f"the entry in auth.json holds no usable key; {found.problem}")


def _configured(
    provider: str, text: str, environ: Mapping[str, str], run: Runner | None, exists: Callable[[str], bool]
) -> Login:
    key = expand(text, environ, run=run)
    if isinstance(key, Unresolved):
        return _none(provider, f'Failed to resolve API key for provider "{provider}" from {key.words}')
    if not key.strip() and not isinstance(parse(text), Command):
        return _none(provider, "the apiKey in models.json is empty")
    found = _ask(Asked(provider, key, MODELS_JSON, {}, environ, exists))
    if key or found.kind == "none":
        return replace(found, hint=_name_as_key(text, environ, MODELS_JSON))
    return Login(provider=provider, kind=found.kind, env=found.env, source=MODELS_JSON, base_url=found.base_url)


def _oauth(provider: str, entry: OAuthEntry, oauth: str | None, gateway: str | None) -> Login:
    """A login of a provider that pi does not know may come from an extension: usable as long as it lasts."""
    if provider not in OAUTH and oauth != RADIUS and provider in (*KEY_VARIABLES, LLAMA):
        return _none(provider, "auth.json holds a login, but this provider takes only a key")
    flow = provider if provider in OAUTH else oauth
    return Login(
        provider=provider,
        kind="oauth",
        key=entry.access,
        source=AUTH_JSON,
        entry=entry,
        flow=flow,
        gateway=gateway if flow == RADIUS else None,
    )


def _ask(asked: Asked) -> Login:
    special = RESOLVERS.get(asked.provider)
    if special is not None:
        return special(asked)
    found = asked.with_key()
    if found is not None:
        return found
    names = key_variables(asked.provider)
    return asked.none(f"no login and no {' or '.join(names)}" if names else "no key is configured")


def _none(provider: str, problem: str) -> Login:
    return Login(provider=provider, kind="none", problem=problem)


def _name_as_key(text: str | None, environ: Mapping[str, str], where: str) -> str | None:
    """An older pi took a bare variable name for the variable; today it is the key itself."""
    if text and re.fullmatch("[A-Z][A-Z0-9_]*", text) and environ.get(text):
        return f"the key in {where} is the text {text}, not the variable of that name: write ${text}"
    return None


def _forgotten_variables(login: Login, environ: Mapping[str, str]) -> str | None:
    """Variables that an older pi read."""
    found = first(environ, ("GH_TOKEN", "GITHUB_TOKEN")) if login.provider == "github-copilot" else None
    if found is None or login.available:
        return None
    return f"{found[0]} is set, but only COPILOT_GITHUB_TOKEN counts"


def _not_run(_line: str) -> str:
    """Stands for a command that is not asked to run: it may well print a key."""
    return ""
