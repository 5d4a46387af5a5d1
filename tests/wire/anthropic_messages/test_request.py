"""The rest of the body, and what cannot be in it."""

from __future__ import annotations

from typing import Any

import pytest
from fakes.claude import OTHER, body, chat, request

from piproxy.errors import UnsupportedParameter


def test_the_least_body() -> None:
    """Nothing is sent that nobody asked for."""
    assert body(chat(), OTHER) == {
        "model": "MiniMax-M3",
        "max_tokens": 64_000,
        "stream": True,
        "messages": [{"role": "user", "content": "Hi"}],
    }


@pytest.mark.parametrize(
    ("fields", "sent", "dropped"),
    [
        ({"stop": ("END", " x\n")}, {"stop_sequences": ["END", " x\n"]}, ()),
        ({"stop": ("\n\n", "END", "")}, {"stop_sequences": ["END"]}, ("stop",)),
        ({"user": "u1"}, {"metadata": {"user_id": "u1"}}, ()),
        ({"user": "u1", "safety_identifier": "s1"}, {"metadata": {"user_id": "s1"}}, ()),
        ({"metadata": {"user_id": "m1"}}, {"metadata": {"user_id": "m1"}}, ()),
        ({"metadata": {"a": "b"}}, {}, ("metadata",)),
        ({"service_tier": "auto"}, {}, ()),
        ({"service_tier": "default"}, {"service_tier": "standard_only"}, ()),
        ({"service_tier": "flex"}, {}, ("service_tier",)),
        (
            {"seed": 1, "verbosity": "low", "store": True, "given": ("seed", "verbosity", "store", "user")},
            {},
            ("seed", "verbosity", "store"),
        ),
        ({"extra": {"repetition_penalty": 1.1}}, {}, ("repetition_penalty",)),
    ],
)
def test_other_fields(fields: dict[str, Any], sent: dict[str, Any], dropped: tuple[str, ...]) -> None:
    """Fields with a place are sent there, and every other one that the client set is named."""
    wire = body(chat(**fields), OTHER)
    assert {name: value for name, value in wire.items() if name not in body(chat(), OTHER)} == sent
    assert request(chat(**fields), OTHER).dropped == dropped


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"logprobs": True}, "logprobs"),
        ({"top_logprobs": 3}, "top_logprobs"),
        ({"logit_bias": {"1": 2.0}}, "logit_bias"),
        ({"web_search_options": {}}, "web_search_options"),
    ],
)
def test_wishes_that_cannot_be_granted(fields: dict[str, Any], param: str) -> None:
    """An answer without them would be another answer, so the request is refused."""
    with pytest.raises(UnsupportedParameter) as raised:
        request(chat(**fields))
    assert (raised.value.status, raised.value.param) == (422, param)
