"""The demo provider's own faults, for whoever wants to see a client meet one: one honest error each, nothing left.

What had been said before is counted in the log.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from fakes.breaking import breaking
from trio.testing import MockClock, wait_all_tasks_blocked

CODES: dict[str, tuple[int, str | None, bool]] = {
    # model: status of the whole answer, code, does a stream begin before it fails?
    "error-400": (400, None, False),
    "error-401": (502, "upstream_auth_error", False),
    "error-404": (404, "model_not_found", False),
    "error-429": (429, "rate_limit_exceeded", False),
    "error-500": (502, "upstream_error", False),
    "error-529": (503, "provider_overloaded", False),
    "error-in-stream": (502, "upstream_error", True),
    "break": (502, "upstream_protocol_error", True),
    "cut": (502, "upstream_protocol_error", True),
    "garbage": (502, "upstream_protocol_error", True),
    "hang": (504, "timeout", True),
    "silent": (504, "timeout", False),
    "unreachable": (502, "upstream_error", False),
}


@pytest.mark.parametrize("protocol", ["h1", "h2"])
async def test_every_fault_of_the_demo_provider(protocol: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    """By model, streamed and whole; the same connection goes on, and a good answer follows each."""
    async with breaking(tmp_path, protocol) as b:
        for model, (status, code, begins) in CODES.items():
            for stream in (True, False):
                messages = [{"role": "user", "content": "one two three four"}]
                asked = {"model": f"demo/{model}", "messages": messages, "stream": stream}
                reply = await b.client.ask("POST", "/v1/chat/completions", asked)
                await wait_all_tasks_blocked()
                b.check_nothing_left()
                assert ("completion_tokens" in b.gateway.log[-1], b.gateway.log[-1].get("partial")) == (
                    (True, True) if begins else (False, None)
                ), model
                if stream and begins:
                    assert (reply.status, reply.frames[-1]) == (200, "[DONE]"), model
                    assert reply.text.startswith("Hello from")
                    errors = [frame["error"] for frame in reply.frames if "error" in frame]
                    assert [error["code"] for error in errors] == [code], model
                else:
                    assert (reply.status, reply.json["error"]["code"]) == (status, code), (model, reply.body)
                fine = await b.client.ask("POST", "/v1/chat/completions", {**asked, "model": "demo/echo"})
                assert fine.status == 200
        assert b.lines.peers == []
