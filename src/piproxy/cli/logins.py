"""What ``piproxy doctor`` says of providers: which can be used, for how long, and what keeps the others from it."""

from __future__ import annotations

import importlib.util
import os
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from piproxy import jsontext
from piproxy.cli.finding import Finding
from piproxy.cli.surroundings import Surroundings
from piproxy.pi.auth_entry import ApiKeyEntry, OAuthEntry, UnusableEntry
from piproxy.pi.environment import ALIASES, PROVIDERS
from piproxy.pi.login import Login
from piproxy.pi.values import COMMAND_TIMEOUT
from piproxy.pi.view import View
from piproxy.upstream import aws, google
from piproxy.upstream.oauth import parts
from piproxy.wire.rooms import ROOMS

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


def login_findings(around: Surroundings) -> Iterator[Finding]:
    """Every provider that has a credential or was given one, and what a user without any can do."""
    view = around.view
    found = False
    for provider in view.providers:
        login, entry = view.check(provider), view.entry(provider)
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
            missing = lacking(login)
            if missing:
                yield Finding("error", f"{provider}: {_said(login)}, but {missing[0]}", missing[1])
            elif not unresolved:
                yield _login(provider, login, _models(view, provider))
            for problem in unresolved:
                step = _next_step(provider, problem, around.directory.models)
                yield Finding("error", f"{provider}: {problem}", step)
        elif isinstance(entry, ApiKeyEntry | OAuthEntry) or view.config(provider) is not None:
            problem = login.problem or "no credential"
            where = around.directory.models if entry is None else around.directory.auth
            yield Finding("warning", f"{provider}: {problem}", _next_step(provider, problem, where))
    yield from _addresses(around)
    yield from _silent(around)
    yield from _strangers(around)
    if not found:
        yield Finding(
            "error",
            "no provider has a credential yet",
            FIRST_STEPS.format(models=around.directory.models),
        )


def _models(view: View, provider: str) -> str:
    """How many there are, and how many of them the login includes."""
    models = [model for model in view.models if model.provider == provider]
    usable = sum(view.why_not(model) is None for model in models)
    words = f"{len(models)} model{'' if len(models) == 1 else 's'}"
    return words if usable == len(models) else f"{usable} of {words}"


def _login(provider: str, login: Login, models: str) -> Finding:
    said = f"{provider}: {_said(login)}, {models}"
    if login.entry is None:
        return Finding("ok", said)
    until = login.entry.expires / 1000
    end = _date(until)
    again = f"Log in again: run pi, /login, {provider}."
    renewed = f"Use {provider} in pi, whose extension renews the login; piproxy reads the renewed one. Or log in again."
    if until > time.time():
        if end is None:
            return Finding("ok", f"{said}, does not expire")
        if login.flow is not None:
            return Finding("ok", f"{said}, valid until {end}")
        return Finding("note", f"{said}, valid until {end}, and only a pi extension can refresh it", renewed)
    expired = f"expired since {end}" if end else "expired"
    if login.flow is None:
        return Finding("error", f"{said}, {expired}; only a pi extension can refresh it", renewed)
    if not login.entry.refresh:
        return Finding("error", f"{said}, {expired} and cannot be refreshed", again)
    return Finding("ok", f"{said}, {expired}, will be refreshed with the next request")


def _said(login: Login) -> str:
    return f"{login.kind.replace('_', ' ')} ({login.source or 'environment'})"


def lacking(login: Login) -> tuple[str, str] | None:
    """What this machine lacks for a login to be used, and the next step; nobody is asked."""
    if login.kind in {"aws_profile", "aws_chain"} and not installed("botocore"):
        return "the package botocore is missing", aws.EXTRA
    if login.kind == "workload_identity" and login.file is not None and not os.access(login.file, os.R_OK):
        return f"the identity token {login.file} cannot be read", "Correct ANTHROPIC_IDENTITY_TOKEN_FILE."
    if login.kind != "adc" or login.file is None:
        return None
    try:
        kind = parts.text(jsontext.parse(Path(login.file).read_bytes()), "type")
    except (OSError, ValueError, parts.Refused):
        return f"{login.file} is no file of Google's credentials", "Run gcloud auth application-default login."
    package = {"authorized_user": None, "service_account": "cryptography"}.get(kind, "google.auth")
    if package is not None and not installed(package):
        return f"credentials of type {kind} need the package {package}", google.EXTRA
    return None


def installed(package: str) -> bool:
    """Without importing it."""
    try:
        return importlib.util.find_spec(package) is not None
    except ModuleNotFoundError:  # not even what it is a part of
        return False


def _addresses(around: Surroundings) -> Iterator[Finding]:
    """Addresses of the user's own that lead nowhere."""
    wrong = {
        (model.provider, model.base_url): None
        for model in around.view.models
        if around.view.config(model.provider) is not None and model.base_url and not _is_address(model.base_url)
    }
    for provider, address in wrong:
        step = f"Write it as http://host:port/v1 or https://host/v1 in {around.directory.models}."
        shown = "" if "@" in address else f" {address!r}"  # it may hold a password
        yield Finding("error", f"{provider}: the baseUrl{shown} is no http(s) address", step)


def _is_address(text: str) -> bool:
    try:
        split = urlsplit(text)
        return split.scheme in {"http", "https"} and bool(split.hostname) and " " not in text
    except ValueError:
        return False


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
    if "cannot be sent" in problem:
        return "Make it one line of ASCII signs; white space around it does no harm."
    if "environment variable" in problem:
        return f"Set it where piproxy is started (a service has an environment of its own), or change {where}."
    return f"Look at {provider} in {where}, or run pi and /login."


def _date(seconds: float) -> str | None:
    """``None`` beyond all calendars: no date of a token that ends, and none that anybody stored."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC") if seconds else None
    except (ValueError, OverflowError, OSError):
        return None
