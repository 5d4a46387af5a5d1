from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.auth import SigV4Auth  # type: ignore[import-untyped]
from botocore.awsrequest import AWSRequest  # type: ignore[import-untyped]
from botocore.credentials import Credentials  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from piproxy.credential import AwsKeys
from piproxy.upstream.sigv4 import signature

NOW = datetime(2026, 11, 22, 12, 34, 56, tzinfo=UTC)
HOST = "https://bedrock-runtime.eu-west-1.amazonaws.com"
JSON = {"Content-Type": "application/json"}


def by_botocore(url: str, headers: dict[str, str], body: bytes, keys: AwsKeys, region: str) -> dict[str, str]:
    request: Any = AWSRequest("POST", url, data=body, headers=dict(headers))
    signer = SigV4Auth(Credentials(keys.access_key, keys.secret_key, keys.session_token), "bedrock", region)
    request.context["timestamp"] = NOW.strftime("%Y%m%dT%H%M%SZ")
    signer._modify_request_before_signing(request)
    canonical = signer.canonical_request(request)
    proof = signer.signature(signer.string_to_sign(request, canonical), request)
    signer._inject_signature_to_request(request, proof)
    return dict(request.headers.items())


URLS = [
    f"{HOST}/model/anthropic.claude-sonnet-4-20250514-v1%3A0/converse-stream",
    f"{HOST}/model/arn%3Aaws%3Abedrock%3Aeu-west-1%3A1%3Ainference-profile%2Feu.x/converse-stream",
    f"{HOST}/",
    HOST,
    "https://proxy.example:8443/a%20b/converse-stream?x=1&a=%2F&b",
    "http://127.0.0.1:80/model/m/converse-stream?b=2&a=1",
    "https://HOST.example:443/~tilde/m",
]


@pytest.mark.parametrize("token", [None, "session"])
@pytest.mark.parametrize("url", URLS)
def test_the_signature_is_botocores(url: str, token: str | None) -> None:
    """Encoded ids, ports, queries, temporary keys."""
    keys = AwsKeys("AKID", "secret", token)
    ours = signature("POST", url, JSON, b'{"a": 1}', keys, region="eu-west-1", now=NOW)
    theirs = by_botocore(url, JSON, b'{"a": 1}', keys, "eu-west-1")
    assert ours["Authorization"] == theirs["Authorization"]
    assert ours == {name: theirs[name] for name in ours}


SEGMENT = st.text("abcXYZ019-._~", min_size=1, max_size=8).filter(lambda text: text.strip("."))


@given(
    st.lists(st.builds(lambda a, b: f"{a}%3A{b}", SEGMENT, SEGMENT), min_size=1, max_size=3),
    st.binary(max_size=20),
    st.sampled_from([JSON, {}, {"content-type": "text/plain;  charset=utf-8 "}]),
)
def test_any_path_and_body_are_signed_as_botocore_does(
    segments: list[str], body: bytes, headers: dict[str, str]
) -> None:
    """The encoded path is encoded once more."""
    url = f"{HOST}/{'/'.join(segments)}"
    keys = AwsKeys("AKID", "secret")
    ours = signature("POST", url, headers, body, keys, region="us-east-1", now=NOW)
    assert ours["Authorization"] == by_botocore(url, headers, body, keys, "us-east-1")["Authorization"]


def test_other_headers_are_not_signed() -> None:
    """A proxy in between may change them."""
    keys = AwsKeys("AKID", "secret")
    ours = signature("POST", URLS[0], {**JSON, "User-Agent": "x"}, b"", keys, region="r", now=NOW)
    assert "SignedHeaders=content-type;host;x-amz-date, " in ours["Authorization"]
