from __future__ import annotations

import base64
import json

import pytest

from piproxy.upstream.oauth.parts import Refused, error_code, expiry, jwt_claims, number, read_reply, text, text_or


def jwt(payload: bytes) -> str:
    return f"h.{base64.urlsafe_b64encode(payload).rstrip(b'=').decode()}.s"


@pytest.mark.parametrize(
    ("status", "body", "reason", "final"),
    [
        (400, b'{"error": "invalid_grant", "error_description": "secret"}', "HTTP 400, invalid_grant", True),
        (400, b'{"error": {"type": "invalid_request_error", "message": "secret"}}', None, False),
        (401, b"<html>secret</html>", "HTTP 401", False),
        (403, b"", "HTTP 403", False),
        (429, b'{"error": "slow_down"}', "HTTP 429, slow_down", False),
        (500, b'{"error": "has spaces and secret words"}', "HTTP 500", False),
        (503, b'{"error": "invalid_grant"}', "HTTP 503, invalid_grant", True),
        (200, b"[]", "the reply is not a JSON object", False),
        (200, b"<html>", "the reply is not a JSON object", False),
        (302, b"{}", "HTTP 302", False),
    ],
)
def test_a_bad_answer_gives_its_code_and_nothing_of_its_prose(
    status: int, body: bytes, reason: str | None, final: bool
) -> None:
    """And tells whether another attempt could help."""
    with pytest.raises(Refused) as caught:
        read_reply(status, body)
    assert reason is None or caught.value.reason == reason
    assert caught.value.final == final
    assert "secret" not in caught.value.reason


def test_a_good_answer_is_its_json() -> None:
    """Any 2xx."""
    assert read_reply(201, b'{"a": 1}') == {"a": 1}


def test_members_are_read_with_care() -> None:
    """A missing one is named."""
    reply = {"a": "x", "n": 5, "empty": "", "flag": True, "vast": 10**400, "nan": float("nan")}
    assert (text(reply, "a"), number(reply, "n"), text_or(reply, "no", "d")) == ("x", 5.0, "d")
    assert text_or(reply, "empty", "d") == "d"
    for read, name in [
        (text, "empty"),
        (text, "n"),
        (number, "a"),
        (number, "flag"),
        (number, "nan"),
        (number, "vast"),
        (text, "no"),
    ]:
        with pytest.raises(Refused, match=name):
            read(reply, name)


def test_an_expiry_is_a_whole_number_of_milliseconds() -> None:
    """JavaScript writes no decimal point."""
    assert expiry(1_000, 3600.5, 300_000) == 3_301_500
    assert isinstance(expiry(1_000, 0.1), int)


@pytest.mark.parametrize("payload", [{"a": "????>>>>"}, {"a": "ÿÿÿÿ"}, {"a": ""}, {"a": "x"}, {"a": "xy"}])
def test_a_token_is_decoded_with_the_url_safe_alphabet(payload: dict[str, str]) -> None:
    """Also where plain base64 would break, and at every length."""
    assert jwt_claims(jwt(json.dumps(payload, ensure_ascii=False).encode())) == payload


@pytest.mark.parametrize("token", ["", "a.b", "h.!!!.s", "h.eA.s", "sk-x"])
def test_what_is_no_token_has_no_claims(token: str) -> None:
    """No error, just nothing."""
    assert jwt_claims(token) is None


def test_an_error_code_must_look_like_one() -> None:
    """Prose may hold anything."""
    assert error_code({"error": {"code": "x_y"}}) == "x_y"
    assert error_code({"error": "a b"}) == ""
    assert error_code(None) == ""
