from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from fakes.fetcher import ScriptedFetcher, Step, answer, ok

from piproxy.errors import CredentialError, UpstreamUnreachable
from piproxy.upstream.google import _loader, fetch

USER = {"type": "authorized_user", "client_id": "i", "client_secret": "s3cret", "refresh_token": "r"}
TOKEN = {"access_token": "t", "expires_in": 3599}
KEY = rsa.generate_private_key(65537, 2048)
PEM = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()
SERVICE = {
    "type": "service_account",
    "client_email": "me@x",
    "private_key": PEM,
    "private_key_id": "k1",
    "token_uri": "https://oauth2.example/token",
}


def written(tmp_path: Path, account: object) -> str:
    path = tmp_path / "adc.json"
    path.write_text(account if isinstance(account, str) else json.dumps(account))
    return str(path)


def decoded(part: str) -> Any:
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


async def test_a_user_s_credentials_are_refreshed(tmp_path: Path) -> None:
    """With the fields in the order of Google's libraries; the quota project goes along with every use."""
    http = ScriptedFetcher([ok(TOKEN)])
    token = await fetch(http, written(tmp_path, {**USER, "quota_project_id": "q"}), {}, 1000)
    (asked,) = http.asked
    assert (asked.method, asked.url) == ("POST", "https://oauth2.googleapis.com/token")
    assert asked.form == [
        ("grant_type", "refresh_token"),
        ("client_id", "i"),
        ("client_secret", "s3cret"),
        ("refresh_token", "r"),
    ]
    assert (token.value, token.expires, token.headers) == ("t", 4599, {"x-goog-user-project": "q"})


async def test_a_service_account_signs_for_itself(tmp_path: Path) -> None:
    """An RS256 token of an hour for the file's own token address, verified here with the public key."""
    http = ScriptedFetcher([ok(TOKEN)])
    token = await fetch(http, written(tmp_path, SERVICE), {}, 1000.9)
    (asked,) = http.asked
    form = dict(asked.form)
    assert (asked.url, form["grant_type"]) == (
        "https://oauth2.example/token",
        "urn:ietf:params:oauth:grant-type:jwt-bearer",
    )
    header, claims, signature = form["assertion"].split(".")
    assert decoded(header) == {"alg": "RS256", "typ": "JWT", "kid": "k1"}
    assert decoded(claims) == {
        "iss": "me@x",
        "scope": "https://www.googleapis.com/auth/cloud-platform",
        "aud": "https://oauth2.example/token",
        "iat": 1000,
        "exp": 4600,
    }
    proof = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
    KEY.public_key().verify(proof, f"{header}.{claims}".encode(), padding.PKCS1v15(), hashes.SHA256())
    assert token.headers == {}


@pytest.mark.parametrize(("environ", "host"), [({}, "metadata.google.internal"), ({"GCE_METADATA_HOST": "h:1"}, "h:1")])
async def test_the_metadata_server_is_asked(environ: dict[str, str], host: str) -> None:
    """When there is no file."""
    http = ScriptedFetcher([ok(TOKEN)])
    assert (await fetch(http, None, environ, 0)).value == "t"
    assert http.asked[0].url == f"http://{host}/computeMetadata/v1/instance/service-accounts/default/token"
    assert http.asked[0].headers == {"Metadata-Flavor": "Google"}


async def test_other_types_are_google_auths_and_go_through_our_network(tmp_path: Path) -> None:
    """An external account: its identity is read from a file, exchanged at the address it names."""
    subject = tmp_path / "subject"
    subject.write_text("identity")
    account = {
        "type": "external_account",
        "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/x",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": "https://sts.googleapis.com/v1/token",
        "credential_source": {"file": str(subject)},
    }
    reply = {
        "access_token": "t",
        "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "token_type": "Bearer",
        "expires_in": 3600,
    }
    http = ScriptedFetcher([ok(reply)])
    token = await fetch(http, written(tmp_path, account), {}, 0)
    (asked,) = http.asked
    assert (asked.method, asked.url) == ("POST", "https://sts.googleapis.com/v1/token")
    assert dict(asked.form)["subject_token"] == "identity"
    assert token.value == "t"
    for status, passing in ((400, False), (503, True)):
        with pytest.raises(CredentialError, match="google-auth failed") as caught:
            await fetch(ScriptedFetcher([answer(status, {"error": "no"})]), written(tmp_path, account), {}, 0)
        assert caught.value.passing == passing


@pytest.mark.parametrize(
    ("kind", "account", "module"),
    [
        ("external_account_authorized_user", {}, "external_account_authorized_user"),
        ("impersonated_service_account", {}, "impersonated_credentials"),
        ("external_account", {"credential_source": {"executable": {}}}, "pluggable"),
        ("external_account", {"subject_token_type": "urn:ietf:params:aws:token-type:aws4_request"}, "aws"),
        ("external_account", {}, "identity_pool"),
    ],
)
def test_each_type_has_google_auths_own_loader(kind: str, account: dict[str, Any], module: str) -> None:
    """The choice is Google's library's."""
    assert _loader(account, kind).__self__.__module__ == f"google.auth.{module}"


@pytest.mark.parametrize(
    ("account", "steps", "words", "passing"),
    [
        ("{", [], "not JSON", False),
        ({**SERVICE, "private_key": "junk"}, [], "a broken key", False),
        ({"client_id": "i"}, [], "no type", False),
        ({"type": "magic"}, [], "credentials of type magic are not known", False),
        ({**USER, "refresh_token": ""}, [], "no refresh_token", False),
        (USER, [answer(400, {"error": "invalid_grant", "error_description": "s3cret"})], "400, invalid_grant", False),
        (USER, [answer(503, {})], r"HTTP 503\. If that lasts, log in again: `gcloud", True),
        (USER, [ok({"access_token": "t"})], "no expires_in", False),
        (USER, [UpstreamUnreachable("refused.")], r"refused\. If that lasts", True),
    ],
)
async def test_what_goes_wrong_is_said_without_secrets(
    *, tmp_path: Path, account: object, steps: list[Step], words: str, passing: bool
) -> None:
    """The file is named, its content is not; clients may try again only when that can help."""
    with pytest.raises(CredentialError, match=words) as caught:
        await fetch(ScriptedFetcher(steps), written(tmp_path, account), {}, 0)
    assert "s3cret" not in caught.value.message
    assert caught.value.passing == passing


async def test_a_metadata_server_has_no_login_to_repeat() -> None:
    """A Google machine has no gcloud to log in with."""
    with pytest.raises(CredentialError, match=r"for the metadata server: HTTP 500\.$") as caught:
        await fetch(ScriptedFetcher([answer(500, {})]), None, {}, 0)
    assert caught.value.passing


async def test_a_file_that_is_gone_is_said(tmp_path: Path) -> None:
    """With the operating system's reason."""
    with pytest.raises(CredentialError, match="Cannot read Google's credentials"):
        await fetch(ScriptedFetcher(), str(tmp_path / "gone"), {}, 0)


@pytest.mark.parametrize(
    ("module", "account"),
    [
        ("cryptography.hazmat.primitives.serialization", SERVICE),
        ("google.auth.exceptions", {"type": "external_account"}),
    ],
)
async def test_a_missing_extra_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, account: object
) -> None:
    """Google's libraries are optional."""
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(CredentialError, match=r"piproxy\[vertex\]"):
        await fetch(ScriptedFetcher(), written(tmp_path, account), {}, 0)
