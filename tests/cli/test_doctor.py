"""``piproxy doctor``."""

from __future__ import annotations

import json
import os
import socket
import time
from typing import Any

import pytest
from fakes.command import Home

from piproxy.cli import logins
from piproxy.cli.files import file_findings
from piproxy.pi.catalog import snapshot
from piproxy.pi.directory import AgentDirectory
from piproxy.pi.login import Kind, Login


def examine(home: Home, *arguments: str) -> tuple[int, list[dict[str, Any]]]:
    done = home.piproxy("doctor", "--json", *arguments)
    assert done.stderr == ""
    return done.returncode, json.loads(done.stdout)


def about(findings: list[dict[str, Any]], words: str) -> dict[str, Any]:
    """The one finding that has these words."""
    (found,) = [finding for finding in findings if words in finding["what"]]
    return found


def test_empty_home_tells_what_to_do(home: Home) -> None:
    """A new user reads how to log in, how to give a key, how to add a server and how to look around."""
    done = home.piproxy("doctor")
    assert done.returncode == 1
    assert f"{home.agent} does not exist" in done.stdout
    for step in ("/login", "export OPENAI_API_KEY=", f"{home.agent}/models.json", "piproxy --demo"):
        assert step in done.stdout


def test_a_key_is_enough(home: Home) -> None:
    """With a key in the environment everything is well; the key is not printed."""
    home.environ |= {"GROQ_API_KEY": "gsk-secret", "PI_PROXY_PORT": "0"}
    code, findings = examine(home)
    assert code == 0
    assert about(findings, "groq: ")["what"].startswith("groq: api key (environment variable GROQ_API_KEY), ")
    assert about(findings, "exposed")["level"] == "ok"
    assert "gsk-secret" not in json.dumps(findings)


def test_habits_of_an_older_pi_are_noted(home: Home) -> None:
    """A variable that nobody reads any more is named, and what to write instead."""
    home.environ |= {"GH_TOKEN": "gh-secret", "PI_PROXY_PORT": "0"}
    _, findings = examine(home)
    assert about(findings, "COPILOT_GITHUB_TOKEN")["level"] == "note"
    assert "gh-secret" not in json.dumps(findings)


def test_logins_are_judged(home: Home) -> None:
    """A stored login is valid, refreshable, or has to be repeated; nothing of it is printed."""
    now = time.time() * 1000
    login = {"type": "oauth", "access": "at-secret", "refresh": "rt-secret", "expires": now + 3_600_000}
    copilot = snapshot().models["github-copilot"]
    home.write(
        "auth.json",
        {
            "anthropic": login,
            "openai-codex": login | {"expires": now - 1000},
            "xai": login | {"expires": now - 1000, "refresh": ""},
            "groq": {"type": "api_key", "key": 7},
            "openai": {"type": "api_key", "key": "$NOT_SET"},
            "github-copilot": login | {"expires": 9007199254740991, "availableModelIds": [copilot[0].id]},
            "meta": login | {"expires": None},
        },
    )
    code, findings = examine(home)
    assert code == 1
    assert "valid until" in about(findings, "anthropic: ")["what"]
    assert f"1 of {len(copilot)} models, does not expire" in about(findings, "github-copilot: ")["what"]
    assert "expired, will be refreshed" in about(findings, "meta: ")["what"]
    assert "will be refreshed" in about(findings, "openai-codex: ")["what"]
    assert "cannot be refreshed" in about(findings, "xai: ")["what"]
    assert "/login" in about(findings, "xai: ")["next_step"]
    assert "unusable: key is not a string" in about(findings, "groq: ")["what"]
    assert about(findings, "openai: ")["level"] == "warning"
    assert "secret" not in json.dumps(findings).replace("may hold secrets", "")


def test_keys_that_cannot_be_resolved_are_told(home: Home) -> None:
    """Why each has no value, and where to mend it: a command by how it ended, never by its line or what it prints."""
    models = {"baseUrl": "https://h/v1", "api": "openai-completions", "models": [{"id": "m"}]}
    path = home.write(
        "models.json",
        {
            "providers": {
                "failing": {**models, "apiKey": "!echo s3cret >&2; echo s3cret; exit 7"},
                "silent": {**models, "apiKey": "!true s3cret"},
                "unset": {**models, "apiKey": "$NOT_SET"},
                "header": {**models, "apiKey": "k", "headers": {"X-Team": "!no-such-program s3cret"}},
                "model": {**models, "apiKey": "k", "modelOverrides": {"m": {"headers": {"X-M": "$NOT_SET_EITHER"}}}},
                "fine": {**models, "apiKey": "!echo s3cret", "headers": {"X-Team": "!echo s3cret"}},
            }
        },
    )
    stored = home.write("auth.json", {"groq": {"type": "api_key", "key": "!exit 3 # s3cret"}})
    home.environ["PI_PROXY_PORT"] = "0"
    code, findings = examine(home)
    assert code == 1
    for provider, level, words, step in (
        ("failing", "error", "from shell command (exit code 7)", f"Run the command that {path} has"),
        ("silent", "error", "from shell command (it printed nothing)", f"Run the command that {path} has"),
        ("unset", "warning", "from environment variable: NOT_SET", "Set it where piproxy is started"),
        ("header", "error", 'header "X-Team" from shell command (exit code 127: not found)', "in a shell"),
        ("model", "error", 'model "model/m" header "X-M" from environment variable: NOT_SET_EITHER', str(path)),
        ("groq", "warning", "from shell command (exit code 3)", f"Run the command that {stored} has"),
        ("fine", "ok", "api key (models.json), 1 model", ""),
    ):
        finding = about(findings, f"{provider}: ")
        assert finding["level"] == level, finding
        assert words in finding["what"], finding
        assert step in finding["next_step"], finding
    assert "s3cret" not in json.dumps(findings)


def test_what_cannot_be_sent_is_told(home: Home) -> None:
    """Values of several lines, names that no header has; white space around a key does no harm."""
    own = {"baseUrl": "http://127.0.0.1:9/v1", "api": "openai-completions", "models": [{"id": "m"}]}
    corp = {**own, "apiKey": "!echo one-secret; echo two-secret", "headers": {"X A": "v", "X-B": "b-secret\nb"}}
    home.write("models.json", {"providers": {"corp": corp}})
    home.write("auth.json", {"groq": {"type": "api_key", "key": "g-secret\ng"}})
    home.environ |= {"CEREBRAS_API_KEY": "fine\r\n", "PI_PROXY_PORT": "0"}
    code, findings = examine(home)
    assert code == 1
    for words in (
        "corp: the key (models.json) cannot be sent: it has several lines",
        'corp: the header "X A" of provider "corp" cannot be sent: no header can have that name',
        'corp: the header "X-B" of provider "corp" cannot be sent: it has several lines',
        "groq: the key (auth.json) cannot be sent: it has several lines",
    ):
        assert (about(findings, words)["level"], about(findings, words)["what"]) == ("error", words)
    assert about(findings, "cerebras: ")["level"] == "ok"
    assert "secret" not in json.dumps(findings)


def test_what_only_an_extension_of_pi_s_knows_is_told(home: Home) -> None:
    """Its login lasts until it expires, and nobody but pi renews it; a provider without models is named."""
    now = time.time() * 1000
    login = {"type": "oauth", "access": "at", "refresh": "rt", "expires": now + 3_600_000}
    models = {"baseUrl": "https://h/v1", "api": "openai-completions", "models": [{"id": "m"}]}
    home.write("models.json", {"providers": {"valid": models, "ended": models}})
    home.write(
        "auth.json",
        {
            "valid": login,
            "ended": login | {"expires": now - 1000},
            "unknown": login,
            "google-gemini-cli": login,
            "azure-openai-responses": {"type": "api_key", "key": "k"},
        },
    )
    _, findings = examine(home)
    for provider, level, words, step in (
        ("valid", "note", "only a pi extension can refresh it", "Use valid in pi"),
        ("ended", "error", "only a pi extension can refresh it", "Use ended in pi"),
        ("unknown", "note", "no file of pi's names a model", "piproxy runs none; describe its models in"),
    ):
        finding = about(findings, f"{provider}: ")
        assert finding["level"] == level, finding
        assert words in finding["what"], finding
        assert step in finding["next_step"], finding
    assert not [finding for finding in findings if "google-gemini-cli" in finding["what"]]
    assert about(findings, "azure: ")["level"] == "ok"


def test_an_api_that_nobody_speaks_is_told(home: Home) -> None:
    """A slip in models.json hides its models; the finding names the apis that there are."""
    models = {"baseUrl": "https://h/v1", "apiKey": "k", "models": [{"id": "m"}, {"id": "n"}]}
    home.write("models.json", {"providers": {"corp": {**models, "api": "openai-completion"}}})
    finding = about(examine(home)[1], "corp: ")
    assert finding["what"] == "corp: 2 models with the api 'openai-completion', which piproxy does not speak"
    assert "openai-completions" in finding["next_step"]


def test_addresses_that_lead_nowhere_are_told(home: Home) -> None:
    """Without a scheme, or with one that is no HTTP; a password in one is not shown."""
    models = {"api": "openai-completions", "apiKey": "k", "models": [{"id": "m"}]}
    addresses = {
        "bare": "localhost:11434/v1",
        "ftp": "ftp://h/v1",
        "secret": "u:s3cret@h/v1",
        "fine": "http://[::1]:1/v1",
    }
    providers = {name: {**models, "baseUrl": address} for name, address in addresses.items()}
    home.write("models.json", {"providers": providers})
    _, findings = examine(home)
    told = [finding["what"] for finding in findings if "baseUrl" in finding["what"]]
    assert told == [
        "bare: the baseUrl 'localhost:11434/v1' is no http(s) address",
        "ftp: the baseUrl 'ftp://h/v1' is no http(s) address",
        "secret: the baseUrl is no http(s) address",
    ]


def test_what_the_machine_lacks_is_told(home: Home) -> None:
    """Files that cloud logins are made from; libraries: see below."""
    home.environ |= {
        "ANTHROPIC_FEDERATION_RULE_ID": "rule",
        "ANTHROPIC_ORGANIZATION_ID": "org",
        "ANTHROPIC_IDENTITY_TOKEN_FILE": str(home.path / "gone"),
        "GOOGLE_APPLICATION_CREDENTIALS": str(home.write("adc.json", "{")),
        "GOOGLE_CLOUD_PROJECT": "p",
        "GOOGLE_CLOUD_LOCATION": "l",
    }
    _, findings = examine(home)
    assert "cannot be read" in about(findings, "anthropic: ")["what"]
    assert "is no file of Google's credentials" in about(findings, "google-vertex: ")["what"]
    assert about(findings, "google-vertex: ")["level"] == "error"


@pytest.mark.parametrize(
    ("kind", "account", "package", "extra"),
    [
        ("aws_profile", None, "botocore", "piproxy[aws]"),
        ("aws_chain", None, "botocore", "piproxy[aws]"),
        ("aws_keys", None, None, None),
        ("adc", "service_account", "cryptography", "piproxy[vertex]"),
        ("adc", "external_account", "google.auth", "piproxy[vertex]"),
        ("adc", "authorized_user", None, None),
    ],
)
def test_libraries_that_are_missing_are_told(
    *,
    kind: Kind,
    account: str | None,
    package: str | None,
    extra: str | None,
    home: Home,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Only what the login at hand needs, and how to install it."""
    file = str(home.write("adc.json", {"type": account})) if account else None
    login = Login(provider="p", kind=kind, file=file)
    assert logins.lacking(login) is None
    monkeypatch.setattr(logins, "installed", lambda _name: False)
    found = logins.lacking(login)
    if package is None:
        assert found is None
    else:
        assert found is not None
        assert (package in found[0], str(extra) in found[1]) == (True, True)


def test_installed() -> None:
    """Also of a package whose parent is not there."""
    assert logins.installed("json")
    assert not logins.installed("no_such_package")
    assert not logins.installed("no_such_package.part")


def test_broken_files_are_named(home: Home) -> None:
    """A file that cannot be read is an error with its line; the rest is still told."""
    path = home.write("models.json", '{\n "providers": [}\n}')
    home.write("proxy-config.json", {"port": "many"})
    code, findings = examine(home, "--demo")
    assert code == 1
    assert about(findings, f"{path}:2")["level"] == "error"
    assert "port" in about(findings, "proxy-config.json: port")["what"]
    assert about(findings, "exposed")["level"] == "ok"


def test_bad_variable_is_told(home: Home) -> None:
    """A variable that makes a start impossible is the only finding."""
    home.environ["PI_PROXY_PORT"] = "eighty"
    code, findings = examine(home)
    assert code == 1
    assert [finding["level"] for finding in findings] == ["error"]
    assert "PI_PROXY_PORT" in findings[0]["what"]


def test_open_permissions_are_told(home: Home) -> None:
    """A file with secrets that others may read comes with the command that closes it."""
    path = home.write("auth.json", {}, mode=0o644)
    finding = about(examine(home)[1], "open to other users")
    assert (finding["level"], finding["next_step"]) == ("warning", f"chmod 600 {path}")


@pytest.mark.parametrize(
    ("age", "level", "words"), [(0, "note", "held by a running program"), (600, "note", "was left behind")]
)
def test_locks_are_told(home: Home, age: int, level: str, words: str) -> None:
    """A young lock belongs to somebody, an old one to nobody."""
    lock = home.write("auth.json", {}).with_name("auth.json.lock")
    lock.mkdir()
    os.utime(lock, (time.time() - age,) * 2)
    assert about(examine(home)[1], words)["level"] == level


def test_stuck_lock_is_an_error(home: Home) -> None:
    """A lock that nobody can remove has to be removed by hand."""
    lock = home.write("auth.json", {}).with_name("auth.json.lock")
    lock.mkdir()
    (lock / "file").touch()
    finding = about(examine(home)[1], "is not empty")
    assert (finding["level"], finding["next_step"]) == ("error", f"Remove {lock}.")


def test_settings_that_expose_nothing(home: Home) -> None:
    """A mode that hides everything is an error with its reason."""
    home.environ |= {"GROQ_API_KEY": "x", "PI_PROXY_MODEL_EXPOSURE_MODE": "scoped"}
    code, findings = examine(home)
    assert code == 1
    assert "scopedProviders is empty" in about(findings, "no model is exposed")["what"]


def test_ids_that_collide_stop_a_start(home: Home) -> None:
    """What would stop the server is found before."""
    home.environ |= {"OPENAI_API_KEY": "x", "AZURE_OPENAI_API_KEY": "y", "PI_PROXY_PUBLIC_MODEL_ID_MODE": "universal"}
    assert about(examine(home)[1], "not unique")["level"] == "error"


def test_taken_port_is_told(home: Home) -> None:
    """A port that something silent holds is an error; the finding names the flag."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        home.environ["PI_PROXY_PORT"] = str(taken.getsockname()[1])
        finding = about(examine(home, "--demo")[1], "cannot listen on")
    assert finding["level"] == "error"
    assert "--port" in finding["next_step"]


def test_directory_that_is_none(home: Home) -> None:
    """A file where pi's directory should be is an error."""
    wrong = home.path / "file"
    wrong.touch()
    home.environ["PI_CODING_AGENT_DIR"] = str(wrong)
    assert about(examine(home)[1], "is not a directory")["level"] == "error"


def test_links_that_lead_nowhere_are_told(home: Home) -> None:
    """A file's, and one in a circle in the directory's place."""
    path = home.agent / "auth.json"
    path.parent.mkdir(parents=True)
    path.symlink_to("gone.json")
    finding = about(examine(home)[1], "leads nowhere")
    assert (finding["level"], finding["what"].split()[0]) == ("error", str(path))
    circle = home.path / "circle"
    circle.symlink_to("circle")
    home.environ["PI_CODING_AGENT_DIR"] = str(circle)
    assert about(examine(home)[1], "cannot be looked at")["level"] == "error"


def test_what_keeps_logins_from_being_renewed_is_told(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that cannot be written, in a directory that can."""
    path = home.write("auth.json", {})
    monkeypatch.setattr(os, "access", lambda asked, mode: not (asked == path and mode == os.W_OK))
    found = {finding.what: finding.next_step for finding in file_findings(AgentDirectory(home.agent))}
    assert found[f"{path} cannot be written: logins cannot be refreshed"] == f"chmod u+w {path}"


def test_logins_of_an_older_pi_are_told(home: Home) -> None:
    """pi moves them when it starts, and only as long as there is no auth.json."""
    path = home.write("oauth.json", {"anthropic": {"refresh": "r", "access": "a", "expires": 1}})
    finding = about(examine(home)[1], f"{path} holds logins of an older pi")
    assert (finding["level"], "Start pi once" in finding["next_step"]) == ("warning", True)
    home.write("auth.json", {})
    assert "older pi" not in json.dumps(examine(home)[1])
