"""The log never holds content: neither what clients say, nor what models say, nor providers' words about either."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any, Final

import pytest
from fakes.answers import WIRES, models_json
from fakes.complaints import answers, bodies
from fakes.gateway import CHAT, Gateway, gateway
from fakes.provider import Conversation
from trio.testing import MockClock, wait_all_tasks_blocked

from piproxy.errors import InvalidRequest, PiproxyError, ProviderError, UnsupportedParameter, UpstreamBroken
from piproxy.logged import WORDS, logged
from piproxy.openai import schema
from piproxy.openai.fields import FIELDS
from piproxy.server.log import Log

MARK: Final = "MARKmark"
"""Stands in everything that is anybody's; also good base64."""
URL: Final = "/v1/chat/completions"
_SCHEMA: Any = {"type": "object", "properties": {MARK: {"description": MARK, "enum": [MARK]}}, "required": [MARK]}
TOOL: Any = {"type": "function", "function": {"name": MARK, "description": MARK, "parameters": _SCHEMA}}
FULL: Any = {
    "messages": [
        {"role": "system", "name": MARK, "content": [{"type": "text", "text": MARK}]},
        {
            "role": "user",
            "name": MARK,
            "content": [
                {"type": "text", "text": MARK, "cache_control": {"type": "ephemeral"}},
                {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{MARK}"}},
            ],
        },
        {
            "role": "assistant",
            "content": MARK,
            "reasoning_content": MARK,
            "tool_calls": [
                {"id": MARK, "type": "function", "function": {"name": MARK, "arguments": f'{{"{MARK}":"{MARK}"}}'}}
            ],
        },
        {"role": "tool", "tool_call_id": MARK, "content": MARK},
        {"role": "user", "content": MARK},
    ],
    "tools": [TOOL],
    "tool_choice": {"type": "function", "function": {"name": MARK}},
    "user": MARK,
    "safety_identifier": MARK,
    "prompt_cache_key": MARK,
    "metadata": {MARK: MARK},
    "stop": [MARK],
}
HEADERS: Final = {"user_agent": MARK, "x_other": MARK, "cookie": MARK, "referer": f"http://localhost/{MARK}"}


def silent(g: Gateway) -> None:
    """Nothing that was logged, in either form, has the mark."""
    for line in (*g.lines, *g.shown):
        assert MARK not in line


@pytest.mark.parametrize("api", list(WIRES))
async def test_no_error_of_a_provider_brings_content_into_the_log(
    api: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """In every shape and with every status; the client, and only the client, is told what the provider says."""
    shapes = bodies(MARK)
    cases = [(status, body) for body in shapes.values() for status in (400, 503)]
    cases += [(status, shapes["openai"]) for status in (401, 402, 403, 404, 413, 422, 429, 500, 529)]
    left = list(cases)

    async def script(talk: Conversation) -> None:
        await talk.json(*left.pop(0))

    async with gateway(tmp_path, script, models=models_json()) as g:
        client = g.client()
        for number, (status, _) in enumerate(cases):
            asked = {**FULL, "model": f"p-{api}/m", "stream": bool(number % 2)}
            reply = await client.ask("POST", f"{URL}?key={MARK}", asked, **HEADERS)
            assert reply.status >= 400
            assert MARK in reply.json["error"]["message"], status
        await client.leave()
        await wait_all_tasks_blocked()
        assert left == []
        assert len(g.log) == len(cases)
        assert all(line["error"] for line in g.log)
        silent(g)


@pytest.mark.parametrize("api", list(WIRES))
async def test_no_answer_brings_content_into_the_log(api: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    """Good ones, errors in the middle of a stream, answers that break off or are no answers at all."""
    now: list[bytes] = []

    async def script(talk: Conversation) -> None:
        json_like = now[0][:1] in (b"{", b"[")
        await talk.head(content_type="application/json" if json_like else WIRES[api].content_type)
        await talk.data(now[0])
        await talk.end()

    async with gateway(tmp_path, script, models=models_json()) as g:
        client = g.client()
        failed = 0
        for number, data in enumerate(answers(api, MARK)):
            now[:] = [data]
            reply = await client.ask("POST", URL, {**CHAT, "model": f"p-{api}/m", "stream": bool(number % 2)})
            failed += reply.status >= 400 or b'"error"' in reply.body
        await client.leave()
        await wait_all_tasks_blocked()
        assert failed
        silent(g)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    if isinstance(value, (dict, list)):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            found += _places(item, (*path, key))
    return found


def _with(root: Any, path: tuple[Any, ...], value: Any) -> Any:
    copy = dict(root) if isinstance(root, dict) else list(root)
    copy[path[0]] = value if len(path) == 1 else _with(root[path[0]], path[1:], value)
    return copy


@pytest.mark.parametrize("strictness", ["strict", "warn", "pass"])
async def test_no_refusal_brings_content_into_the_log(
    strictness: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Whatever is wrong wherever in a request: what the log has is the kind of fault and its place."""

    async def nobody(talk: Conversation) -> None:
        await talk.json(500, b"{}")

    wrong = (7, True, MARK, [MARK], {MARK: MARK}, {"type": MARK}, f"http://{MARK}.test/{MARK}?{MARK}", None)
    async with gateway(tmp_path, nobody, models=models_json(), flags={"strictness": strictness}) as g:
        client = g.client()
        good = {"model": "p-openai-completions/m", **FULL}
        for path in _places(FULL):
            for value in wrong:
                await client.ask("POST", URL, _with(good, path, value), **HEADERS)
        for name in (*list(FIELDS)[1:], f"a {MARK}"):  # but for the model: which one was asked for is logged
            for value in wrong:
                await client.ask("POST", URL, {**good, name: value}, **HEADERS)
        for body in (f'{{"model": "{MARK}', MARK, f'["{MARK}"]', f'{{"model": {MARK}}}', f'{{"\\ud800 my {MARK}": 1}}'):
            await client.ask("POST", URL, body.encode())
        await client.ask("POST", URL, {**good, "model": f"not {MARK} but a sentence"})
        await client.ask("GET", f"/v1/models?after={MARK}")
        await client.leave()
        await wait_all_tasks_blocked()
        refused = [line for line in g.log if line["ending"] == "refused"]
        assert len(refused) > 300
        assert all(line["error"] for line in refused)
        silent(g)


def test_a_bug_is_told_without_what_it_says(tmp_path: Path) -> None:
    """An exception's text may hold anything: files, lines and kinds of exceptions are enough to find it."""
    lines: list[str] = []

    def fail() -> None:
        try:
            json.loads(f'{{"{MARK}": ')
        except ValueError as exc:
            exc.add_note(MARK)
            raise KeyError(MARK) from exc

    with pytest.raises(ExceptionGroup) as caught:
        try:
            fail()
        except KeyError as exc:
            raise ExceptionGroup(MARK, [exc]) from None
    for style in ("human", "json"):
        Log(style, lines.append).bug(caught.value)
    for line in lines:
        assert MARK not in line
        assert "KeyError" in line
        assert "JSONDecodeError" in line
        assert "in fail" in line


def test_what_modules_tell_pythons_logging_has_the_same_form() -> None:
    """One JSON object per line, without secrets, and without what an exception says; afterwards nobody listens."""
    lines: list[str] = []
    logger = logging.getLogger("piproxy.upstream.flights")
    with Log("json", lines.append).listening():
        logger.warning("The key %s is bad", "sk-0123456789abcdef0123")
        try:
            raise ValueError(MARK)
        except ValueError:
            logger.exception("Getting it failed")
        logger.info("not this")
    logging.getLogger("piproxy").warning("nobody listens")
    first, second = map(json.loads, lines)
    assert (first["event"], first["what"]) == ("warning", "The key *** is bad")
    assert "ValueError" in second["trace"]
    assert MARK not in lines[1]


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (InvalidRequest("x", param="messages[0].content[1].image_url.url", code="invalid_image_url"),
         "invalid_image_url: messages[0].content[1].image_url.url"),
        (InvalidRequest("x", param="tools[3].function.parameters.properties.secret.type", code="c"),
         "c: tools[3].function.parameters…"),
        (InvalidRequest("x", param="response_format.json_schema.schema.type", code="c"),
         "c: response_format.json_schema.schema…"),
        (InvalidRequest("x", param="logit_bias.50256"), "invalid_request_error: logit_bias…"),
        (InvalidRequest("x", param="body of a client"), "invalid_request_error: …"),
        (UnsupportedParameter("x", param="num_ctx"), "unsupported_parameter: num_ctx"),
        (UnsupportedParameter("x", param="what the client said"), "unsupported_parameter: …"),
        (UpstreamBroken("It stopped short."), "It stopped short."),
        (UpstreamBroken("No JSON: secret", logged="No JSON."), "No JSON."),
        (ProviderError("secret", upstream_status=400, type="invalid_request_error", code="string_above_max_length",
                       param="messages.[2].content"),
         "The provider refused with status 400: string_above_max_length: messages[2].content."),
        (ProviderError("secret", type="server_error", code="a secret of somebody's"),
         "The provider refused: server_error."),
    ],
)  # fmt: skip
def test_what_is_logged_of_an_error(error: PiproxyError, line: str) -> None:
    """Our own sentences, codes, and the places in a request that the API itself has names for."""
    assert logged(error) == line


def test_the_names_of_places_are_all_known() -> None:
    """Those of the table and of the shapes that a request is checked against."""
    shapes = [shape for shape in vars(schema).values() if isinstance(shape, type) and issubclass(shape, schema._Shape)]
    names = {str(field.alias or name) for shape in shapes for name, field in shape.model_fields.items()}
    assert names | set(FIELDS) == WORDS
