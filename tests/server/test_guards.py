"""Who may ask."""

from __future__ import annotations

import pytest

from piproxy.errors import Forbidden, NotAuthenticated
from piproxy.server.guards import Guards, preflight
from piproxy.settings.addresses import is_loopback

LOCAL = Guards(loopback=True)
OPEN = Guards(loopback=False)
NODE_FETCH = {"host": "127.0.0.1:4141", "sec-fetch-mode": "cors"}


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:4141", "127.0.0.1:4141", "127.8.9.1", "[::1]:4141", "LOCALHOST.", "a.localhost", ""],
)
def test_a_loopback_bind_takes_loopback_hosts(host: str) -> None:
    """Every name of this machine's own loopback passes."""
    assert LOCAL.admit({"host": host}) == {}


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:4141", "[::2]", "10.0.0.1", "user@evil.example"],
)
def test_a_loopback_bind_refuses_foreign_hosts(host: str) -> None:
    """DNS rebinding ends here."""
    with pytest.raises(Forbidden, match="allowedHosts"):
        LOCAL.admit({"host": host})


def test_hosts_can_be_allowed() -> None:
    """The setting allowedHosts adds names."""
    assert Guards(loopback=True, hosts={"box.lan"}).admit({"host": "box.lan:4141"}) == {}


@pytest.mark.parametrize("written", ["box.lan", "Box.LAN", "box.lan.", "box.lan:4141"])
def test_hosts_may_be_written_as_they_are_seen(written: str) -> None:
    """In any case, with a port or the final dot."""
    guards = Guards.of(loopback=True, token="", hosts=[written], origins=[])
    assert guards.admit({"host": "box.lan:4141"}) == {}
    with pytest.raises(Forbidden):
        guards.admit({"host": "other.lan"})


@pytest.mark.parametrize("written", ["https://app.example", "https://app.example/", "HTTPS://App.Example", "*"])
def test_origins_may_be_written_as_they_are_seen(written: str) -> None:
    """A browser's address bar shows a slash, which no ``Origin`` has."""
    guards = Guards.of(loopback=True, token="", hosts=[], origins=[written])
    assert guards.admit({"host": "localhost", "origin": "https://app.example"})["vary"] == "origin"


def test_a_public_bind_takes_any_host() -> None:
    """Whoever binds to a network address is reached by names that nobody can know."""
    assert OPEN.admit({"host": "box.lan"}) == {}


@pytest.mark.parametrize("origin", ["http://localhost:3000", "http://127.0.0.1:8080", "https://[::1]"])
def test_pages_of_this_machine_may_ask(origin: str) -> None:
    """They are same-site; the answer has the CORS headers they need."""
    assert LOCAL.admit({"host": "localhost:4141", "origin": origin})["access-control-allow-origin"] == origin


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost.evil.example", "http://[", ""])
def test_pages_from_elsewhere_may_not(origin: str) -> None:
    """A cross-site Origin is refused."""
    with pytest.raises(Forbidden, match="allowedOrigins"):
        LOCAL.admit({"host": "localhost:4141", "origin": origin})


@pytest.mark.parametrize("allowed", ["*", "https://app.example"])
def test_origins_can_be_allowed(allowed: str) -> None:
    """The setting allowedOrigins adds pages, or all."""
    headers = Guards(loopback=True, origins={allowed}).admit({"host": "localhost", "origin": "https://app.example"})
    assert headers["access-control-allow-origin"] == "https://app.example"


def test_a_page_of_the_proxys_own_host_may_ask_on_a_public_bind() -> None:
    """Same host, same site."""
    assert OPEN.admit({"host": "box.lan:4141", "origin": "http://box.lan:3000"})
    with pytest.raises(Forbidden):
        OPEN.admit({"host": "box.lan:4141", "origin": "http://other.lan"})


def test_nodes_fetch_passes() -> None:
    """It sends sec-fetch-mode: cors, but no Origin and no sec-fetch-site."""
    assert LOCAL.admit(NODE_FETCH) == {}


def test_a_cross_site_request_without_origin_is_refused() -> None:
    """Browsers leave Origin away on plain GETs, but tell the site."""
    with pytest.raises(Forbidden):
        LOCAL.admit({"host": "localhost", "sec-fetch-site": "cross-site"})


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer s3cret"},
        {"authorization": "bearer s3cret"},
        {"authorization": "BEARER   s3cret "},
        {"x-api-key": "s3cret"},
        {"authorization": "Bearer none", "x-api-key": "s3cret"},
    ],
)
def test_the_token_is_taken_from_both_headers(headers: dict[str, str]) -> None:
    """The scheme's case does not matter."""
    Guards(loopback=True, token="s3cret").authenticate(headers)


@pytest.mark.parametrize(
    "headers",
    [{}, {"authorization": "s3cret"}, {"authorization": "Basic s3cret"}, {"x-api-key": "s3cre"}, {"x-api-key": "ü"}],
)
def test_a_wrong_token_is_a_401(headers: dict[str, str]) -> None:
    """The answer says how to send it and does not repeat it."""
    with pytest.raises(NotAuthenticated) as caught:
        Guards(loopback=True, token="s3cret").authenticate(headers)
    assert caught.value.status == 401
    assert "s3cret" not in caught.value.message


def test_without_a_token_everybody_may_ask() -> None:
    """An empty token means none."""
    Guards(loopback=True, token="").authenticate({"authorization": "Bearer anything"})


def test_preflight_allows_what_was_asked_for() -> None:
    """The browser's list of headers is given back."""
    assert preflight({"access-control-request-headers": "x-a, x-b"})["access-control-allow-headers"] == "x-a, x-b"


def test_loopback_names() -> None:
    """RFC 6761 names and the loopback addresses."""
    assert [is_loopback(h) for h in ("localhost", "::1", "127.0.0.1", "0.0.0.0", "example", "")] == [
        True, True, True, False, False, False,
    ]  # fmt: skip
