"""Output limits and thinking budgets."""

from __future__ import annotations

import pytest

from piproxy.budget import estimate, estimated_usage, output_cap, prompt_chars, thinking_budget
from piproxy.chat import (
    AssistantMessage,
    Audio,
    Chat,
    File,
    Image,
    SystemMessage,
    Text,
    Tool,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from piproxy.events import Usage
from piproxy.model import Model


def model(window: int = 200_000, most: int = 64_000) -> Model:
    return Model(provider="p", id="m", api="a", base_url="", context_window=window, max_tokens=most)


@pytest.mark.parametrize(
    ("requested", "floor", "cap"),
    [(100, 1, 100), (64_000, 1, 64_000), (90_000, 1, 64_000), (5, 16, 16), (1, 1, 1)],
)
def test_the_clients_number_is_kept(requested: int, floor: int, cap: int) -> None:
    """What the client asks for is sent, between the API's floor and the model's maximum, however long the prompt."""
    assert output_cap(requested, model(), chars=10_000_000, floor=floor) == cap
    assert output_cap(requested, model(), always=False, floor=floor) == cap


def test_a_model_of_unknown_size_limits_nothing() -> None:
    """Without a maximum in the entry the client's number goes through, and there is no default."""
    assert output_cap(999_999, model(most=0)) == 999_999
    assert output_cap(None, model(most=0)) is None


def test_no_default_where_none_is_wanted() -> None:
    """An API with defaults of its own gets no number that nobody asked for."""
    assert output_cap(None, model(), always=False) is None


@pytest.mark.parametrize(
    ("window", "most", "chars", "cap"),
    [
        (200_000, 64_000, 0, 64_000),
        (200_000, 64_000, 35_000, 64_000),
        (200_000, 64_000, 420_000, 62_000),  # 120 000 tokens, 15 % margin: 18 000
        (32_768, 32_768, 0, 28_672),  # less than 32 768 would be left: the margin is 4096
        (200_000, 64_000, 560_000, 32_768),  # 160 000 tokens: 16 000 left with 15 %, 35 904 with 4096
        (8192, 8192, 35_000, 1),
        (0, 8192, 35_000, 8192),
    ],
)
def test_the_default_fits_the_window(window: int, most: int, chars: int, cap: int) -> None:
    """Without a number of the client's, the model's maximum is cut to what the prompt leaves, as pi does."""
    assert output_cap(None, model(window, most), chars=chars) == cap


@pytest.mark.parametrize(
    ("level", "cap", "budget"),
    [
        ("minimal", 64_000, 1024),
        ("low", 64_000, 2048),
        ("medium", 64_000, 8192),
        ("high", 64_000, 16_384),
        ("xhigh", 64_000, 16_384),
        ("max", None, 16_384),
        ("high", 9216, 8192),
        ("high", 2048, 1024),
        ("high", 2047, None),
        ("low", 100, None),
        ("off", 64_000, None),
    ],
)
def test_thinking_shrinks_under_the_cap(level: str, cap: int | None, budget: int | None) -> None:
    """The budget leaves 1024 tokens for the answer, and below 1024 tokens there is no thinking."""
    assert thinking_budget(level, cap) == budget


def test_everything_in_the_prompt_counts() -> None:
    """Texts, arguments, reasoning, tools and schemas count by length, an image or a sound as 4800 characters."""
    chat = Chat(
        model="m",
        messages=(
            SystemMessage("12345"),
            UserMessage((Text("12345"), Image("data:image/png;base64,AAAA"), File("12345"), Audio("AAAA", "wav"))),
            AssistantMessage(None, (ToolCall("id", "12345", "1234567890"),), reasoning="12345"),
            ToolMessage("12345", "id"),
        ),
        tools=(Tool("12345", "12345", {"a": 1}),),
    )
    assert prompt_chars(chat) == 5 + 5 + 4800 + 5 + 4800 + 15 + 5 + 5 + 10 + len('{"a":1}')


def test_the_estimate_rounds_up() -> None:
    """Three and a half characters are a token."""
    assert [estimate(0), estimate(1), estimate(7), estimate(8)] == [0, 1, 2, 3]


def test_an_estimate_says_that_it_is_one() -> None:
    """Whoever asks for usage gets numbers, marked as counted by characters."""
    asked = Chat(model="m", messages=(UserMessage("x" * 35),))
    assert estimated_usage(asked, 8, 1) == Usage(input=10, output=3, reasoning=1, estimated=True)
    assert estimated_usage(None, 8) == Usage(output=3, estimated=True)
