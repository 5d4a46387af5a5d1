from __future__ import annotations

import pytest

from piproxy.wire.openai_responses import failure
from piproxy.wire.openai_responses.azure import failure as azure


@pytest.mark.parametrize("parse", [failure.parse_failure, azure.parse_failure])
@pytest.mark.parametrize(
    ("status", "body", "want"),
    [
        (400, b'{"error":{"message":"Bad.","param":"tools[0]","code":"x"}}', (400, "x", "tools[0]")),
        (400, b'{"error":{"message":"Filtered.","code":"content_filter"}}', (400, "content_filter", None)),
        (401, b'{"code":"invalid-argument","error":"Incorrect API key."}', (502, "upstream_auth_error", None)),
        (404, b'{"error":{"message":"No such model.","code":"model_not_found"}}', (404, "model_not_found", None)),
        (429, b'{"error":{"message":"Rate limit."}}', (429, "rate_limit_exceeded", None)),
        (500, b"", (502, "upstream_error", None)),
    ],
)
def test_http_errors(parse: object, status: int, body: bytes, want: tuple[int, str, str | None]) -> None:
    """Status, code and param are the client's own; Azure answers in the same form."""
    assert callable(parse)
    error = parse(status, {}, body)
    assert (error.status, error.code, error.param) == want
    assert error.upstream_status == status
