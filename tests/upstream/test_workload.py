from __future__ import annotations

from pathlib import Path

import pytest
import trio
from fakes.fetcher import ScriptedFetcher, Step, answer, ok

from piproxy.errors import CredentialError, UpstreamUnreachable
from piproxy.upstream.workload import exchange

BASE = "https://api.anthropic.com"
IDS = {
    "ANTHROPIC_FEDERATION_RULE_ID": "rule",
    "ANTHROPIC_ORGANIZATION_ID": "org",
    "ANTHROPIC_IDENTITY_TOKEN_FILE": "/run/token",
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text("identity\n")
    return path


async def test_the_identity_token_buys_an_access_token(file: Path) -> None:
    """JSON with pi's members, optional ids only when they are set, and both betas."""
    http = ScriptedFetcher([ok({"access_token": "t", "expires_in": 600})])
    token = await exchange(http, f"{BASE}/", str(file), {**IDS, "ANTHROPIC_WORKSPACE_ID": "w"}, 1000)
    (asked,) = http.asked
    assert (asked.method, asked.url) == ("POST", f"{BASE}/v1/oauth/token")
    assert asked.headers["anthropic-beta"] == "oauth-2025-04-20,oidc-federation-2026-04-01"
    assert asked.json == {
        "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "assertion": "identity",
        "federation_rule_id": "rule",
        "organization_id": "org",
        "workspace_id": "w",
    }
    assert (token.value, token.expires) == ("t", 1600)


@pytest.mark.parametrize(
    ("base", "content", "steps", "words", "passing"),
    [
        ("http://gw.example", "x", [], "needs an https address.$", False),
        (BASE, "x" * (16 * 1024 + 1), [], "larger than 16 KiB", False),
        (BASE, " \n", [], "is empty", False),
        (BASE, None, [], "Cannot read the identity token", False),
        (BASE, "x", [answer(401, {"error": {"type": "authentication_error"}})], "HTTP 401, authentication_err", False),
        (BASE, "x", [answer(529, {"error": {"type": "overloaded_error"}})], "HTTP 529, overloaded_error", True),
        (BASE, "x", [ok({"access_token": "t"})], "no expires_in", False),
        (BASE, "x", [UpstreamUnreachable("refused.")], "refused.$", True),
    ],
)
async def test_what_goes_wrong_is_said(
    *, file: Path, base: str, content: str | None, steps: list[Step], words: str, passing: bool
) -> None:
    """As an error of our own credentials, which clients may try again only when that can help."""
    path = file if content is not None else file.with_name("gone")
    await trio.Path(file).write_text(content or "")
    with pytest.raises(CredentialError, match=words) as caught:
        await exchange(ScriptedFetcher(steps), base, str(path), IDS, 0)
    assert caught.value.passing == passing
