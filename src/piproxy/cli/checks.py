"""The checks of ``piproxy doctor``, in the order in which a request needs what they look at."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from piproxy.cli.files import file_findings, lock_findings
from piproxy.cli.finding import Finding
from piproxy.cli.port import port_findings
from piproxy.cli.surroundings import Surroundings
from piproxy.errors import ConfigError
from piproxy.pi.auth_entry import ApiKeyEntry, OAuthEntry, UnusableEntry
from piproxy.pi.environment import ALIASES, PROVIDERS
from piproxy.pi.installed import find_installed
from piproxy.pi.login import Login
from piproxy.pi.values import COMMAND_TIMEOUT
from piproxy.wire.rooms import ROOMS

OLD_CATALOG: Final = 60
"""Days after which the model catalog is worth a word."""

REMOVED: Final = ("google-gemini-cli", "google-antigravity")
"""Providers of an older pi, whose entries stay in auth.json."""

FIRST_STEPS: Final = """\
Choose one:
- log in with pi: npm install -g @earendil-works/pi-coding-agent, then `pi`, and there /login
- use a key that you have: export OPENAI_API_KEY=… (or ANTHROPIC_API_KEY, GEMINI_API_KEY, …), then piproxy
- use a server of your own (Ollama, vLLM …): describe it in {models}, for example
  {{"providers": {{"ollama": {{"baseUrl": "http://localhost:11434/v1", "api": "openai-completions", "apiKey": "none",
    "models": [{{"id": "qwen3:8b"}}]}}}}}}
- only look around: piproxy --demo, which needs no key and no network"""
"""What a new user can do."""


def findings(around: Surroundings) -> Iterator[Finding]:
    """Everything there is to say. Settings that make no sense end it: nothing else can be told without them."""
    try:
        effective = around.effective
    except ConfigError as error:
        yield Finding("error", f"settings: {error.message}", "Correct that variable or flag, then run doctor again.")
        return
    yield from file_findings(around.directory)
    yield from lock_findings(around.directory.auth)
    for warning in effective.warnings:
        yield Finding("warning", warning, "Correct it, or remove it with piproxy config unset.")
    for problem in (*around.view.problems, *around.enabled.problems):
        yield Finding("error", str(problem), "Correct the file; what does not depend on it works meanwhile.")
    yield from _catalog(around)
    yield from _logins(around)
    yield from _models(around)
    for address in effective.settings.addresses:
        yield from port_findings(*address)


def _catalog(around: Surroundings) -> Iterator[Finding]:
    catalog = around.view.catalog
    whose = f"installed pi, {catalog.path}" if catalog.path else "shipped with piproxy"
    days = int((time.time() - catalog.generated_ms / 1000) / 86_400) if catalog.generated_ms else None
    age = "of unknown age" if days is None else f"{max(days, 0)} days old"
    old = days is not None and days > OLD_CATALOG
    yield Finding(
        "note" if old else "ok",
        f"model catalog of pi {catalog.pi_version}, {age} ({whose})",
        "Newer models come with a newer pi or a newer piproxy." if old else "",
    )
    if find_installed(around.environ) is None:
        yield Finding("note", "no pi was found on PATH: logging in and refreshing its model lists need it")


def _logins(around: Surroundings) -> Iterator[Finding]:
    view = around.view
    found = False
    for provider in view.providers:
        login, entry = view.check(provider), view.entry(provider)
        count = sum(model.provider == provider for model in view.models)
        if login.hint:
            yield Finding("note", f"{provider}: {login.hint}")
        if isinstance(entry, UnusableEntry):
            step = f"Log in again: run pi, /login, {provider}."
            yield Finding(
                "error", f"{provider}: the entry in {around.directory.auth} is unusable: {entry.reason}", step
            )
        elif login.available:
            found = True
            unresolved = view.unresolved(provider)
            if not unresolved:
                yield _login(provider, login, f"{count} model{'' if count == 1 else 's'}")
            for problem in unresolved:
                step = _next_step(provider, problem, around.directory.models)
                yield Finding("error", f"{provider}: {problem}", step)
        elif isinstance(entry, ApiKeyEntry | OAuthEntry) or view.config(provider) is not None:
            problem = login.problem or "no credential"
            where = around.directory.models if entry is None else around.directory.auth
            yield Finding("warning", f"{provider}: {problem}", _next_step(provider, problem, where))
    yield from _silent(around)
    yield from _strangers(around)
    if not found:
        yield Finding(
            "error",
            "no provider has a credential yet",
            FIRST_STEPS.format(models=around.directory.models),
        )


def _login(provider: str, login: Login, models: str) -> Finding:
    said = f"{provider}: {login.kind.replace('_', ' ')} ({login.source or 'environment'}), {models}"
    if login.entry is None:
        return Finding("ok", said)
    until = login.entry.expires / 1000
    again = f"Log in again: run pi, /login, {provider}."
    renewed = f"Use {provider} in pi, whose extension renews the login; piproxy reads the renewed one. Or log in again."
    if until > time.time():
        if login.flow is not None:
            return Finding("ok", f"{said}, valid until {_date(until)}")
        return Finding("note", f"{said}, valid until {_date(until)}, and only a pi extension can refresh it", renewed)
    if login.flow is None:
        return Finding("error", f"{said}, expired since {_date(until)}; only a pi extension can refresh it", renewed)
    if not login.entry.refresh:
        return Finding("error", f"{said}, expired since {_date(until)} and cannot be refreshed", again)
    return Finding("ok", f"{said}, expired since {_date(until)}, will be refreshed with the next request")


def _silent(around: Surroundings) -> Iterator[Finding]:
    """Models of the user's own whose API piproxy does not speak."""
    silent = [(model.provider, model.api) for model in around.view.hidden if model.api is not None]
    for (provider, api), count in Counter(silent).items():
        if around.view.config(provider) is not None:
            models = f"{count} model{'' if count == 1 else 's'}"
            spoken = ", ".join(sorted(ROOMS))
            step = f"In {around.directory.models}, give an api that it speaks: {spoken}."
            yield Finding("warning", f"{provider}: {models} with the api {api!r}, which piproxy does not speak", step)


def _strangers(around: Surroundings) -> Iterator[Finding]:
    """Entries of auth.json for providers that pi's files give no model to."""
    known = {*around.view.providers, *PROVIDERS, *REMOVED}
    for provider in around.view.stored:
        if provider not in known and ALIASES.get(provider) not in known:
            yield Finding(
                "note",
                f"{provider}: {around.directory.auth} has an entry, but no file of pi's names a model of this provider",
                f"If a pi extension adds it: piproxy runs none; describe its models in {around.directory.models}.",
            )


def _next_step(provider: str, problem: str, where: Path) -> str:
    if "shell command" in problem:
        return (
            f"Run the command that {where} has there in a shell. piproxy runs it with sh -c, without a terminal and "
            f"without input, in the environment that piproxy was started with, and waits {COMMAND_TIMEOUT:g} s."
        )
    if "environment variable" in problem:
        return f"Set it where piproxy is started (a service has an environment of its own), or change {where}."
    return f"Look at {provider} in {where}, or run pi and /login."


def _models(around: Surroundings) -> Iterator[Finding]:
    try:
        exposure = around.exposure
    except ConfigError as error:
        yield Finding("error", f"models: {error.message}", "piproxy does not start before that is changed.")
        return
    for warning in exposure.warnings:
        yield Finding("warning", warning, "Correct the name with piproxy config set, or remove it.")
    if exposure.why_empty and around.view.available():
        yield Finding("error", f"no model is exposed: {exposure.why_empty}", "See piproxy models --all.")
    elif exposure.models:
        count = len(exposure.models)
        yield Finding("ok", f"{count} model{' is' if count == 1 else 's are'} exposed (piproxy models lists them)")


def _date(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
    except (ValueError, OverflowError, OSError):
        return "a date beyond all calendars"
