from __future__ import annotations

import pytest

from piproxy.events import Finish
from piproxy.wire.openai_completions.finish import failure, finish


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("stop", Finish("stop")),
        ("eos", Finish("stop", "eos")),
        ("end_turn", Finish("stop", "end_turn")),
        ("COMPLETE", Finish("stop", "COMPLETE")),
        ("length", Finish("length")),
        ("model_length", Finish("length", "model_length")),
        ("MAX_TOKENS", Finish("length", "MAX_TOKENS")),
        ("tool_calls", Finish("tool_calls")),
        ("function_call", Finish("tool_calls", "function_call")),
        ("content_filter", Finish("content_filter")),
        ("sensitive", Finish("content_filter", "sensitive")),
        ("unheard_of", Finish("stop", "unheard_of")),
        (None, Finish("stop")),
    ],
)
def test_reasons(reason: str | None, expected: Finish) -> None:
    """Every word becomes one of OpenAI's; the provider's own is kept beside it."""
    assert finish(reason, calls=False) == expected


@pytest.mark.parametrize(
    ("reason", "expected"),
    [("stop", "tool_calls"), (None, "tool_calls"), ("length", "length"), ("safety", "content_filter")],
)
def test_with_tool_calls(reason: str | None, expected: str) -> None:
    """A plain stop after tool calls is tool_calls; a cut stays a cut."""
    assert finish(reason, calls=True).reason == expected


def test_failures() -> None:
    """Some words are errors."""
    assert failure("stop") is None
    found = failure("error")
    assert found is not None
    assert found.status == 502
