"""Words in brackets that ask the demo provider for something."""

from __future__ import annotations

import pytest

from piproxy.upstream.demo.wishes import Wishes, wishes


@pytest.mark.parametrize(
    ("text", "wished"),
    [
        ("Hello", Wishes(text="Hello")),
        ("  Hello [there] \n", Wishes(text="  Hello [there] \n")),
        ("[tool:f]", Wishes(text="", calls=(("f", None),))),
        (
            '[tool:get_weather {"city": "Pa]ris",  "n":1}] now',
            Wishes(text="now", calls=(("get_weather", '{"city": "Pa]ris",  "n":1}'),)),
        ),
        ("[tool:a] [tool:b {}]", Wishes(text="", calls=(("a", None), ("b", "{}")))),
        ("[think:Let me see.] 2 + 2?", Wishes(text="2 + 2?", thinking="Let me see.")),
        ("[slow:0.5] x", Wishes(text="x", slow=0.5)),
        ("[slow:999] x", Wishes(text="x", slow=60.0)),
        ("[error:429]", Wishes(text="", error=429)),
        ("[error:stream]", Wishes(text="", error=200)),
        ("[repeat:3] ha", Wishes(text="ha", repeat=3)),
        ("[usage] [refuse]", Wishes(text="", usage=True, refuse=True)),
        ("[break]", Wishes(text="", ending="break")),
        ("[silent] [unreachable]", Wishes(text="", silent=True, unreachable=True)),
    ],
)
def test_wishes_are_read(text: str, wished: Wishes) -> None:
    """Each wish has its effect and leaves the text."""
    assert wishes(text, "echo") == wished


@pytest.mark.parametrize(
    "text",
    [
        "[tool]",
        "[tool:]",
        "[tool:f {]",
        "[tool:f {}",
        "[tool:f words]",
        "[error:200]",
        "[error:soon]",
        "[slow]",
        "[slow:fast]",
        "[repeat:0]",
        "[break:now]",
        "[usage",
        "[unknown]",
    ],
)
def test_what_is_no_wish_stays_text(text: str) -> None:
    """Brackets with anything else in them are said back untouched."""
    assert wishes(text, "echo") == Wishes(text=text)


@pytest.mark.parametrize(
    ("model", "wished"),
    [
        ("echo", Wishes(text="Hi")),
        ("tools", Wishes(text="Hi")),
        ("thinking", Wishes(text="Hi", thinking="")),
        ("slow", Wishes(text="Hi", slow=0.5)),
        ("error-429", Wishes(text="Hi", error=429)),
        ("error-in-stream", Wishes(text="Hi", error=200)),
        ("refuse", Wishes(text="Hi", refuse=True)),
        ("hang", Wishes(text="Hi", ending="hang")),
        ("unreachable", Wishes(text="Hi", unreachable=True)),
    ],
)
def test_a_model_is_a_wish(model: str, wished: Wishes) -> None:
    """A model does by itself what its name says."""
    assert wishes("Hi", model) == wished
