from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from piproxy.providererror import MAX_MESSAGE, Complaint, Kind, complaint, complaint_in, provider_error


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(
            b'{"error":{"message":"Bad value.","type":"invalid_request_error","param":"top_p","code":"bad_value"}}',
            Complaint("Bad value.", "invalid_request_error", "bad_value", "top_p"),
            id="openai",
        ),
        pytest.param(
            b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}',
            Complaint("Overloaded", "overloaded_error"),
            id="anthropic",
        ),
        pytest.param(
            b'[{"error":{"code":429,"message":"Slow down.","status":"RESOURCE_EXHAUSTED"}}]',
            Complaint("Slow down.", "RESOURCE_EXHAUSTED", "429"),
            id="google, as a list of one",
        ),
        pytest.param(
            b'{"code":"Client specified an invalid argument","error":"Unknown model."}',
            Complaint("Unknown model.", None, "Client specified an invalid argument"),
            id="xai",
        ),
        pytest.param(b'{"error":"Model is loading"}', Complaint("Model is loading"), id="huggingface, ollama"),
        pytest.param(
            b'{"message":"Wrong API Key","type":"invalid_request_error","param":"api_key","code":"wrong_api_key"}',
            Complaint("Wrong API Key", "invalid_request_error", "wrong_api_key", "api_key"),
            id="cerebras",
        ),
        pytest.param(
            b'{"object":"error","message":{"detail":[{"type":"extra_forbidden","loc":["body","seed"],'
            b'"msg":"Extra inputs are not permitted"}]},"type":"invalid_request_error","code":"3051"}',
            Complaint("body.seed: Extra inputs are not permitted", "invalid_request_error", "3051"),
            id="mistral",
        ),
        pytest.param(
            b'{"detail":[{"loc":["body","messages",0],"msg":"field required"},{"loc":["body","n"],"msg":"too big"}]}',
            Complaint("body.messages.0: field required; body.n: too big"),
            id="fastapi list",
        ),
        pytest.param(
            b'{"detail":"Unsupported parameter: stop"}', Complaint("Unsupported parameter: stop"), id="fastapi text"
        ),
        pytest.param(
            b'{"type":"about:blank","title":"Bad Request","status":400,"detail":"No such function."}',
            Complaint("No such function.", "about:blank"),
            id="rfc 7807",
        ),
        pytest.param(b'{"status":403,"title":"Forbidden"}', Complaint("Forbidden"), id="rfc 7807 without detail"),
        pytest.param(
            b'{"success":false,"errors":[{"message":"No route","code":7003},{"message":"No account"}]}',
            Complaint("No route; No account", None, "7003"),
            id="cloudflare",
        ),
        pytest.param(
            b'{"__type":"ThrottlingException","Message":"Too many tokens per minute"}',
            Complaint("Too many tokens per minute", "ThrottlingException"),
            id="aws",
        ),
        pytest.param(
            b'{"error":{"message":"Provider returned error","code":400,'
            b'"metadata":{"raw":"{\\"detail\\":\\"no tools\\"}","provider_name":"X"}}}',
            Complaint('Provider returned error: {"detail":"no tools"}', None, "400"),
            id="openrouter",
        ),
        pytest.param(
            b'{"error":{"code":502,"metadata":{"raw":{"a":1}}}}', Complaint('{"a":1}', None, "502"), id="raw object"
        ),
        pytest.param(
            b'{"error":{"error":{"message":"Inner words.","type":"x"}}}', Complaint("Inner words.", "x"), id="nested"
        ),
        pytest.param(
            b"<html><head><title>502 Bad Gateway</title><style>p{}</style></head>"
            b"<body><center><h1>502 Bad Gateway</h1></center><hr>nginx &amp; co</body></html>",
            Complaint("502 Bad Gateway nginx & co"),
            id="html",
        ),
        pytest.param(b"upstream connect error\n", Complaint("upstream connect error"), id="plain text"),
        pytest.param(b'{"foo": "bar"}', Complaint('{"foo": "bar"}'), id="unknown shape is kept whole"),
        pytest.param(b'{"error": null}', Complaint('{"error": null}'), id="null"),
        pytest.param(b'"words"', Complaint("words"), id="a string"),
        pytest.param(b"", Complaint(), id="empty"),
        pytest.param(b"\xff\xfe", Complaint("\ufffd\ufffd"), id="not utf-8"),
    ],
)
def test_complaint_is_found(body: bytes, expected: Complaint) -> None:
    """The provider's own words, type, code and parameter come out of every known shape."""
    assert complaint(body) == expected


def test_message_is_capped_and_redacted() -> None:
    """A long text is cut, and a key in it never gets out, not even at the cut."""
    said = complaint(json.dumps({"error": {"message": "x " * 1995 + "sk-abcdef0123456789abcdef0123456789"}}).encode())
    assert len(said.message) <= MAX_MESSAGE
    assert "sk-abc" not in said.message
    assert "0123456789" not in complaint(b'{"error":{"message":"no","code":"sk-abcdef0123456789"}}').code  # type: ignore[operator]


def test_deep_nesting_is_no_crash() -> None:
    """A body that is nested too deeply is read as text."""
    assert complaint(b"[" * 100_000).message


@pytest.mark.parametrize("tag", ["<script>", "<title>", "<!--", "<", "<head", "</"])
def test_pages_take_no_time(tag: str) -> None:
    """A page of nothing but open tags is read at once."""
    assert len(complaint(b"<html>" + tag.encode() * 100_000).message) <= MAX_MESSAGE


@pytest.mark.parametrize(
    ("status", "said", "expected"),
    [
        (400, Complaint("top_p is wrong", "invalid_request_error", "bad", "top_p"), (400, "bad")),
        (400, Complaint("top_p is wrong", code="400"), (400, None)),
        (422, Complaint("seed: Extra inputs"), (400, None)),
        (409, Complaint("conflict"), (400, None)),
        (499, Complaint("cancelled"), (400, None)),
        (400, Complaint("This model's maximum context length is 8192 tokens."), (400, "context_length_exceeded")),
        (400, Complaint("prompt is too long: 300000 tokens"), (400, "context_length_exceeded")),
        (400, Complaint("Input is too long for requested model."), (400, "context_length_exceeded")),
        (400, Complaint("The input token count (9) exceeds the maximum number"), (400, "context_length_exceeded")),
        (400, Complaint("prompt token count of 9 exceeds the limit of 8"), (400, "context_length_exceeded")),
        (400, Complaint("The number of images exceeds the limit of 20."), (400, None)),
        (400, Complaint("nope", code="1261"), (400, "context_length_exceeded")),
        (413, Complaint("Request body exceeds the context window"), (400, "context_length_exceeded")),
        (413, Complaint(), (400, "context_length_exceeded")),
        (400, Complaint(), (400, "context_length_exceeded")),
        (413, Complaint("Request exceeds 32 MB", "request_too_large"), (413, "request_too_large")),
        (429, Complaint("Rate limit: too many tokens per minute"), (429, "rate_limit_exceeded")),
        (400, Complaint("flagged", code="content_filter"), (400, "content_filter")),
        (400, Complaint("ResponsibleAIPolicyViolation"), (400, "content_filter")),
        (403, Complaint("Your input was flagged"), (400, "content_filter")),
        (401, Complaint("Invalid API Key"), (502, "upstream_auth_error")),
        (403, Complaint("Forbidden"), (502, "upstream_auth_error")),
        (400, Complaint("API key not valid. Please pass one."), (502, "upstream_auth_error")),
        (402, Complaint("Insufficient credits"), (429, "insufficient_quota")),
        (429, Complaint("You exceeded your current quota, please check your plan and billing details."),
         (429, "insufficient_quota")),
        (429, Complaint("Resource exhausted: quota exceeded. Please retry in 3.5s", "RESOURCE_EXHAUSTED"),
         (429, "rate_limit_exceeded")),
        (429, Complaint("Quota exceeded for requests per day", "RESOURCE_EXHAUSTED"), (429, "insufficient_quota")),
        (429, Complaint("plan is used up", code="1308"), (429, "insufficient_quota")),
        (429, Complaint("Too many requests"), (429, "rate_limit_exceeded")),
        (404, Complaint("no such model"), (404, "model_not_found")),
        (408, Complaint("too slow"), (504, "timeout")),
        (504, Complaint("gateway timeout"), (504, "timeout")),
        (503, Complaint("try later"), (503, "provider_overloaded")),
        (529, Complaint("Overloaded", "overloaded_error"), (503, "provider_overloaded")),
        (498, Complaint("capacity"), (503, "provider_overloaded")),
        (500, Complaint("The server is overloaded"), (503, "provider_overloaded")),
        (500, Complaint("prompt is too long"), (502, "upstream_error")),
        (500, Complaint("Invalid API key"), (502, "upstream_error")),
        (502, Complaint("Bad gateway"), (502, "upstream_error")),
        (302, Complaint("moved"), (502, "upstream_error")),
        (None, Complaint("slow", "rate_limit_error"), (429, "rate_limit_exceeded")),
        (None, Complaint("busy", "overloaded_error"), (503, "provider_overloaded")),
        (None, Complaint("gone", code="insufficient_quota"), (429, "insufficient_quota")),
        (None, Complaint("oops", "server_error", "server_error"), (502, "upstream_error")),
        (None, Complaint("long", code="context_length_exceeded"), (400, "context_length_exceeded")),
        (None, Complaint("bad", "invalid_request_error"), (400, None)),
        (None, Complaint("who", "authentication_error"), (502, "upstream_auth_error")),
        (None, Complaint("down", code="502"), (502, "upstream_error")),
        (None, Complaint("down", code="503"), (503, "provider_overloaded")),
        (None, Complaint("fast", code="429"), (429, "rate_limit_exceeded")),
        (None, Complaint("Rate limit reached"), (429, "rate_limit_exceeded")),
        (None, Complaint("The engine is overloaded"), (503, "provider_overloaded")),
        (None, Complaint("something"), (502, "upstream_error")),
    ],
)  # fmt: skip
def test_status_and_code(status: int | None, said: Complaint, expected: tuple[int, str | None]) -> None:
    """Every provider status and text has its own answer, and the words are kept."""
    error = provider_error(status, said)
    assert (error.status, error.code) == expected
    assert error.upstream_status == status
    assert said.message in error.message
    assert error.message


HEADERS = {
    "retry-after": "17",
    "retry-after-ms": "16500",
    "x-ratelimit-remaining-requests": "0",
    "anthropic-ratelimit-unified-status": "rejected",
    "x-request-id": "req_1",
    "set-cookie": "secret",
}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (429, {
            "retry-after", "retry-after-ms", "x-ratelimit-remaining-requests", "anthropic-ratelimit-unified-status",
        }),
        (503, {"retry-after", "retry-after-ms"}),
        (500, {"retry-after", "retry-after-ms"}),
        (400, set()),
        (401, {"x-should-retry"}),
        (402, {
            "retry-after", "retry-after-ms", "x-ratelimit-remaining-requests", "anthropic-ratelimit-unified-status",
            "x-should-retry",
        }),
    ],
)  # fmt: skip
def test_headers_that_pass(status: int, expected: set[str]) -> None:
    """When to try again is passed on, and nothing else."""
    error = provider_error(status, Complaint("words"), HEADERS)
    assert set(error.headers) == expected
    assert error.headers.get("x-should-retry", "false") == "false"


def test_provider_may_forbid_a_retry() -> None:
    """The provider's own x-should-retry is kept; a header value with a line end is not."""
    headers: Mapping[str, str] = {"X-Should-Retry": "true", "retry-after": "1\r\nx: y"}
    assert provider_error(500, Complaint("x"), headers).headers == {"x-should-retry": "true"}


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("7", True),
        (" 7 ", True),
        ("0.25", True),
        ("Sun, 22 Nov 2026 18:00:00 GMT", True),
        ("", False),
        ("-3", False),
        ("soon", False),
        ("7, 8", False),
        ("nan", False),
        ("1e9", False),
        ("\u0667", False),
    ],
)
def test_a_pause_is_told_if_it_can_be_read(value: str, told: bool) -> None:
    """SDKs and other clients read seconds or HTTP's date; a header in no such form says nothing to them."""
    headers = provider_error(429, Complaint("x"), {"Retry-After": value, "x-should-retry": "perhaps"}).headers
    assert dict(headers) == ({"retry-after": value.strip()} if told else {})


@pytest.mark.parametrize(
    ("kind", "status"),
    [("quota", 429), ("overflow", 400), ("server", 502), ("timeout", 504), ("not_found", 404), ("overloaded", 503)],
)
def test_room_knows_better(kind: Kind, status: int) -> None:
    """What a room says that an error means wins over the general rules."""
    assert provider_error(400, Complaint("words"), {}, kind=kind).status == status


def test_silence_gets_a_text() -> None:
    """An error without a word still says what happened."""
    assert "HTTP 500" in provider_error(500, Complaint()).message
    assert provider_error(None, Complaint()).message


def test_param_is_kept_for_the_clients_own_faults() -> None:
    """The parameter is named where the request is at fault, and not where the provider is."""
    assert provider_error(400, Complaint("x", param="top_p")).param == "top_p"
    assert provider_error(500, Complaint("x", param="top_p")).param is None


@pytest.mark.parametrize(
    "value", [None, 17, True, [], {}, [[]], {"error": []}, {"errors": [None, 3]}, {"error": {"message": 5}}]
)
def test_no_shape_breaks_the_reader(value: object) -> None:
    """Whatever is parsed, a complaint comes out."""
    assert isinstance(complaint_in(value), Complaint)


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("https://api.new.example/v1/chat?key=s3cret", "api.new.example"),
        ("http://me:s3cret@127.0.0.1:8080/s3cret", "127.0.0.1:8080"),
        ("//[::1]:8080/v1", "[::1]:8080"),
        ("/login?token=s3cret", "another path of its host"),
        ("https://s3cret with space/", "another host"),
    ],
)
def test_a_redirect_says_where_to(location: str, target: str) -> None:
    """The host alone; the provider's words follow, and the meaning is that of any answer nobody asked for."""
    said = f"The provider answered HTTP 307: it redirects to {target}, and piproxy follows no redirects."
    error = provider_error(307, Complaint(), {"location": location})
    assert (error.message, error.status, error.code) == (said, 502, "upstream_error")
    assert provider_error(307, Complaint("Moved."), {"location": location}).message == f"{said} Moved."


@pytest.mark.parametrize(
    ("status", "location"), [(307, ""), (307, "https://[half"), (307, "https://host:port/"), (500, "https://a.example")]
)
def test_what_is_no_redirect_is_not_called_one(status: int, location: str) -> None:
    """Without an address that can be read, or with another status, it is an answer as any."""
    error = provider_error(status, Complaint(), {"location": location})
    assert error.message == f"The provider answered HTTP {status} and said nothing about it."
