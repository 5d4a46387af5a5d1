"""The demo room: a provider of our own that needs no key and no network (design, decision 13).

Its wire format is small, and is spoken by :mod:`piproxy.upstream.demo`. The request is a JSON object::

    {"model": "echo", "system": "…", "messages": [{"role": "user", "text": "…", "images": 1}],
     "tools": [{"name": "…", "parameters": {…}}], "tool_choice": {"mode": "auto", "names": []},
     "max_tokens": 100, "stop": ["…"], "format": "json", "schema": {…}, "thinking": "medium"}

Assistant messages have ``calls``, and a ``tool`` message says which call it answers.

The answer is an event stream; every ``data`` is a JSON object:

========== ================================================ =====================================
event      data                                             meaning
========== ================================================ =====================================
start      ``{"id": "demo-…", "model": "echo"}``            first
text       ``{"text": "…"}``                                a piece of the answer
thinking   ``{"text": "…"}``                                a piece of the thinking
refusal    ``{"text": "…"}``                                a piece of a refusal
call       ``{"id": "…", "name": "…", "custom": false}``    a tool call begins; calls count from 0
arguments  ``{"call": 0, "text": "…"}``                     a piece of its argument text
usage      ``{"input": 1, "output": 2, …}``                 tokens, by the names of ``events.Usage``
error      ``{"error": {"message": …, "type": …, …}}``      the provider gives up
stop       ``{"reason": "stop"}``                           last; the reasons are OpenAI's
========== ================================================ =====================================

An error before the stream is JSON of the same shape as ``error``, with its HTTP status.
"""

from __future__ import annotations

from typing import Final

from piproxy.model import Model

URL: Final = "demo:chat"
"""Where demo requests go; the scheme tells the transport to play them itself."""

MODELS: Final = {
    "echo": "says the last user message back, word by word",
    "tools": "calls the first tool it is given, with arguments made from its schema",
    "thinking": "thinks before it answers",
    "slow": "waits half a second before each word",
    "length": "stops in the middle: finish reason `length`",
    "filter": "stops in the middle: finish reason `content_filter`",
    "refuse": "refuses",
    "error-400": "the request is refused as invalid",
    "error-401": "the provider refuses its key",
    "error-404": "the provider does not know the model",
    "error-429": "too many requests, try again in 2 s",
    "error-500": "the provider fails before its answer",
    "error-529": "the provider is overloaded",
    "error-in-stream": "the provider fails in the middle of its answer",
    "break": "the connection breaks off in the middle of the answer",
    "cut": "the answer stops short without a word",
    "garbage": "the answer turns into nonsense",
    "hang": "falls silent in the middle of the answer",
    "unreachable": "closes the connection without an answer",
    "silent": "takes the request and never answers",
}
"""Model id -> what it does."""


def models() -> tuple[Model, ...]:
    """The demo provider's models."""
    return tuple(
        Model(
            provider="demo",
            id=name,
            api="demo",
            base_url="demo:",
            name=f"Demo: {does}",
            reasoning=name == "thinking",
            input=("text", "image"),
        )
        for name, does in MODELS.items()
    )
