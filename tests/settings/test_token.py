"""What the file says about the token is not lost by a slip of the pen."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from piproxy.errors import ConfigError
from piproxy.jsontext import Json
from piproxy.settings import Address, load
from piproxy.settings.addresses import beyond_loopback

OPEN = {"host": "0.0.0.0"}


def written(tmp_path: Path, content: Json) -> Path:
    path = tmp_path / "proxy-config.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


UNUSABLE: list[tuple[Json, str]] = [
    ({"authToken": 12345678}, "authToken: the value is not a string; allowed is a string"),
    ({"authToken": None}, "authToken: the value is not a string"),
    ({"authToken": ["s3cret"]}, "authToken: the value is not a string"),
    ({"authToken": " \n"}, "authToken: the value is blank"),
    ({"authtoken": "s3cret"}, "authtoken: unknown key (did you mean authToken?); allowed is authToken with a string"),
    ({"AUTH_TOKEN": "s3cret"}, "AUTH_TOKEN: unknown key (did you mean authToken?)"),
    ({"auth-token": "s3cret"}, "auth-token: unknown key (did you mean authToken?)"),
    ({"auth token": 5}, "auth token: unknown key (did you mean authToken?)"),
    ({"authToken": "", "auth_token": "s3cret"}, "auth_token: unknown key (did you mean authToken?)"),
]


@pytest.mark.parametrize(("content", "says"), UNUSABLE)
def test_a_token_that_cannot_be_used_stops_a_start(content: Json, says: str, tmp_path: Path) -> None:
    """On any address; the message has file, key, what is allowed and what to do, and not the token."""
    path = written(tmp_path, content)
    effective = load({}, path)
    assert effective.settings.auth_token == ""
    assert effective.warnings == (effective.refusal,)
    assert effective.refusal.startswith(f"{path}: {says}")
    with pytest.raises(ConfigError, match="PI_PROXY_AUTH_TOKEN or --auth-token") as caught:
        effective.for_start()
    assert caught.value.message.startswith(effective.refusal)
    assert "s3cret" not in caught.value.message


@pytest.mark.parametrize(("content", "says"), UNUSABLE)
@pytest.mark.parametrize("source", ["PI_PROXY_AUTH_TOKEN", "--auth-token"])
def test_a_token_from_elsewhere_wins_over_it(content: Json, says: str, source: str, tmp_path: Path) -> None:
    """With a warning; the same holds for the variable that says that there is no token."""
    path = written(tmp_path, content)
    by_flag = source == "--auth-token"
    effective = load({} if by_flag else {source: "t"}, path, {"auth_token": "t"} if by_flag else {})
    assert effective.for_start().auth_token == "t"
    (warning,) = effective.warnings
    assert warning.startswith(f"{path}: {says}")
    assert warning.endswith(f"; {source} is used")
    assert load({"PI_PROXY_AUTH_TOKEN": ""}, path).for_start().auth_token == ""


@pytest.mark.parametrize(
    "content",
    [{}, {"authToken": ""}, {"authToken": "t"}, {"authToken": "t", "auth_token": "x"}, {"colour": "green"}, OPEN],
)
def test_a_file_that_is_clear_about_the_token_starts(content: Json, tmp_path: Path) -> None:
    """With a token, with none, or without a word about it."""
    effective = load({}, written(tmp_path, content))
    assert (effective.refusal, effective.flaws) == ("", ())
    assert effective.for_start() is effective.settings


@pytest.mark.parametrize("content", ['{"authToken": "s3cret",}', "[]", "", {"token": "s3cret"}, {"authTokn": "s3cret"}])
@pytest.mark.parametrize("where", [{"host": "0.0.0.0"}, {"host": "::"}, {"bind": ("127.0.0.1:0", "192.168.7.7:0")}])
def test_whoever_may_have_wanted_a_token_is_not_open_to_others(
    content: Json, where: dict[str, str | tuple[str, ...]], tmp_path: Path
) -> None:
    """A file that cannot be read, or a key that looks like the token's, on an address beyond loopback."""
    path = written(tmp_path, content)
    with pytest.raises(ConfigError, match=r"nobody knows whether it asks for a token.*(0\.0\.0\.0|::|192\.168\.7\.7)"):
        load({}, path, where).for_start()
    assert load({}, path, {**where, "auth_token": "t"}).for_start().auth_token == "t"
    assert load({"PI_PROXY_AUTH_TOKEN": "t"}, path, where).for_start().auth_token == "t"
    assert len(load({}, path).warnings) == 1
    for at_home in ({}, {"host": "::1"}, {"unix": "/run/piproxy.sock"}, {"bind": ("localhost:1", "127.9.9.9:1")}):
        assert load({}, path, at_home).for_start().auth_token == ""


def test_an_empty_token_is_none_where_the_file_cannot_be_read(tmp_path: Path) -> None:
    """A variable that was left empty opens nothing in place of a file that may have a token."""
    path = written(tmp_path, "{")
    assert load({"PI_PROXY_AUTH_TOKEN": "", "PI_PROXY_HOST": "0.0.0.0"}, path).refusal.startswith(f"{path}:1: ")


def test_a_link_that_leads_nowhere_cannot_be_read(tmp_path: Path) -> None:
    """What it should lead to may have a token."""
    path = tmp_path / "proxy-config.json"
    path.symlink_to("gone")
    assert load({}, path).warnings == (f"{path}: it is a link that leads nowhere; the defaults are used",)
    assert "it is a link that leads nowhere; so nobody knows" in load({}, path, {"host": "0.0.0.0"}).refusal


def test_addresses_that_others_may_reach() -> None:
    """All that are not loopback, and names that we do not know."""
    others = [Address(host, 1) for host in ("0.0.0.0", "::", "192.168.1.2", "fe80::1", "box.example")]
    home = [Address(host, 1) for host in ("127.0.0.1", "127.1.2.3", "::1", "localhost", "LocalHost", "pi.localhost")]
    assert beyond_loopback((*home, *others)) == tuple(others)
