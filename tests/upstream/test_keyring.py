"""Each kind of login becomes the credential of a request."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from fakes.fetcher import ScriptedFetcher, Step, ok

from piproxy.credential import AwsKeys, Credential
from piproxy.errors import CredentialError, InvalidRequest, ProviderError
from piproxy.model import Model
from piproxy.pi.auth_entry import read_entry
from piproxy.pi.directory import AgentDirectory
from piproxy.pi.jsonfile import dump
from piproxy.pi.logins import resolve
from piproxy.pi.registry import Registry
from piproxy.upstream.keyring import Keyring

NOW = 1_800_000_000
IDS = {"CLOUDFLARE_ACCOUNT_ID": "acc", "CLOUDFLARE_GATEWAY_ID": "gw"}


def jwt(account: str = "acct") -> str:
    claims = json.dumps({"https://api.openai.com/auth": {"chatgpt_account_id": account}}).encode()
    return f"h.{base64.urlsafe_b64encode(claims).rstrip(b'=').decode()}.s"


def model(provider: str, api: str = "openai-completions", base_url: str = "https://h/v1") -> Model:
    return Model(provider=provider, id="m", api=api, base_url=base_url)


def oauth(access: str = "acc", *, left: float = 3600, **extra: Any) -> dict[str, Any]:
    return {"type": "oauth", "access": access, "refresh": "r1", "expires": (NOW + left) * 1000, **extra}


class Room:
    """A keyring over a directory, an environment and a network."""

    def __init__(self, directory: Path, nursery: trio.Nursery, environ: Mapping[str, str], steps: list[Step]) -> None:
        self.http = ScriptedFetcher(steps)
        self.environ = environ
        self.now = float(NOW)
        self.keyring = Keyring(
            http=self.http,
            directory=AgentDirectory(directory),
            environ=environ,
            nursery=nursery,
            clock=lambda: self.now,
        )

    async def credential(
        self,
        wanted: Model,
        stored: object = None,
        configured: Mapping[str, str | None] | None = None,
        *,
        override: str | None = None,
        oauth: str | None = None,
    ) -> Credential:
        entry = None if stored is None else read_entry(stored)
        login = resolve(wanted.provider, entry, None, self.environ, oauth=oauth, exists=lambda path: path != "/gone")
        return await self.keyring.credential(wanted, login, configured or {}, override_key=override)


@asynccontextmanager
async def room(tmp_path: Path, environ: Mapping[str, str] | None = None, *steps: Step) -> AsyncIterator[Room]:
    async with trio.open_nursery() as nursery:
        yield Room(tmp_path, nursery, environ or {}, list(steps))


async def test_a_key_is_a_key(tmp_path: Path) -> None:
    """With the configured headers as they are."""
    async with room(tmp_path, {"GROQ_API_KEY": "k"}) as here:
        found = await here.credential(model("groq"), None, {"X-Team": "t", "Accept": None})
    assert found == Credential(api_key="k", headers={"X-Team": "t", "Accept": None})


async def test_nothing_configured_is_an_error_with_a_reason(tmp_path: Path) -> None:
    """502, and the variable that would help."""
    async with room(tmp_path) as here:
        with pytest.raises(CredentialError, match="'groq': no login and no GROQ_API_KEY"):
            await here.credential(model("groq"))


async def test_a_command_that_was_not_run_is_no_key(tmp_path: Path) -> None:
    """A login of a mere availability check cannot be used for a request."""
    async with room(tmp_path) as here:
        login = resolve("corp", None, "!cmd", {}, run_commands=False)
        with pytest.raises(CredentialError, match="No API key for provider 'corp'"):
            await here.keyring.credential(model("corp"), login, {})


async def test_an_auth_token_is_a_header_and_no_key(tmp_path: Path) -> None:
    """So it never makes the request speak as Claude Code."""
    async with room(tmp_path, {"ANTHROPIC_AUTH_TOKEN": "sk-ant-oat-x"}) as here:
        found = await here.credential(model("anthropic", "anthropic-messages"))
    assert found == Credential(headers={"Authorization": "Bearer sk-ant-oat-x"})


def federated(directory: Path) -> dict[str, str]:
    """The environment of a workload with an identity of its own."""
    token = directory / "token"
    token.write_text("identity")
    return {
        "ANTHROPIC_FEDERATION_RULE_ID": "rule",
        "ANTHROPIC_ORGANIZATION_ID": "org",
        "ANTHROPIC_IDENTITY_TOKEN_FILE": str(token),
    }


async def test_workload_identity_is_exchanged_once(tmp_path: Path) -> None:
    """For requests it is a bearer header and a beta."""
    environ = federated(tmp_path)
    async with room(tmp_path, environ, ok({"access_token": "t", "expires_in": 600})) as here:
        for _ in range(2):
            found = await here.credential(model("anthropic", "anthropic-messages", "https://api.anthropic.com"))
            assert found == Credential(headers={"Authorization": "Bearer t"}, anthropic_betas=("oauth-2025-04-20",))
        assert here.http.asked[0].url == "https://api.anthropic.com/v1/oauth/token"


async def test_cloudflares_gateway_has_a_header_of_its_own(tmp_path: Path) -> None:
    """The others are removed, unless the user sets one; the ids reach the room."""
    async with room(tmp_path, {"CLOUDFLARE_API_KEY": "k", **IDS}) as here:
        found = await here.credential(model("cloudflare-ai-gateway"))
        assert found.headers == {"cf-aig-authorization": "Bearer k", "Authorization": None, "x-api-key": None}
        assert (found.api_key, found.env) == (None, IDS)
        mine = await here.credential(model("cloudflare-ai-gateway"), None, {"authorization": "Bearer upstream"})
        assert mine.headers == {
            "cf-aig-authorization": "Bearer k",
            "authorization": "Bearer upstream",
            "x-api-key": None,
        }


async def test_workers_ai_is_a_plain_key(tmp_path: Path) -> None:
    """With its account for the address."""
    async with room(tmp_path, {"CLOUDFLARE_API_KEY": "k", **IDS}) as here:
        found = await here.credential(model("cloudflare-workers-ai"))
    assert (found.api_key, found.env["CLOUDFLARE_ACCOUNT_ID"]) == ("k", "acc")


async def test_a_stored_login_is_used_while_it_lasts(tmp_path: Path) -> None:
    """No file is read, nobody is asked."""
    async with room(tmp_path) as here:
        found = await here.credential(model("anthropic", "anthropic-messages"), oauth("sk-ant-oat-x"))
    assert found == Credential(api_key="sk-ant-oat-x", bearer=True, oauth=True)


async def test_a_stored_login_is_renewed_and_so_is_the_header_made_of_it(tmp_path: Path) -> None:
    """``authHeader`` was written with the old token; other headers stay."""
    old = oauth("old", left=0)
    await trio.Path(tmp_path / "auth.json").write_bytes(dump({"xai": old}))
    async with room(tmp_path, {}, ok({"access_token": "new"})) as here:
        found = await here.credential(model("xai"), old, {"authorization": "Bearer old", "X": "old"})
    assert (found.api_key, found.headers) == ("new", {"authorization": "Bearer new", "X": "old"})


async def test_a_radius_gateway_of_the_user_s_renews_at_its_own_address(tmp_path: Path) -> None:
    """Its refresh token is not for Radius's own gateway, nor for wherever its models are."""
    old = oauth("old", left=0)
    config = {"providers": {"corp": {"baseUrl": "https://gw.example/v1", "oauth": "radius"}}}
    await trio.Path(tmp_path / "auth.json").write_bytes(dump({"corp": old}))
    await trio.Path(tmp_path / "models.json").write_bytes(dump(config))
    registry = Registry(AgentDirectory(tmp_path), {}, apis=["pi-messages"])
    async with room(tmp_path, {}, ok({"access_token": "new", "refresh_token": "r2", "expires_in": 600})) as here:
        elsewhere = model("corp", "pi-messages", "https://models.example/v1")
        found = await here.keyring.credential(elsewhere, registry.view().login("corp"), {})
    assert found.api_key == "new"
    assert here.http.asked[0].url == "https://gw.example/v1/oauth/token"


async def test_a_login_that_cannot_be_renewed_says_so(tmp_path: Path) -> None:
    """Never "no key found"."""
    async with room(tmp_path) as here:
        with pytest.raises(CredentialError, match="/login xai"):
            await here.credential(model("xai"), oauth(left=-1))


async def test_copilot_s_token_dictates_the_address(tmp_path: Path) -> None:
    """And is a bearer token whatever the API."""
    token = "tid=x;proxy-ep=proxy.business.githubcopilot.com"
    async with room(tmp_path) as here:
        found = await here.credential(model("github-copilot", "anthropic-messages"), oauth(token))
    assert (found.api_key, found.bearer) == (token, True)
    assert found.base_url == "https://api.business.githubcopilot.com"


async def test_copilot_s_variable_is_used_as_it_is(tmp_path: Path) -> None:
    """No exchange, no address."""
    async with room(tmp_path, {"COPILOT_GITHUB_TOKEN": "t"}) as here:
        found = await here.credential(model("github-copilot", "anthropic-messages"))
    assert found == Credential(api_key="t", bearer=True)


@pytest.mark.parametrize("stored", [oauth(jwt("other"), accountId="acct"), oauth(jwt())])
async def test_codex_names_its_account(tmp_path: Path, stored: dict[str, Any]) -> None:
    """From the entry, else from the token; no configured header takes the place of the two that belong together."""
    configured = {"authorization": "mine", "Chatgpt-Account-Id": "mine", "X": "x"}
    async with room(tmp_path) as here:
        found = await here.credential(model("openai-codex", "openai-codex-responses"), stored, configured)
    assert found.headers == {"Authorization": f"Bearer {stored['access']}", "chatgpt-account-id": "acct", "X": "x"}


async def test_a_codex_login_without_an_account_is_said(tmp_path: Path) -> None:
    """With what to do."""
    async with room(tmp_path) as here:
        with pytest.raises(CredentialError, match="pi auth login openai-codex"):
            await here.credential(model("openai-codex"), oauth("junk"))


async def test_kimi_s_login_is_a_header_and_no_key(tmp_path: Path) -> None:
    """As in pi."""
    async with room(tmp_path) as here:
        found = await here.credential(model("kimi-coding"), oauth("a"))
    assert found == Credential(headers={"Authorization": "Bearer a"}, oauth=True)


@pytest.mark.parametrize("provider", ["xai", "meta", "radius", "openrouter", "openai"])
async def test_other_logins_are_simply_keys(tmp_path: Path, provider: str) -> None:
    """They go where the API wants its key."""
    async with room(tmp_path) as here:
        assert await here.credential(model(provider), oauth("a")) == Credential(api_key="a", oauth=True)


async def test_a_key_of_the_client_takes_the_place_of_any_login(tmp_path: Path) -> None:
    """Configured headers stay; a refusal will be the client's."""
    async with room(tmp_path, {"GROQ_API_KEY": "k"}) as here:
        found = await here.credential(model("groq"), None, {"X": "x"}, override="mine")
        assert found == Credential(api_key="mine", headers={"X": "x"}, from_client=True)
        over = await here.credential(model("anthropic"), oauth(left=-1), override="mine")
        assert over == Credential(api_key="mine", from_client=True)
        assert (await here.credential(model("groq"), override=" ")).api_key == "k"


@pytest.mark.parametrize(
    ("provider", "api", "sent"),
    [
        ("groq", "openai-completions", {}),
        ("cloudflare-ai-gateway", "openai-completions", {"cf-aig-authorization": "Bearer k"}),
        ("amazon-bedrock", "bedrock-converse-stream", {}),
    ],
)
async def test_white_space_around_keys_and_headers_is_not_sent(
    provider: str, api: str, sent: dict[str, str], tmp_path: Path
) -> None:
    """pi's ``fetch`` takes it away, so such a key works there: one from a file with line ends, of DOS above all."""
    async with room(tmp_path, IDS) as here:
        stored = {"type": "api_key", "key": " k\r\n"}
        found = await here.credential(model(provider, api), stored, {"X-Team": "t\n", "X-None": None})
    assert found.api_key == (None if sent else "k")
    headers = {name: text for name, text in found.headers.items() if text is not None}
    assert headers == {"X-Team": "t", **sent}


@pytest.mark.parametrize(
    ("key", "configured", "words"),
    [
        ("one\ntwo", {}, r"key for provider 'groq' \(auth.json\) cannot be sent: it has several lines"),
        ("k\0", {}, "cannot be sent: it has a control character"),
        ("schlüssel", {}, "cannot be sent: it has a character that is not ASCII"),
        ("k", {"X-Team": "a\nb"}, "header 'X-Team' for provider 'groq' cannot be sent: it has several lines"),
        ("k", {"X Team": "a"}, "header 'X Team' for provider 'groq' cannot be sent: no header can have that name"),
    ],
)
async def test_what_cannot_be_sent_is_said_before_anybody_is_asked(
    key: str, configured: dict[str, str], words: str, tmp_path: Path
) -> None:
    """With its place and without its text; trying again would not help."""
    async with room(tmp_path) as here:
        with pytest.raises(CredentialError, match=words) as caught:
            await here.credential(model("groq"), {"type": "api_key", "key": key}, configured)
    assert "two" not in caught.value.message
    assert not caught.value.passing


async def test_a_key_of_the_client_that_cannot_be_sent_is_the_client_s_mistake(tmp_path: Path) -> None:
    """A 400 with the header's name."""
    async with room(tmp_path) as here:
        with pytest.raises(InvalidRequest, match="not ASCII") as caught:
            await here.credential(model("groq"), override="schlüssel")
    assert caught.value.param == "X-Pi-Upstream-Api-Key"


async def test_a_key_of_the_client_for_codex_must_be_a_chatgpt_token(tmp_path: Path) -> None:
    """Anything else is the client's mistake, and named."""
    async with room(tmp_path) as here:
        found = await here.credential(model("openai-codex"), override=jwt())
        assert found.headers["chatgpt-account-id"] == "acct"
        with pytest.raises(InvalidRequest) as caught:
            await here.credential(model("openai-codex"), override="sk-x")
        assert caught.value.param == "X-Pi-Upstream-Api-Key"


async def test_a_key_of_models_json_for_codex_must_be_a_chatgpt_token(tmp_path: Path) -> None:
    """pi takes it as it is and reads the account out of it; what has none is the owner's mistake."""
    async with room(tmp_path) as here:
        login = resolve("openai-codex", None, jwt(), {})
        found = await here.keyring.credential(model("openai-codex"), login, {})
        assert found.headers == {"Authorization": f"Bearer {jwt()}", "chatgpt-account-id": "acct"}
        with pytest.raises(CredentialError, match=r"openai-codex in models\.json is not a ChatGPT access token"):
            await here.keyring.credential(model("openai-codex"), resolve("openai-codex", None, "sk-x", {}), {})


async def test_vertex_s_own_credentials_are_a_bearer_token_and_a_place(tmp_path: Path) -> None:
    """With the quota project as a header."""
    file = trio.Path(tmp_path / "adc.json")
    account = {"type": "authorized_user", "client_id": "i", "client_secret": "s", "refresh_token": "r"}
    await file.write_text(json.dumps({**account, "quota_project_id": "q"}))
    environ = {
        "GOOGLE_APPLICATION_CREDENTIALS": str(file),
        "GCLOUD_PROJECT": "p",
        "GOOGLE_CLOUD_LOCATION": "l",
    }
    async with room(tmp_path, environ, ok({"access_token": "t", "expires_in": 3600})) as here:
        for _ in range(2):
            found = await here.credential(model("google-vertex", "google-vertex"))
    assert (found.api_key, found.bearer, found.headers) == ("t", True, {"x-goog-user-project": "q"})
    assert found.env == {"GCLOUD_PROJECT": "p", "GOOGLE_CLOUD_PROJECT": "p", "GOOGLE_CLOUD_LOCATION": "l"}


async def test_vertex_s_key_is_a_key(tmp_path: Path) -> None:
    """Express mode."""
    async with room(tmp_path, {"GOOGLE_CLOUD_API_KEY": "k"}) as here:
        assert await here.credential(model("google-vertex", "google-vertex")) == Credential(api_key="k")


PAIR = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "s"}


@pytest.fixture
def aws_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    (tmp_path / "config").write_text("[profile work]\nregion = eu-west-1\n")
    (tmp_path / "credentials").write_text("[work]\naws_access_key_id = AK\naws_secret_access_key = SK\n")


@pytest.mark.parametrize(
    ("environ", "stored", "aws", "key", "env"),
    [
        ({"AWS_BEARER_TOKEN_BEDROCK": "b", **PAIR}, None, None, "b", {}),
        ({**PAIR, "AWS_SESSION_TOKEN": "t"}, None, AwsKeys("a", "s", "t"), None, {}),
        ({**PAIR, "AWS_REGION": "r"}, None, AwsKeys("a", "s"), None, {"AWS_REGION": "r"}),
        ({"AWS_PROFILE": "work"}, None, AwsKeys("AK", "SK"), None, {"AWS_PROFILE": "work", "AWS_REGION": "eu-west-1"}),
        (
            {"AWS_PROFILE": "work", "AWS_DEFAULT_REGION": "d"},
            None,
            AwsKeys("AK", "SK"),
            None,
            {"AWS_PROFILE": "work", "AWS_DEFAULT_REGION": "d"},
        ),
        (PAIR, {"AWS_PROFILE": "work"}, AwsKeys("AK", "SK"), None, {"AWS_PROFILE": "work"}),
        (
            {"AWS_BEARER_TOKEN_BEDROCK": "b", "AWS_BEDROCK_SKIP_AUTH": "1"},
            None,
            AwsKeys("dummy-access-key", "dummy-secret-key"),
            None,
            {"AWS_BEDROCK_SKIP_AUTH": "1"},
        ),
    ],
)
@pytest.mark.usefixtures("aws_files")
async def test_bedrock(
    *,
    tmp_path: Path,
    environ: dict[str, str],
    stored: dict[str, str] | None,
    aws: AwsKeys | None,
    key: str | None,
    env: dict[str, str],
) -> None:
    """Bearer, key pair, ambient profile with its region, a profile of the entry, and no authentication at all."""
    entry = None if stored is None else {"type": "api_key", "env": stored}
    async with room(tmp_path, environ) as here:
        found = await here.credential(model("amazon-bedrock", "bedrock-converse-stream"), entry)
    assert (found.aws, found.api_key, found.env) == (aws, key, env)


async def test_rooms_see_addresses_and_never_secrets(tmp_path: Path) -> None:
    """Variables of the entry first, then of the process; only those on the list."""
    environ = {"AZURE_OPENAI_BASE_URL": "https://env", "AZURE_OPENAI_API_KEY": "s3cret", "AWS_SECRET_ACCESS_KEY": "x"}
    stored = {"type": "api_key", "key": "k", "env": {"AZURE_OPENAI_BASE_URL": "https://own", "OTHER": "s3cret"}}
    async with room(tmp_path, environ) as here:
        assert (await here.credential(model("azure"), stored)).env == {"AZURE_OPENAI_BASE_URL": "https://own"}
        assert (await here.credential(model("azure"))).env == {"AZURE_OPENAI_BASE_URL": "https://env"}


async def test_variables_come_without_white_space_around(tmp_path: Path) -> None:
    """A file of variables with DOS's line ends gives each value a carriage return."""
    environ = {"AZURE_OPENAI_API_KEY": "k\r", "AZURE_OPENAI_API_VERSION": "v1\r"}
    async with room(tmp_path, environ) as here:
        stored = {"type": "api_key", "key": "k", "env": {"AZURE_OPENAI_BASE_URL": "https://h \n"}}
        found = await here.credential(model("azure"), stored)
    assert dict(found.env) == {"AZURE_OPENAI_API_VERSION": "v1", "AZURE_OPENAI_BASE_URL": "https://h"}


async def test_llama_cpp_s_address_comes_from_its_variable(tmp_path: Path) -> None:
    """It beats the model's own."""
    async with room(tmp_path, {"LLAMA_BASE_URL": "http://h:8080/"}) as here:
        found = await here.credential(model("llama.cpp"))
    assert (found.api_key, found.base_url) == ("local", "http://h:8080/v1")


def refusal(status: int = 401, words: str = "no") -> ProviderError:
    return ProviderError(words, upstream_status=status, code="upstream_auth_error")


async def test_a_refused_token_of_google_s_is_fetched_anew(tmp_path: Path) -> None:
    """The user has logged in again, or the old one was revoked."""
    file = trio.Path(tmp_path / "adc.json")
    account = {"type": "authorized_user", "client_id": "i", "client_secret": "s", "refresh_token": "r"}
    await file.write_text(json.dumps(account))
    place = {"GOOGLE_CLOUD_PROJECT": "p", "GOOGLE_CLOUD_LOCATION": "l"}
    environ = {"GOOGLE_APPLICATION_CREDENTIALS": str(file), **place}
    steps = [ok({"access_token": token, "expires_in": 3600}) for token in ("t1", "t2")]
    async with room(tmp_path, environ, *steps) as here:
        vertex = model("google-vertex", "google-vertex")
        first = await here.credential(vertex)
        here.now += 60
        here.keyring.refused(vertex, resolve("google-vertex", None, None, environ), first, refusal())
        assert (first.api_key, (await here.credential(vertex)).api_key) == ("t1", "t2")


async def test_a_refused_token_of_a_workload_is_exchanged_anew(tmp_path: Path) -> None:
    """At the address of the model that was asked."""
    environ = federated(tmp_path)
    steps = [ok({"access_token": token, "expires_in": 3600}) for token in ("t1", "t2")]
    async with room(tmp_path, environ, *steps) as here:
        claude = model("anthropic", "anthropic-messages", "https://api.anthropic.com")
        first = await here.credential(claude)
        here.now += 60
        here.keyring.refused(claude, resolve("anthropic", None, None, environ), first, refusal())
        assert (await here.credential(claude)).headers == {"Authorization": "Bearer t2"}


@pytest.mark.usefixtures("aws_files")
async def test_refused_keys_of_a_profile_are_looked_up_anew(tmp_path: Path) -> None:
    """Whoever rotates them rewrites the file; AWS says 403 to the old ones."""
    environ = {"AWS_PROFILE": "work"}
    async with room(tmp_path, environ) as here:
        bedrock = model("amazon-bedrock", "bedrock-converse-stream")
        first = await here.credential(bedrock)
        await trio.Path(tmp_path / "credentials").write_text(
            "[work]\naws_access_key_id = AK2\naws_secret_access_key = SK2\n"
        )
        here.now += 60
        here.keyring.refused(bedrock, resolve("amazon-bedrock", None, None, environ), first, refusal(403))
        assert (first.aws, (await here.credential(bedrock)).aws) == (AwsKeys("AK", "SK"), AwsKeys("AK2", "SK2"))


@pytest.mark.parametrize(
    ("status", "words", "renewed"),
    [
        (401, "no", True),
        (403, "OAuth token has been revoked. Please obtain a new token.", True),
        (403, "The OAuth2 access token could not be validated.", True),
        (403, "Invalid session", True),
        (403, "Your credit balance does not cover these tokens.", False),
        (403, "You have no access to this model.", False),
    ],
)
async def test_a_refused_login_is_renewed(*, tmp_path: Path, status: int, words: str, renewed: bool) -> None:
    """Copilot's short token is bought anew for the lasting one, if the refusal is about the token."""
    old = oauth("tid=old")
    await trio.Path(tmp_path / "auth.json").write_bytes(dump({"github-copilot": old}))
    steps = [ok({"token": "tid=new", "expires_at": NOW + 1800}), ok({"data": []})]
    async with room(tmp_path, {}, *steps) as here:
        copilot = model("github-copilot")
        first = await here.credential(copilot, old)
        entry = read_entry(old)
        here.keyring.refused(copilot, resolve("github-copilot", entry, None, {}), first, refusal(status, words))
        assert (await here.credential(copilot, old)).api_key == ("tid=new" if renewed else "tid=old")
