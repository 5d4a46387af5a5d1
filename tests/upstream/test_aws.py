from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

from piproxy.credential import AwsKeys
from piproxy.errors import CredentialError
from piproxy.upstream.aws import AwsChain, ambient

exceptions: Any = importlib.import_module("botocore.exceptions")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """botocore reads the process's own environment: an empty one that knows only this directory."""
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    (tmp_path / "config").write_text("[profile work]\nregion = eu-west-1\n[profile bare]\n")
    (tmp_path / "credentials").write_text(
        "[work]\naws_access_key_id = AK\naws_secret_access_key = SK\naws_session_token = ST\n"
    )
    return tmp_path


async def test_a_profile_has_keys_and_a_region(home: Path) -> None:
    """From the files that AWS's own tools read."""
    chain = AwsChain()
    assert await chain.keys("work") == AwsKeys("AK", "SK", "ST")
    assert await chain.region("work") == "eu-west-1"
    assert await chain.region("bare") is None


@pytest.mark.parametrize(
    ("profile", "words"),
    [
        ("bare", "no keys in the AWS profile 'bare'"),
        ("gone", "No keys from the AWS profile 'gone' .ProfileNotFound."),
        (None, "no keys in the AWS credential chain"),
    ],
)
async def test_a_profile_without_keys_is_said(home: Path, profile: str | None, words: str) -> None:
    """With its name."""
    with pytest.raises(CredentialError, match=words):
        await AwsChain().keys(profile)
    if profile == "gone":
        assert await AwsChain().region(profile) is None


async def test_a_process_that_prints_keys_counts(home: Path) -> None:
    """The chain is botocore's: credential_process, SSO, containers, web identity."""
    keys = '{"Version": 1, "AccessKeyId": "AK", "SecretAccessKey": "SK"}'
    (home / "config").write_text(f"[profile tool]\ncredential_process = printf '{keys}'\n")
    assert await AwsChain().keys("tool") == AwsKeys("AK", "SK")


async def test_refused_keys_are_looked_up_anew_but_not_at_once(home: Path) -> None:
    """Keys and region of files that were rewritten; those of the last 30 seconds were refused for another reason."""
    now = 0.0
    chain = AwsChain(lambda: now)
    assert await chain.keys("work") == AwsKeys("AK", "SK", "ST")
    (home / "credentials").write_text("[work]\naws_access_key_id = AK2\naws_secret_access_key = SK2\n")
    (home / "config").write_text("[profile work]\nregion = eu-west-2\n")
    now = 29
    chain.refused("work")
    assert (await chain.keys("work")).access_key == "AK"
    now = 30
    chain.refused("work")
    assert await chain.keys("work") == AwsKeys("AK2", "SK2")
    assert await chain.region("work") == "eu-west-2"


async def test_what_the_user_mends_is_found_without_a_restart(home: Path) -> None:
    """A profile that was missing, and one that had no keys: AWS's files are read anew after each failure."""
    chain = AwsChain()
    for profile in ("new", "bare"):
        with pytest.raises(CredentialError):
            await chain.keys(profile)
        with (home / "credentials").open("a") as file:
            file.write(f"[{profile}]\naws_access_key_id = AK{profile}\naws_secret_access_key = SK\n")
        assert (await chain.keys(profile)).access_key == f"AK{profile}"


@pytest.mark.parametrize(
    ("error", "passing"),
    [
        (exceptions.EndpointConnectionError(endpoint_url="https://portal.sso.test"), True),
        (exceptions.ConnectTimeoutError(endpoint_url="https://portal.sso.test"), True),
        (exceptions.ReadTimeoutError(endpoint_url="https://portal.sso.test"), True),
        (exceptions.ClientError({"ResponseMetadata": {"HTTPStatusCode": 503}}, "GetRoleCredentials"), True),
        (exceptions.ClientError({"ResponseMetadata": {"HTTPStatusCode": 429}}, "GetRoleCredentials"), True),
        (exceptions.ClientError({"ResponseMetadata": {"HTTPStatusCode": 403}}, "GetRoleCredentials"), False),
        (exceptions.UnauthorizedSSOTokenError(), False),
        (exceptions.TokenRetrievalError(provider="sso", error_msg="expired"), False),
    ],
)
async def test_only_a_passing_failure_may_be_tried_again(
    home: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, *, passing: bool
) -> None:
    """AWS's servers away or busy; an SSO session that is over comes back with a login only."""

    def fail(_session: object) -> None:
        raise error

    monkeypatch.setattr("botocore.session.Session.get_credentials", fail)
    with pytest.raises(CredentialError, match=type(error).__name__) as caught:
        await AwsChain().keys("work")
    assert caught.value.passing == passing


async def test_without_botocore_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra is optional; a region is then simply not known."""
    monkeypatch.setitem(sys.modules, "botocore.session", None)
    with pytest.raises(CredentialError, match=r"piproxy\[aws\]"):
        await AwsChain().keys("work")
    assert await AwsChain().region("work") is None


def test_the_environment_s_own_pair_needs_no_library() -> None:
    """The session token joins it."""
    pair = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "s"}
    assert ambient(pair) == AwsKeys("a", "s")
    assert ambient({**pair, "AWS_SESSION_TOKEN": "t"}) == AwsKeys("a", "s", "t")
