from __future__ import annotations

import pytest

from piproxy.credential import AwsKeys, Credential
from piproxy.redact import conceal, redact

KEY = "sk-proj-Ab3dEfGh1jKlMn0pQrStUv"
TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJl"
RANDOM = "Zk3J9qLw0pXv7RtB2nMdC5yH"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"Incorrect API key provided: {KEY}. You can", "Incorrect API key provided: ***. You can"),
        ("key sk-ant-api03-abcDEF123456_-x was refused", "key *** was refused"),
        ("provided: sk-proj-****************abcd.", "provided: ***."),
        ("sk-or-v1-0123456789abcdef0123456789abcdef", "***"),
        ("key AIzaSyA1234567890abcdefghijkl not valid", "key *** not valid"),
        ("gsk_abcdefgh1234ijkl5678 and hf_AbCdEfGhIjKlMnOpQrStUvWx", "*** and ***"),
        ("token ghu_16C7e42F292c6912E7710c838347Ae178B4a expired", "token *** expired"),
        ("Credential=AKIAIOSFODNN7EXAMPLE/20260101/us-east-1", "Credential=***/20260101/us-east-1"),
        (f"Authorization: Bearer {TOKEN}", "Authorization: Bearer ***"),
        (f"the JWT {TOKEN} is malformed", "the JWT *** is malformed"),
        (f"got Bearer {RANDOM}, want another", "got Bearer ***, want another"),
        ("Basic dXNlcjpwYXNzd29yZA==", "Basic ***"),
        (f"x-api-key: {RANDOM}", "x-api-key: ***"),
        (f'{{"x-api-key": "{RANDOM}"}}', '{"x-api-key": "***"}'),
        (f'{{\\"api_key\\": \\"{RANDOM}\\"}}', '{\\"api_key\\": \\"***\\"}'),
        ("apiKey=ab12cd34ef&model=x", "apiKey=***&model=x"),
        ("refresh_token=1//0gAbCdEf-123456", "refresh_token=***"),
        ("aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "aws_secret_access_key = ***"),
        ("https://host/v1beta/models/x?key=abcdef&alt=sse", "https://host/v1beta/models/x?key=***&alt=sse"),
        ("https://h/?a=1&X-Amz-Signature=deadbeef", "https://h/?a=1&X-Amz-Signature=***"),
        ("https://user:hunter22@host/path", "https://***@host/path"),
        (f"The API key {RANDOM} is disabled", "The API key *** is disabled"),
        (f"invalid token (got {RANDOM}).", "invalid token (got ***)."),
        ("tid=abcdef0123456789;exp=1790000000;sku=pro;8kp=1", "***"),
    ],
)
def test_secret_is_masked(text: str, expected: str) -> None:
    """A secret is replaced wherever it stands, and nothing around it."""
    assert redact(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Invalid API Key",
        "invalid x-api-key",
        "API key not valid. Please pass a valid API key.",
        "Bearer authentication required",
        "Missing bearer authorization header",
        "Basic understanding is enough",
        "x-api-key: required",
        "max_tokens: 128000 is too large",
        "This model's maximum context length is 200000 tokens, however you requested 250001 tokens.",
        "exceeded max context length by 5 tokens (ref: 96164522-08b2-4cbf-886e-e5a38961a688)",
        "unknown key: response_format.json_schema.additional_properties",
        "Unknown parameter: 'messages[0].tool_calls[0].function.arguments'.",
        "The secret of claude-sonnet-4-20250514 is that it has no secrets.",
        "the key idea behind scikit-learn and sk-learn-tutorial",
        "use hf_hub_download from huggingface",
        "Token limit exceeded: 8192 > 4096",
        "token: expected string, got number",
        "Item 'rs_68c42de022c881948db7ed1cc2529f2e0202c9ad459e0d23' of type 'reasoning' was provided",
        "https://platform.openai.com/account/api-keys",
        "Ünïcode — 鍵 und Schlüssel",
    ],
)
def test_prose_is_kept(text: str) -> None:
    """What only talks about keys stays as it is."""
    assert redact(text) == text


def test_masking_twice_changes_nothing() -> None:
    """A masked text is stable."""
    once = redact(f"Bearer {TOKEN}; x-api-key: {RANDOM}; ?key=abcdef; {KEY}")
    assert "***" in once
    assert redact(once) == once


def test_long_text_takes_no_time() -> None:
    """No pattern goes wild on long text that nearly matches."""
    for text in ("key " * 20_000, "a" * 100_000, "token=" * 20_000, "sk-" * 30_000, "eyJ" + "a" * 50_000, "-" * 60_000):
        assert len(redact(text)) <= len(text)


def test_known_secrets_are_concealed_whatever_they_look_like() -> None:
    """A provider that repeats a key may repeat one of no known shape; words stay."""
    assert conceal("bad key: hunter2-and-more!", ["hunter2-and-more", "key"]) == "bad key: ***!"


def test_a_credential_knows_its_secrets() -> None:
    """Keys, AWS's keys and what stands in headers for them, with and without the scheme."""
    credential = Credential(
        api_key="the-key",
        headers={"Authorization": "Bearer other", "x-api-key": "third", "X-Title": "My App", "cookie": None},
        aws=AwsKeys("AKIA", "secret", "session"),
    )
    assert set(credential.secrets) == {
        "the-key",
        "Bearer other",
        "other",
        "third",
        "AKIA",
        "secret",
        "session",
    }
    assert Credential().secrets == ()
