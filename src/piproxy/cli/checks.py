"""The checks of ``piproxy doctor``, in the order in which a request needs what they look at."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final

from piproxy.cli.files import file_findings, lock_findings
from piproxy.cli.finding import Finding
from piproxy.cli.logins import login_findings
from piproxy.cli.port import port_findings
from piproxy.cli.surroundings import Surroundings
from piproxy.errors import ConfigError
from piproxy.pi.installed import find_installed
from piproxy.settings.addresses import beyond_loopback
from piproxy.settings.token import KEY, REMEDY, listed

OLD_CATALOG: Final = 60
"""Days after which the model catalog is worth a word."""


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
        if warning == effective.refusal:
            yield Finding("error", warning, REMEDY)
        else:
            yield Finding("warning", warning, "Correct it in the file, or with piproxy config set or unset.")
    for problem in (*around.view.problems, *around.enabled.problems):
        yield Finding("error", str(problem), "Correct the file; what does not depend on it works meanwhile.")
    yield from _catalog(around)
    yield from login_findings(around)
    yield from _models(around)
    exposed = beyond_loopback(effective.settings.addresses)
    if exposed and not (effective.settings.auth_token or effective.refusal):
        step = f"Set a token: openssl rand -hex 16 | piproxy config set {KEY} -\nOr listen on 127.0.0.1 (host, bind)."
        yield Finding("warning", f"{listed(exposed)} may be reached from other machines, and no token is set", step)
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
