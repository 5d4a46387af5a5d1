"""What the log may say of an error: never a word of a client or of a provider.

Providers quote the prompt in their errors ("invalid value: '…'", content filters), and our own refusals name a client's
tools and schemas. The client is told all of it; the log gets a sentence of ours, the error's code, and the place in the
request as far as it is made of names that the API itself has. What is lost there is in the answer, under the same
request id.
"""

from __future__ import annotations

import re
from typing import Final

from piproxy.errors import (
    BodyTooLarge,
    Forbidden,
    GatewayError,
    NotAuthenticated,
    PiproxyError,
    ProviderError,
    UnsupportedParameter,
    UpstreamBroken,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from piproxy.redact import redact

_OURS: Final = (
    BodyTooLarge,
    Forbidden,
    GatewayError,
    NotAuthenticated,
    UpstreamBroken,
    UpstreamTimeout,
    UpstreamUnreachable,
)
"""Errors whose messages piproxy makes up; one that quotes somebody says so with ``logged``."""

_CODE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.:-]{0,63}")
_NUMBER: Final = re.compile(r"[0-9]{1,6}")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,39}")
_STEP: Final = re.compile(r"[^.\[\]]+")

_VOCABULARY: Final = """
    allowed_tools arguments audio cache_control content custom data description detail effort enabled exclude
    extra_content file file_data file_id filename format frequency_penalty function function_call functions id
    image_url include include_usage input input_audio json_schema logit_bias logprobs max_completion_tokens
    max_tokens messages metadata min_p modalities mode model moderation n name parallel_tool_calls parameters
    prediction presence_penalty prompt_cache_breakpoint prompt_cache_key prompt_cache_options prompt_cache_retention
    reasoning reasoning_content reasoning_details reasoning_effort reasoning_text refusal response_format role
    safety_identifier schema seed service_tier stop store stream stream_options strict temperature text thinking
    tool_call_id tool_calls tool_choice tools top_k top_logprobs top_p type url usage user verbosity
    web_search_options
"""
WORDS: Final = frozenset(_VOCABULARY.split())
"""The names that a request's places are made of."""
_CLIENTS: Final = frozenset(
    (
        "cache_control",
        "extra_content",
        "format",
        "logit_bias",
        "metadata",
        "parameters",
        "prediction",
        "prompt_cache_options",
        "reasoning_details",
        "schema",
        "web_search_options",
    )
)
"""Names and numbers inside of these are the client's own."""


def logged(error: PiproxyError) -> str:
    """One sentence or less, without content and without secrets."""
    if error.logged is not None:
        return redact(error.logged)
    if isinstance(error, _OURS):
        return redact(error.message)
    kind = error.code if error.code is not None and _CODE.fullmatch(error.code) else error.type
    where = _place(error)
    what = f"{kind}: {where}" if where else kind
    if not isinstance(error, ProviderError):
        return what
    status = "" if error.upstream_status is None else f" with status {error.upstream_status}"
    return f"The provider refused{status}: {what}."


def _place(error: PiproxyError) -> str:
    """``messages[0].content``; the rest of a path is left out from the first name on that is not the API's."""
    if error.param is None:
        return ""
    if isinstance(error, UnsupportedParameter) and _NAME.fullmatch(error.param):
        return error.param  # an unknown field: what it is called, and that is what one has to know
    text, last = "", ""
    for step in _STEP.findall(error.param[:500]):
        if last in _CLIENTS:
            return f"{text}…"
        last = step
        if _NUMBER.fullmatch(step):
            text += f"[{step}]"
        elif step in WORDS:
            text += f".{step}" if text else step
        else:
            return f"{text}…"
    return text
