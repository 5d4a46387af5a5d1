from __future__ import annotations

from collections.abc import Mapping

import pytest

from piproxy.pi.login import Login
from piproxy.pi.special_logins import RESOLVERS, Asked, is_marker, llama_address

GCLOUD = "/home/ada/.config/gcloud/application_default_credentials.json"
PLACE = {"GOOGLE_CLOUD_PROJECT": "p", "GOOGLE_CLOUD_LOCATION": "l"}


def ask(
    provider: str,
    environ: Mapping[str, str],
    *,
    key: str | None = None,
    stored: Mapping[str, str] | None = None,
    files: tuple[str, ...] = (),
) -> Login:
    question = Asked(provider, key, "auth.json", stored or {}, {"HOME": "/home/ada", **environ}, files.__contains__)
    return RESOLVERS[provider](question)


FEDERATION = {
    "ANTHROPIC_FEDERATION_RULE_ID": "rule",
    "ANTHROPIC_ORGANIZATION_ID": "org",
    "ANTHROPIC_IDENTITY_TOKEN_FILE": "/run/token",
}


@pytest.mark.parametrize(
    ("key", "environ", "kind", "found", "source"),
    [
        (
            "stored",
            {"ANTHROPIC_AUTH_TOKEN": "t", "ANTHROPIC_API_KEY": "k"},
            "api_key",
            "stored",
            "auth.json",
        ),
        (
            None,
            {"ANTHROPIC_AUTH_TOKEN": "t", "ANTHROPIC_OAUTH_TOKEN": "o", "ANTHROPIC_API_KEY": "k"},
            "auth_token",
            "t",
            "environment variable ANTHROPIC_AUTH_TOKEN",
        ),
        (
            None,
            {"ANTHROPIC_OAUTH_TOKEN": "o", "ANTHROPIC_API_KEY": "k"},
            "api_key",
            "o",
            "environment variable ANTHROPIC_OAUTH_TOKEN",
        ),
        (
            None,
            {"ANTHROPIC_API_KEY": "k", **FEDERATION},
            "api_key",
            "k",
            "environment variable ANTHROPIC_API_KEY",
        ),
        (
            None,
            FEDERATION,
            "workload_identity",
            None,
            "workload identity federation (ANTHROPIC_FEDERATION_RULE_ID)",
        ),
        (
            None,
            {**FEDERATION, "ANTHROPIC_ORGANIZATION_ID": " "},
            "none",
            None,
            "",
        ),
        (None, {}, "none", None, ""),
    ],
)
def test_anthropic(key: str | None, environ: dict[str, str], kind: str, found: str | None, source: str) -> None:
    """Key, auth token, OAuth token, API key, federation: the first that is there."""
    login = ask("anthropic", environ, key=key)
    assert (login.kind, login.key, login.source) == (kind, found, source)


def test_anthropics_federation_carries_its_ids_and_its_file() -> None:
    """No key: the exchange needs the ids and reads the file each time."""
    login = ask("anthropic", {**FEDERATION, "ANTHROPIC_WORKSPACE_ID": "w", "OTHER": "x"})
    assert login.env == {**FEDERATION, "ANTHROPIC_WORKSPACE_ID": "w"}
    assert login.file == "/run/token"


PAIR = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "s"}
BEDROCK = [
    ("bearer-stored", {"AWS_BEARER_TOKEN_BEDROCK": "e"}, {}, "api_key", "bearer-stored"),
    (None, {"AWS_BEARER_TOKEN_BEDROCK": "e", "AWS_PROFILE": "p"}, {}, "api_key", "e"),
    (None, {"AWS_PROFILE": "p", **PAIR}, {}, "aws_profile", None),
    (None, PAIR, {"AWS_PROFILE": "mine"}, "aws_profile", None),
    (None, {**PAIR, "AWS_WEB_IDENTITY_TOKEN_FILE": "f"}, {}, "aws_keys", None),
    (None, {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/x"}, {}, "aws_chain", None),
    (None, {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://x"}, {}, "aws_chain", None),
    (None, {"AWS_WEB_IDENTITY_TOKEN_FILE": "f"}, {}, "aws_chain", None),
    (None, {"AWS_ACCESS_KEY_ID": "a"}, {}, "none", None),
    (None, {}, PAIR, "none", None),
    (None, {"AWS_REGION": "eu-west-1"}, {}, "none", None),
]


@pytest.mark.parametrize(("key", "environ", "stored", "kind", "found"), BEDROCK)
def test_bedrock(
    key: str | None, environ: dict[str, str], stored: dict[str, str], kind: str, found: str | None
) -> None:
    """Bearer, profile, key pair, container, web identity; a key pair kept in the entry alone does not count."""
    login = ask("amazon-bedrock", environ, key=key, stored=stored)
    assert (login.kind, login.key) == (kind, found)
    assert (login.problem is None) == (kind != "none")


def test_bedrocks_stored_variables_go_along_with_a_key_or_a_profile_only() -> None:
    """With an ambient key pair the entry's own region does not count, as in pi."""
    stored = {"AWS_REGION": "eu-west-1"}
    ambient = {"AWS_REGION": "us-west-2"}
    assert ask("amazon-bedrock", {**ambient, **PAIR}, stored=stored).env == ambient
    assert ask("amazon-bedrock", ambient, key="k", stored=stored).env == stored
    profile = ask("amazon-bedrock", {**ambient, **PAIR}, stored={**stored, "AWS_PROFILE": "mine"})
    assert profile.env == {"AWS_REGION": "eu-west-1", "AWS_PROFILE": "mine"}


VERTEX = [
    ("stored", {"GOOGLE_CLOUD_API_KEY": "e"}, {}, (), "api_key", "stored", None),
    (None, {"GOOGLE_CLOUD_API_KEY": "e"}, {}, (), "api_key", "e", None),
    ("<authenticated>", PLACE, {}, (GCLOUD,), "adc", None, GCLOUD),
    (None, {"GOOGLE_CLOUD_API_KEY": "gcp-vertex-credentials", **PLACE}, {}, (GCLOUD,), "adc", None, GCLOUD),
    (None, PLACE, {}, (GCLOUD,), "adc", None, GCLOUD),
    (None, {"GCLOUD_PROJECT": "p", "GOOGLE_CLOUD_LOCATION": "l"}, {}, (GCLOUD,), "adc", None, GCLOUD),
    (None, {}, PLACE, (GCLOUD,), "adc", None, GCLOUD),
    (None, {**PLACE, "GOOGLE_APPLICATION_CREDENTIALS": "/e"}, {}, ("/e", GCLOUD), "adc", None, "/e"),
    (
        None,
        {**PLACE, "GOOGLE_APPLICATION_CREDENTIALS": "/e"},
        {"GOOGLE_APPLICATION_CREDENTIALS": "/s"},
        ("/e", "/s"),
        "adc",
        None,
        "/s",
    ),
    (None, {**PLACE, "GOOGLE_APPLICATION_CREDENTIALS": "~/e"}, {}, ("/home/ada/e",), "adc", None, "/home/ada/e"),
    (None, {**PLACE, "GOOGLE_APPLICATION_CREDENTIALS": "/gone"}, {}, (GCLOUD,), "none", None, None),
    (None, PLACE, {}, (), "none", None, None),
    (None, {"GOOGLE_CLOUD_PROJECT": "p"}, {}, (GCLOUD,), "none", None, None),
    (None, {"GOOGLE_CLOUD_LOCATION": "l"}, {}, (GCLOUD,), "none", None, None),
    (None, {**PLACE, "GCE_METADATA_HOST": "metadata"}, {}, (), "adc", None, None),
]


@pytest.mark.parametrize(("key", "environ", "stored", "files", "kind", "found", "file"), VERTEX)
def test_vertex(
    *,
    key: str | None,
    environ: dict[str, str],
    stored: dict[str, str],
    files: tuple[str, ...],
    kind: str,
    found: str | None,
    file: str | None,
) -> None:
    """A key; else a credentials file that exists, with project and location; or the metadata server by name."""
    login = ask("google-vertex", environ, key=key, stored=stored, files=files)
    assert (login.kind, login.key, login.file) == (kind, found, file)
    if kind == "adc":
        assert (login.env["GOOGLE_CLOUD_PROJECT"], login.env["GOOGLE_CLOUD_LOCATION"]) == ("p", "l")


IDS = {"CLOUDFLARE_ACCOUNT_ID": "acc", "CLOUDFLARE_GATEWAY_ID": "gw"}


@pytest.mark.parametrize(
    ("provider", "key", "stored", "environ", "problem"),
    [
        ("cloudflare-ai-gateway", "k", IDS, {}, None),
        ("cloudflare-ai-gateway", None, {}, {"CLOUDFLARE_API_KEY": "k", **IDS}, None),
        ("cloudflare-ai-gateway", "k", {"CLOUDFLARE_GATEWAY_ID": "gw"}, {"CLOUDFLARE_ACCOUNT_ID": "acc"}, None),
        ("cloudflare-ai-gateway", "k", {**IDS, "CLOUDFLARE_ACCOUNT_ID": ""}, IDS, "missing: CLOUDFLARE_ACCOUNT_ID"),
        ("cloudflare-ai-gateway", "k", {}, {"CLOUDFLARE_ACCOUNT_ID": "acc"}, "missing: CLOUDFLARE_GATEWAY_ID"),
        ("cloudflare-ai-gateway", None, IDS, {}, "missing: CLOUDFLARE_API_KEY"),
        ("cloudflare-workers-ai", "k", {}, {"CLOUDFLARE_ACCOUNT_ID": "acc"}, None),
        ("cloudflare-workers-ai", None, {}, {}, "missing: CLOUDFLARE_API_KEY, CLOUDFLARE_ACCOUNT_ID"),
    ],
)
def test_cloudflare(
    provider: str, key: str | None, stored: dict[str, str], environ: dict[str, str], problem: str | None
) -> None:
    """Each field from the entry or the process; an empty one in the entry blocks."""
    login = ask(provider, environ, key=key, stored=stored)
    assert login.problem == problem
    if problem is None:
        assert (login.kind, login.key, login.env["CLOUDFLARE_ACCOUNT_ID"]) == ("api_key", "k", "acc")


@pytest.mark.parametrize(
    ("key", "environ", "stored", "found", "base_url"),
    [
        (None, {"LLAMA_BASE_URL": "http://h:8080"}, {}, "local", "http://h:8080/v1"),
        (None, {"LLAMA_BASE_URL": "http://h/v1/", "LLAMA_API_KEY": "e"}, {}, "e", "http://h/v1"),
        ("k", {"LLAMA_API_KEY": "e"}, {"LLAMA_BASE_URL": "http://s/x?q=1#f"}, "k", "http://s/x/v1"),
    ],
)
def test_llama_cpp(key: str | None, environ: dict[str, str], stored: dict[str, str], found: str, base_url: str) -> None:
    """Configured by its address; the key may be made up."""
    login = ask("llama.cpp", environ, key=key, stored=stored)
    assert (login.kind, login.key, login.base_url) == ("api_key", found, base_url)


def test_llama_cpp_without_an_address_is_not_configured() -> None:
    """A key alone leads nowhere."""
    assert ask("llama.cpp", {"LLAMA_API_KEY": "k"}).kind == "none"


@pytest.mark.parametrize(
    "address", ["http://h:1", "http://h:1/", "http://h:1/v1", "http://h:1/v1/", " http://h:1/?a#b"]
)
def test_an_address_of_llama_cpp_is_normalized(address: str) -> None:
    """No query, no fragment, no final slash, no version."""
    assert llama_address(address) == "http://h:1"


@pytest.mark.parametrize(
    ("key", "marker"), [("<authenticated>", True), ("gcp-vertex-credentials", True), ("<>", False), ("k<x>", False)]
)
def test_a_marker_is_no_key(key: str, marker: bool) -> None:
    """What pi 0.73 and Google's libraries write where there is none."""
    assert is_marker(key) == marker
