"""What is asked of every client, and what the scripted provider answers to it.

A provider looks at the request and at how many it has had, as real clients ask more than one thinks: titles, model
lists, the same again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from conformance.steps import Answer, Call, Part, Say, Think

Json = Any

TEXT: Final = "  Grüße from 北京 🙂: the answer is 42.\n\tEnd. "
"""White space at both ends, several scripts, an emoji: what is said comes through as it is."""
THOUGHT: Final = "First I count.\n\nThen I count again. "
CITY: Final = '{"city": "Zürich",  "unit":"celsius"}'
"""The argument text, with spacing that no serialiser would give it."""
CITY2: Final = '{"city": "São Paulo", "unit": "celsius"}'
RESULT: Final = "21 °C and sunny"
REPORT: Final = "It is 21 °C in Zürich."
RECIPE: Final = '{"name": "Soup", "minutes": 20, "steps": ["cut", "boil"]}'
REFUSAL: Final = "The scripted provider does not like temperature 3."
LONG: Final = tuple(f"word{n} " for n in range(200))


def _cut(text: str, size: int = 9) -> tuple[str, ...]:
    return tuple(text[at : at + size] for at in range(0, len(text), size))


def said(text: str, *before: Part, finish: str = "stop", pause: float = 0.02) -> Answer:
    """An answer of text."""
    return Answer(parts=(*before, Say(_cut(text))), finish=finish, pause=pause)


@dataclass(frozen=True, slots=True)
class Asked:
    """One request that came to the provider."""

    api: str
    body: Json
    number: int
    """How many came before it."""

    @property
    def tools(self) -> dict[str, Json]:
        """The tools that are offered: name -> JSON schema."""
        found: dict[str, Json] = {}
        for tool in self.body.get("tools") or ():
            for one in tool.get("functionDeclarations", [tool.get("function", tool)]):
                schema = one.get("parameters") or one.get("input_schema") or one.get("parametersJsonSchema")
                found[one.get("name", "")] = schema or {}
        return found

    @property
    def results(self) -> bool:
        """The conversation ends with what a tool answered."""
        words = ('"role": "tool"', '"tool_result"', '"functionResponse"', '"function_call_output"')
        turns = self.body.get("messages") or self.body.get("contents") or self.body.get("input") or [""]
        last = [turn for turn in turns if isinstance(turn, dict) and turn.get("role") != "system"][-1:]
        return any(word in json.dumps(last) for word in words)


Answers = Callable[[Asked], Answer]


def _text(_: Asked) -> Answer:
    return said(TEXT)


def _tools(asked: Asked) -> Answer:
    call = _call(asked.tools)
    if asked.results or call is None:
        return said(REPORT)
    return Answer(parts=(call,), finish="tool_calls")


def _call(tools: Mapping[str, Json]) -> Call | None:
    """A call of the tool that all drivers have, or of an agent's own tool that reads a file."""
    if "get_weather" in tools:
        return Call("call_up_1", "get_weather", _cut(CITY))
    for name, schema in tools.items():
        if name.lower() in ("read", "read_file"):
            field = next((key for key in schema.get("properties", {}) if "path" in key.lower()), "path")
            return Call("call_up_1", name, _cut(json.dumps({field: "note.txt"})))
    return None


def _parallel(asked: Asked) -> Answer:
    if asked.results or not asked.tools:
        return said(REPORT)
    name = next(iter(asked.tools))
    calls = (Call("call_up_1", name, _cut(CITY)), Call("call_up_2", name, _cut(CITY2)))
    return Answer(parts=(Say(("Both ", "cities.")), *calls), finish="tool_calls")


def _structured(asked: Asked) -> Answer:
    if asked.tools:
        return Answer(parts=(_filled(asked.tools, RECIPE),), finish="tool_calls")
    return said(RECIPE)


def _filled(tools: Mapping[str, Json], text: str) -> Call:
    """A call of the tool by which a library gets an object; an agent has it among its own."""
    return Call("call_up_1", "StructuredOutput" if "StructuredOutput" in tools else next(iter(tools)), _cut(text))


def _structured_reasoning(asked: Asked) -> Answer:
    return Answer(parts=(Think(_cut(THOUGHT)), _filled(asked.tools, RECIPE)), finish="tool_calls")


def _structured_abort(asked: Asked) -> Answer:
    steps = json.dumps({"name": "Soup", "minutes": 20, "steps": LONG})
    return Answer(parts=(_filled(asked.tools, steps),), finish="tool_calls", pause=0.1)


def _reasoning(_: Asked) -> Answer:
    return said(TEXT, Think(_cut(THOUGHT)))


def _error(_: Asked) -> Answer:
    return Answer(status=400, message=REFUSAL)


def _refused(_: Asked) -> Answer:
    return Answer(status=401, message="Incorrect API key provided.")


def _retry(asked: Asked) -> Answer:
    if asked.number:
        return said(TEXT)
    return Answer(status=429, message="Slow down.", headers=(("retry-after", "1"),))


def _overloaded(asked: Asked) -> Answer:
    busy = 529 if asked.api == "anthropic-messages" else 503
    return said(TEXT) if asked.number else Answer(status=busy, message="Overloaded.")


def _abort(_: Asked) -> Answer:
    return Answer(parts=(Say(LONG),), pause=0.1)


def _structured_retry(asked: Asked) -> Answer:
    return _structured(asked) if asked.number else _retry(asked)


def _cut_short(_: Asked) -> Answer:
    return said(TEXT, finish="cut")


def _length(_: Asked) -> Answer:
    return said("Only the beg", finish="length")


@dataclass(frozen=True, slots=True)
class Scenario:
    """One thing to ask of a client."""

    answers: Answers
    sees: Mapping[str, Json]
    """What the client has to see: members of the JSON object that its driver prints."""
    about: str


SCENARIOS: Final[Mapping[str, Scenario]] = {
    "text": Scenario(_text, {"text": TEXT}, "a whole answer"),
    "stream": Scenario(_text, {"text": TEXT}, "a streamed answer"),
    "tools": Scenario(_tools, {"calls": [json.loads(CITY)], "text": REPORT}, "a tool is called and its result sent"),
    "tools-stream": Scenario(_tools, {"calls": [json.loads(CITY)], "text": REPORT}, "the same, streamed"),
    "agent": Scenario(_tools, {"text": REPORT}, "an agent reads a file with its own tool and reports"),
    "called": Scenario(_tools, {"calls": [json.loads(CITY)]}, "a tool is called, and nobody answers"),
    "parallel": Scenario(
        _parallel, {"calls": [json.loads(CITY), json.loads(CITY2)], "text": REPORT}, "text and two calls in one answer"
    ),
    "image": Scenario(_text, {"text": TEXT}, "a question about an image"),
    "structured": Scenario(_structured, {"object": json.loads(RECIPE)}, "an object after a JSON schema"),
    "reasoning": Scenario(_reasoning, {"text": TEXT, "reasoning": THOUGHT}, "thinking, streamed"),
    "reasoning-whole": Scenario(_reasoning, {"text": TEXT, "reasoning": THOUGHT}, "thinking in a whole answer"),
    "error": Scenario(_error, {"error": REFUSAL}, "the provider refuses the request"),
    "error-stream": Scenario(_error, {"error": REFUSAL}, "the provider refuses a streamed request"),
    "refused": Scenario(_refused, {"error": "Error code: 502"}, "the provider does not take piproxy's own key"),
    "retry": Scenario(_retry, {"text": TEXT}, "too many requests, then an answer"),
    "overloaded": Scenario(_overloaded, {"text": TEXT}, "the provider is overloaded, then it answers"),
    "abort": Scenario(_abort, {"left": True}, "the client leaves in the middle of a stream"),
    "abort-whole": Scenario(_abort, {"left": True}, "the client leaves while it waits for a whole answer"),
    "cut": Scenario(_cut_short, {"failed": True}, "the provider's stream stops short"),
    "length": Scenario(_length, {"text": "Only the beg", "finish": "length"}, "the output limit is reached"),
    "usage": Scenario(_text, {"tokens": [100, 64, 20]}, "tokens of a stream: prompt, cached, completion"),
    "history": Scenario(_text, {"text": TEXT}, "a long conversation with every role, tools and arrays"),
    "fields": Scenario(_text, {"text": TEXT}, "every request field that the client can send"),
    "structured-tool": Scenario(_structured, {"object": json.loads(RECIPE)}, "an object by way of a tool"),
    "structured-json": Scenario(_structured, {"object": json.loads(RECIPE)}, "an object in JSON mode"),
    "structured-stream": Scenario(_structured, {"object": json.loads(RECIPE)}, "an object, read while it grows"),
    "structured-image": Scenario(_structured, {"object": json.loads(RECIPE)}, "an object about an image"),
    "structured-error": Scenario(_error, {"error": REFUSAL}, "an object is asked for, and the provider refuses"),
    "structured-retry": Scenario(
        _structured_retry, {"object": json.loads(RECIPE)}, "too many requests, then an object by way of a tool"
    ),
    "structured-reasoning": Scenario(
        _structured_reasoning, {"object": json.loads(RECIPE), "reasoning": THOUGHT}, "thinking, and then an object"
    ),
    "structured-abort": Scenario(_structured_abort, {"left": True}, "the client leaves an object that still grows"),
    "nobody": Scenario(_text, {"failed": True}, "a model that does not exist"),
    "together": Scenario(_text, {"text": "four answers"}, "four streams at once on one connection"),
    "byte-by-byte": Scenario(_text, {"text": TEXT}, "the request comes a byte at a time"),
    "chunked-body": Scenario(_text, {"text": TEXT}, "a request body in chunks with extensions and a trailer"),
    "expect-continue": Scenario(_text, {"text": TEXT}, "the body is sent after a 100"),
    "http10": Scenario(_text, {"text": TEXT}, "HTTP/1.0"),
    "http10-stream": Scenario(_text, {"failed": False}, "a stream over HTTP/1.0 ends with the connection"),
    "connection-close": Scenario(_text, {"text": TEXT}, "the connection is closed after the answer"),
    "keep-alive": Scenario(_text, {"text": TEXT}, "three requests on one connection"),
    "pipelined": Scenario(_text, {"text": TEXT}, "three requests at once on one HTTP/1.1 connection"),
    "pipelined-abort": Scenario(_abort, {"left": True}, "a request waits behind the stream that is broken off"),
    "half-closed": Scenario(_abort, {"left": True}, "the client closes its sending side and goes on reading"),
    "abort-early": Scenario(_abort, {"left": True}, "the client leaves before the answer begins"),
    "unknown-field": Scenario(_text, {"failed": True}, "a field that nobody knows"),
    "bad-json": Scenario(_text, {"failed": True}, "a body that is not JSON"),
    "no-such-path": Scenario(_text, {"failed": True}, "a path that does not exist"),
    "foreign-host": Scenario(_text, {"failed": True}, "a host that is not this machine"),
    "foreign-origin": Scenario(_text, {"failed": True}, "a page of another site"),
    "preflight": Scenario(_text, {"allowed": True}, "a page of this machine asks whether it may"),
    "models": Scenario(_text, {"models": True}, "the list of models"),
}
