"""From the bytes of a request body to a :class:`~piproxy.chat.Chat`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from pydantic import ValidationError

from piproxy import chat, thinking
from piproxy.errors import InvalidRequest, UnsupportedParameter
from piproxy.jsontext import Json
from piproxy.openai import faults, schema
from piproxy.openai.body import parse_body
from piproxy.openai.fields import FIELDS, Field
from piproxy.openai.messages import messages
from piproxy.openai.tools import check_schema, tool_choice, tools

Strictness: TypeAlias = Literal["strict", "warn", "pass"]

MAX_UNKNOWN: Final = 50
"""Unknown fields that a request may have, however lenient we are: their names go into a response header."""

_PLAIN_NAME: Final = re.compile(r"[A-Za-z0-9_.$-]{1,64}")

_PLUMBING: Final = frozenset(("model", "messages", "stream", "stream_options", "usage"))
"""Fields that are not listed in :attr:`~piproxy.chat.Chat.given`: every API has them."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """A request, and the fields that were ignored (``x-piproxy-dropped-params``)."""

    chat: chat.Chat
    ignored: tuple[str, ...] = ()
    details: bool = False
    """The client knows OpenRouter's ``reasoning_details``: it asked with a ``reasoning`` object, or gave some back."""


def decode(body: bytes, *, strictness: Strictness = "strict", remote_images: bool = False) -> Decoded:
    """Read one body of ``POST /v1/chat/completions``: :func:`~piproxy.openai.body.parse_body`, then :func:`read`."""
    return read(parse_body(body), strictness=strictness, remote_images=remote_images)


def read(body: Mapping[str, Json], *, strictness: Strictness = "strict", remote_images: bool = False) -> Decoded:
    """Read the object in a body.

    Unknown fields are refused (``strict``), left out and named (``warn``), or kept in ``Chat.extra`` (``pass``).
    Raises :class:`InvalidRequest` and :class:`UnsupportedParameter`, both with the path in ``param``.
    """
    given = {name: value for name, value in body.items() if value is not None}
    if "messages" not in given and "input" in given:
        raise InvalidRequest(
            "This is the body of a Responses request; '/v1/chat/completions' takes 'messages' instead of 'input'.",
            param="input",
            code="invalid_request_body",
        )
    extra: dict[str, Json] = {}
    meaningful: dict[str, Json] = {}
    refused: Field | None = None
    for name, value in given.items():
        field = FIELDS.get(name)
        if field is None or field.kind == "no-op only":
            extra[name] = value
        elif field.changes_nothing(value):
            continue
        elif field.kind == "refuse":
            refused = refused or field
        else:
            meaningful[name] = value
    if extra and (strictness == "strict" or len(extra) > MAX_UNKNOWN or not all(map(_PLAIN_NAME.fullmatch, extra))):
        raise _unknown(extra)
    try:
        request = schema.Request.model_validate(given)
    except ValidationError as error:
        raise faults.from_validation(error, given) from None
    if refused is not None:  # a value of the wrong type is told first: it is no value of the field at all
        raise UnsupportedParameter(
            f"'{refused.name}' is not supported with this value ({refused.note}).",
            advice=refused.hint,
            param=refused.name,
        )
    ignored = tuple(extra) if strictness == "warn" else ()
    if request.reasoning is not None and request.reasoning.exclude:
        ignored = (*ignored, "reasoning.exclude")
    kept = extra if strictness == "pass" else {}
    named = tuple(name for name in meaningful if name not in _PLUMBING)
    asked = _chat(request, meaningful, named, kept, remote_images=remote_images)
    return Decoded(asked, ignored, "reasoning" in asked.given or any(map(_gives_details, asked.messages)))


def _gives_details(message: chat.Message) -> bool:
    return isinstance(message, chat.AssistantMessage) and bool(message.reasoning_details)


def _unknown(extra: Mapping[str, Json]) -> UnsupportedParameter:
    names = ", ".join(f"'{name[:64]}'" for name in list(extra)[:20])
    hints = [FIELDS[name].hint for name in extra if name in FIELDS]
    hints = hints or ["Leave it out, or let piproxy run with the strictness 'warn' or 'pass'."]
    word = "parameter" if len(extra) == 1 else "parameters"
    return UnsupportedParameter(f"Unsupported {word}: {names}.", advice=" ".join(hints), param=next(iter(extra))[:64])


def _chat(
    request: schema.Request,
    meaningful: Mapping[str, Json],
    given: tuple[str, ...],
    extra: Mapping[str, Json],
    *,
    remote_images: bool,
) -> chat.Chat:
    if request.top_logprobs and not request.logprobs:
        raise faults.invalid(("top_logprobs",), "it needs 'logprobs' to be true.")
    offered = tools(request.tools or ())
    choice = tool_choice(request.tool_choice, offered)
    unused = {"tool_choice"} if choice is None else set()
    if not offered:
        unused.add("parallel_tool_calls")
    maximum = request.max_tokens if request.max_completion_tokens is None else request.max_completion_tokens
    if request.max_completion_tokens is not None:
        unused.add("max_tokens")
    stop = _stop(request.stop)
    if not stop:
        unused.add("stop")
    effort = _effort(request)
    if effort is None:
        unused.add("reasoning")
    response_format = _response_format(request.response_format)
    if response_format is None:
        unused.add("response_format")
    return chat.Chat(
        model=request.model,
        messages=messages(request.messages, remote_images=remote_images),
        stream=request.stream or False,
        include_usage=_include_usage(request),
        tools=offered,
        tool_choice=choice,
        parallel_tool_calls=request.parallel_tool_calls if offered else None,
        response_format=response_format,
        max_tokens=maximum,
        temperature=request.temperature,
        top_p=request.top_p,
        top_k=request.top_k if "top_k" in meaningful else None,
        min_p=request.min_p if "min_p" in meaningful else None,
        frequency_penalty=request.frequency_penalty,
        presence_penalty=request.presence_penalty,
        seed=request.seed,
        stop=stop,
        logit_bias=request.logit_bias or {},
        logprobs=request.logprobs or False,
        top_logprobs=request.top_logprobs or None,
        reasoning_effort=effort,
        verbosity=request.verbosity,
        user=request.user,
        safety_identifier=request.safety_identifier,
        metadata=request.metadata or None,
        store=request.store,
        service_tier=request.service_tier,
        prediction=request.prediction,
        prompt_cache_key=request.prompt_cache_key,
        prompt_cache_retention=request.prompt_cache_retention,
        prompt_cache_options=request.prompt_cache_options or None,
        cache_control=request.cache_control,
        web_search_options=request.web_search_options,
        extra=extra,
        given=tuple(name for name in given if name not in unused),
    )


def _include_usage(request: schema.Request) -> bool:
    asked = request.stream_options is not None and request.stream_options.include_usage
    return bool(asked or (request.usage is not None and request.usage.include))


def _stop(stop: str | list[str] | None) -> tuple[str, ...]:
    """Every sequence as it is; an empty one could never stop anything."""
    every = [stop] if isinstance(stop, str) else stop or []
    return tuple(sequence for sequence in every if sequence)


def _response_format(shape: schema.ResponseFormat | None) -> chat.ResponseFormat | None:
    if shape is None or shape.type == "text":
        return None
    if shape.type == "json_object":
        return chat.ResponseFormat("json_object")
    wanted = shape.json_schema
    if wanted is None:
        raise faults.missing(("response_format", "json_schema"))
    if wanted.schema_ is not None:
        check_schema(wanted.schema_, ("response_format", "json_schema", "schema"), f"response_format '{wanted.name}'")
    return chat.ResponseFormat("json_schema", wanted.name, wanted.description, wanted.schema_, wanted.strict)


def _effort(request: schema.Request) -> str | None:
    """``reasoning_effort`` wins over the ``reasoning`` object; there ``effort`` wins over a number of tokens.

    A number becomes the least effort whose budget reaches it; ``enabled`` alone is OpenRouter's ``medium``.
    """
    wish = request.reasoning
    if request.reasoning_effort is not None or wish is None:
        return request.reasoning_effort
    if wish.enabled is False:
        return "none"
    if wish.effort is not None:
        return wish.effort
    if wish.max_tokens is not None:
        if wish.max_tokens <= 0:
            return "none"
        budgets = thinking.BUDGETS.items()
        return next((level for level, budget in budgets if wish.max_tokens <= budget), "high")
    return "medium" if wish.enabled else None
