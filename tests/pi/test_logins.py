from __future__ import annotations

from collections.abc import Mapping

import pytest

from piproxy.pi.auth_entry import StoredEntry, read_entry
from piproxy.pi.environment import KEY_VARIABLES, PROVIDERS
from piproxy.pi.login import Login
from piproxy.pi.logins import resolve
from piproxy.pi.special_logins import CODEX, RESOLVERS
from piproxy.pi.values import Failed

OAUTH = {"type": "oauth", "access": "acc", "refresh": "ref", "expires": 1}


def no_command(line: str) -> str:
    raise AssertionError(line)


def ask(
    provider: str,
    stored: object = None,
    configured: str | None = None,
    environ: Mapping[str, str] | None = None,
    **options: object,
) -> Login:
    entry: StoredEntry | None = None if stored is None else read_entry(stored)
    arguments: dict[str, object] = {"stored_commands": no_command, "run": no_command, **options}
    return resolve(provider, entry, configured, environ or {}, **arguments)  # type: ignore[arg-type]


def key(text: str | None = None, **env: str) -> object:
    return {"type": "api_key", **({} if text is None else {"key": text}), **({"env": env} if env else {})}


PLAIN = [provider for provider in PROVIDERS if provider not in {*RESOLVERS, CODEX}]


@pytest.mark.parametrize("provider", PLAIN)
def test_a_plain_provider_has_one_key(provider: str) -> None:
    """From auth.json, from models.json, from its variable, in this order."""
    environ = {KEY_VARIABLES[provider][0]: "env"}
    assert ask(provider, key("stored"), "conf", environ).key == "stored"
    assert ask(provider, None, "conf", environ).key == "conf"
    login = ask(provider, None, None, environ)
    assert (login.kind, login.key, login.source) == (
        "api_key",
        "env",
        f"environment variable {KEY_VARIABLES[provider][0]}",
    )
    nothing = ask(provider)
    assert (nothing.kind, nothing.available) == ("none", False)
    assert KEY_VARIABLES[provider][0] in (nothing.problem or "")


ROWS: list[tuple[str, str, object, str | None, dict[str, str], str, str | None]] = [
    ("stored OAuth never falls back", "anthropic", OAUTH, None, {"ANTHROPIC_API_KEY": "e"}, "oauth", "acc"),
    ("stored OAuth beats models.json", "anthropic", OAUTH, "conf", {}, "oauth", "acc"),
    ("an unresolved stored key falls through", "openai", key("$NO"), None, {"OPENAI_API_KEY": "e"}, "api_key", "e"),
    ("a missing stored key falls through", "openai", key(), None, {"OPENAI_API_KEY": "e"}, "api_key", "e"),
    ("an empty stored key falls through", "openai", key(""), None, {"OPENAI_API_KEY": "e"}, "api_key", "e"),
    ("a stored marker falls through", "openai", key("<authenticated>"), None, {"OPENAI_API_KEY": "e"}, "api_key", "e"),
    ("but not to models.json", "openai", key("$NO"), "conf", {}, "none", None),
    ("an unset models.json key blocks", "openai", None, "$NO", {"OPENAI_API_KEY": "e"}, "none", None),
    ("a malformed entry owns the provider", "openai", "sk-x", None, {"OPENAI_API_KEY": "e"}, "none", None),
    ("an unknown type owns the provider", "openai", {"type": "x"}, None, {"OPENAI_API_KEY": "e"}, "none", None),
    ("a login for a key provider is nothing", "groq", OAUTH, None, {"GROQ_API_KEY": "e"}, "none", None),
    ("a key for codex is nothing", CODEX, key("k"), None, {"OPENAI_API_KEY": "e"}, "none", None),
    ("unless models.json gives it keys", CODEX, None, "conf", {}, "api_key", "conf"),
    ("then a stored one counts, too", CODEX, key("k"), "conf", {}, "api_key", "k"),
    ("and owns the provider", CODEX, key("$NO"), "conf", {}, "none", None),
    ("as a login does", CODEX, OAUTH, "conf", {}, "oauth", "acc"),
    ("an unset key for codex is nothing", CODEX, None, "$NO", {}, "none", None),
    ("an unset name is not a key", "openai", key("OPENAI_API_KEY"), None, {}, "api_key", "OPENAI_API_KEY"),
    ("white space in a variable is absent", "openai", None, None, {"OPENAI_API_KEY": "  "}, "none", None),
    ("copilot takes its own variable only", "github-copilot", None, None, {"GH_TOKEN": "e"}, "none", None),
    ("copilot's variable", "github-copilot", None, None, {"COPILOT_GITHUB_TOKEN": "e"}, "api_key", "e"),
    ("a provider of the user's own", "corp", None, "lit", {}, "api_key", "lit"),
    ("one with a stored key", "corp", key("k"), None, {}, "api_key", "k"),
    ("one with nothing", "corp", None, None, {}, "none", None),
    ("one with a login of an extension", "corp", OAUTH, None, {}, "oauth", "acc"),
    ("an empty models.json key", "corp", None, "", {}, "none", None),
    ("azure's older id", "azure-openai-responses", None, None, {"AZURE_OPENAI_API_KEY": "e"}, "api_key", "e"),
    ("models.json feeds a special provider", "cloudflare-workers-ai", None, "k", {}, "none", None),
    ("with ids of the environment", "cloudflare-workers-ai", None, "k", {"CLOUDFLARE_ACCOUNT_ID": "a"}, "api_key", "k"),
]


@pytest.mark.parametrize(("provider", "stored", "configured", "environ", "kind", "found"), [row[1:] for row in ROWS])
def test_precedence(
    *, provider: str, stored: object, configured: str | None, environ: dict[str, str], kind: str, found: str | None
) -> None:
    """pi-on-disk.md, 2.3 and 8.1, row by row."""
    login = ask(provider, stored, configured, environ)
    assert (login.kind, login.key) == (kind, found)
    assert (login.problem is None) == login.available


def test_a_stored_key_expands_with_its_own_variables_first() -> None:
    """Then with the process's."""
    login = ask("groq", key("${A}-$B", A="own"), None, {"A": "x", "B": "proc"})
    assert login.key == "own-proc"


def test_stored_commands_run_and_fall_through_when_they_fail() -> None:
    """Also for a check of availability: pi runs them there too."""
    ran: list[str] = []

    def run(line: str) -> str | Failed:
        ran.append(line)
        return "printed" if line == "good" else Failed("exit code 1")

    assert ask("groq", key("!good"), stored_commands=run, run_commands=False).key == "printed"
    bad = ask("groq", key("!bad"), stored_commands=run)
    assert (bad.kind, bad.problem) == (
        "none",
        "the key in auth.json could not be resolved from shell command (exit code 1)",
    )
    assert ask("groq", key("!bad"), None, {"GROQ_API_KEY": "e"}, stored_commands=run).key == "e"
    assert ran == ["good", "bad", "bad"]


def test_a_command_of_models_json_counts_as_available_without_running() -> None:
    """It runs for each request; a failure there is an error, in pi's words, but with the reason for the line."""
    check = ask("corp", None, "!cmd", run_commands=False)
    assert (check.kind, check.key, check.available) == ("api_key", None, True)
    assert ask("corp", None, "!cmd", run=lambda line: f"<{line}>").key == "<cmd>"
    failed = ask("corp", None, "!cmd", run=lambda _line: Failed("exit code 1"))
    assert failed.problem == 'Failed to resolve API key for provider "corp" from shell command (exit code 1)'


def test_an_unset_variable_of_models_json_is_named() -> None:
    """In pi's words."""
    assert ask("corp", None, "$A$B").problem == (
        'Failed to resolve API key for provider "corp" from environment variables: A, B'
    )


@pytest.mark.parametrize(
    ("provider", "stored"),
    [("anthropic", OAUTH), ("openai", key("s")), ("groq", None), ("openai", "broken"), ("corp", None)],
)
def test_a_key_of_the_client_beats_everything(provider: str, stored: object) -> None:
    """As it is, never expanded."""
    login = ask(provider, stored, "conf", {"OPENAI_API_KEY": "e"}, override="$mine")
    assert (login.kind, login.key, login.from_client) == ("api_key", "$mine", True)


def test_a_key_of_the_client_keeps_the_providers_variables() -> None:
    """Cloudflare's ids still come from the entry and the process."""
    login = ask(
        "cloudflare-ai-gateway", key("s", CLOUDFLARE_GATEWAY_ID="g"), None, {"CLOUDFLARE_ACCOUNT_ID": "a"}, override="o"
    )
    assert login.env == {"CLOUDFLARE_ACCOUNT_ID": "a", "CLOUDFLARE_GATEWAY_ID": "g"}


def test_a_blank_key_of_the_client_is_none() -> None:
    """An empty header changes nothing."""
    assert ask("groq", None, None, {"GROQ_API_KEY": "e"}, override=" ").key == "e"


def test_a_login_says_whose_refresh_applies() -> None:
    """The provider's own, Radius's for gateways of the user's, none for an extension's."""
    assert ask("xai", OAUTH).flow == "xai"
    mine = ask("corp", OAUTH, oauth="radius", gateway="https://gw")
    assert (mine.flow, mine.gateway) == ("radius", "https://gw")
    assert ask("corp", OAUTH).flow is None


def test_azure_carries_its_variables_those_of_the_entry_first() -> None:
    """They outrank models.json and reach the room."""
    environ = {"AZURE_OPENAI_BASE_URL": "https://env", "AZURE_OPENAI_API_VERSION": "v2", "OTHER": "x"}
    login = ask("azure", key("k", AZURE_OPENAI_BASE_URL="https://own"), None, environ)
    assert login.env == {"AZURE_OPENAI_BASE_URL": "https://own", "AZURE_OPENAI_API_VERSION": "v2"}


@pytest.mark.parametrize(
    ("provider", "stored", "configured", "hint"),
    [
        ("groq", key("GROQ_API_KEY"), None, "the key in auth.json is the text GROQ_API_KEY"),
        ("corp", None, "GROQ_API_KEY", "the key in models.json is the text GROQ_API_KEY"),
        ("groq", key("$GROQ_API_KEY"), None, ""),
        ("groq", key("OTHER_NAME"), None, ""),
        ("github-copilot", None, None, "GH_TOKEN is set, but only COPILOT_GITHUB_TOKEN counts"),
        ("groq", None, None, ""),
    ],
)
def test_habits_of_an_older_pi_get_a_hint(provider: str, stored: object, configured: str | None, hint: str) -> None:
    """And are read as today's pi reads them."""
    login = ask(provider, stored, configured, {"GROQ_API_KEY": "e", "GH_TOKEN": "t"})
    assert (login.hint or "").startswith(hint)
    assert bool(login.hint) == bool(hint)


def test_secrets_stay_out_of_the_representation() -> None:
    """A login in a log line shows none."""
    assert "s3cret" not in repr([ask("groq", key("s3cret", A="s3cret")), ask("xai", {**OAUTH, "access": "s3cret"})])
