from __future__ import annotations

from datetime import UTC, datetime

import pytest

from piproxy.credential import AwsKeys, Credential
from piproxy.headers import get
from piproxy.model import Model
from piproxy.upstream.auth import identity, sign
from piproxy.wire.room import AuthScheme, WireRequest

NOW = datetime(2026, 11, 22, tzinfo=UTC)
KEYS = AwsKeys("AKID", "secret")


def request(auth: AuthScheme = "bearer", **headers: str | None) -> WireRequest:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return WireRequest(url="https://h.example/x", body=b"{}", headers=named, auth=auth)


@pytest.mark.parametrize(
    ("scheme", "credential", "expected"),
    [
        ("bearer", Credential(api_key="k"), {"Authorization": "Bearer k"}),
        ("x-api-key", Credential(api_key="k"), {"x-api-key": "k"}),
        ("api-key", Credential(api_key="k"), {"api-key": "k"}),
        ("x-goog-api-key", Credential(api_key="k"), {"x-goog-api-key": "k"}),
        ("aws", Credential(api_key="k"), {"Authorization": "Bearer k"}),
        ("none", Credential(api_key="k"), {}),
        ("bearer", Credential(), {}),
        ("x-api-key", Credential(api_key="k", bearer=True), {"Authorization": "Bearer k"}),
        ("x-goog-api-key", Credential(api_key="k", bearer=True), {"Authorization": "Bearer k"}),
        ("x-api-key", Credential(api_key="sk-ant-oat01-x"), {"Authorization": "Bearer sk-ant-oat01-x"}),
        ("bearer", Credential(api_key="k", headers={"authorization": "Mine"}), {"authorization": "Mine"}),
        ("bearer", Credential(api_key="k", headers={"AUTHORIZATION": None}), {}),
        (
            "x-api-key",
            Credential(api_key="k", headers={"Authorization": "Bearer k"}),
            {"x-api-key": "k", "Authorization": "Bearer k"},
        ),
        ("api-key", Credential(api_key="k", headers={"Authorization": "b"}), {"api-key": "k", "Authorization": "b"}),
        (
            "x-api-key",
            Credential(headers={"cf-aig-authorization": "Bearer k", "x-api-key": None, "Authorization": None}),
            {"cf-aig-authorization": "Bearer k"},
        ),
    ],
)
def test_the_key_goes_where_the_api_wants_it(
    scheme: AuthScheme, credential: Credential, expected: dict[str, str]
) -> None:
    """Unless a configured header takes its place or removes it."""
    assert sign(request(scheme), credential, now=NOW) == expected


def test_layers_go_from_the_default_to_the_configured() -> None:
    """The room's headers beat the default key, the configured ones beat both; None removes."""
    signed = sign(
        request("bearer", authorization="room", accept="a", gone="x", kept="room"),
        Credential(api_key="k", headers={"Kept": "configured", "GONE": None}),
        now=NOW,
    )
    assert signed == {"authorization": "room", "accept": "a", "Kept": "configured"}


def test_a_login_adds_its_beta_to_those_of_the_room() -> None:
    """Without doubling it; a configured header of that name stands alone."""
    betas = ("oauth-2025-04-20",)
    room = request("none", anthropic_beta="a, oauth-2025-04-20,b")
    assert sign(room, Credential(anthropic_betas=betas), now=NOW) == {"anthropic-beta": "a,oauth-2025-04-20,b"}
    assert sign(request("none"), Credential(anthropic_betas=betas), now=NOW) == {"anthropic-beta": "oauth-2025-04-20"}
    mine = Credential(anthropic_betas=betas, headers={"Anthropic-Beta": "mine"})
    assert get(sign(room, mine, now=NOW), "anthropic-beta") == "mine"
    none = Credential(anthropic_betas=betas, headers={"Anthropic-Beta": None})
    assert sign(room, none, now=NOW) == {}


def test_aws_signs_last_and_over_nothing_of_its_own() -> None:
    """Configured headers go along; those that the signature itself uses are dropped first."""
    credential = Credential(
        aws=AwsKeys("AKID", "secret", "st"),
        headers={"Authorization": "mine", "X-Amz-Date": "mine", "Host": "mine", "X-Team": "t"},
    )
    signed = sign(request("aws", Content_Type="application/json"), credential, now=NOW)
    assert set(signed) == {"Content-Type", "X-Team", "X-Amz-Date", "X-Amz-Security-Token", "Authorization"}
    assert signed["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKID/20261122/us-east-1/bedrock/")
    assert signed["X-Amz-Date"] == "20261122T000000Z"


def test_the_region_is_the_requests_then_the_variables() -> None:
    """Then us-east-1."""

    def scope(region: str | None, env: dict[str, str]) -> str:
        asked = WireRequest(url="https://h/x", body=b"", headers={}, auth="aws", region=region)
        return sign(asked, Credential(aws=KEYS, env=env), now=NOW)["Authorization"].split("/")[2]

    assert scope("eu-west-1", {"AWS_REGION": "x"}) == "eu-west-1"
    assert scope(None, {"AWS_REGION": "x"}) == "x"
    assert scope(None, {}) == "us-east-1"


@pytest.mark.parametrize(
    ("provider", "api", "base_url", "key", "expected"),
    [
        ("anthropic", "anthropic-messages", "https://api.anthropic.com", "sk-ant-oat01-x", "claude_code"),
        ("corp", "anthropic-messages", "https://gw", "prefix-sk-ant-oat01-x", "claude_code"),
        ("anthropic", "anthropic-messages", "https://api.anthropic.com", "sk-ant-api03-x", "api_key"),
        ("corp", "openai-completions", "https://gw", "sk-ant-oat01-x", "api_key"),
        ("openai", "openai-responses", "https://api.openai.com/v1", "eyJ", "chatgpt"),
        ("openai", "openai-responses", "https://api.openai.com/v1", "sk-x", "api_key"),
        ("openai", "openai-responses", "https://api.openai.com/v1/", "eyJ", "api_key"),
        ("openai", "openai-responses", "https://gw", "eyJ", "api_key"),
        ("corp", "openai-responses", "https://api.openai.com/v1", "eyJ", "api_key"),
        ("openai", "openai-responses", "https://api.openai.com/v1", None, "api_key"),
        ("anthropic", "anthropic-messages", "https://api.anthropic.com", None, "api_key"),
    ],
)
def test_identity(*, provider: str, api: str, base_url: str, key: str | None, expected: str) -> None:
    """Told by the key, wherever it came from; an auth token, which is a header, never changes it."""
    model = Model(provider=provider, id="m", api=api, base_url=base_url)
    assert identity(model, Credential(api_key=key)) == expected
