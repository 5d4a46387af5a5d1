"""Chat -> ConverseStream (wire reference, 5.1 to 5.5)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, urlsplit

from piproxy import jsontext
from piproxy.budget import output_cap, prompt_chars
from piproxy.chat import Chat
from piproxy.jsontext import Json
from piproxy.model import Model
from piproxy.transcript import lost_names
from piproxy.wire.bedrock_converse.blocks import text
from piproxy.wire.bedrock_converse.claude import takes_cache_points
from piproxy.wire.bedrock_converse.messages import Conversation
from piproxy.wire.bedrock_converse.stream import Notes
from piproxy.wire.bedrock_converse.thinking import sampling_for, thinking_for
from piproxy.wire.bedrock_converse.tools import tooling_for
from piproxy.wire.room import Options, WireRequest, refuse

_CARRIED: Final = frozenset(
    (
        "max_tokens",
        "max_completion_tokens",
        "temperature",
        "top_p",
        "top_k",
        "stop",
        "tools",
        "tool_choice",
        "response_format",
        "reasoning_effort",
        "reasoning",
        "service_tier",
        "prompt_cache_retention",
        "cache_control",
    )
)
_TIERS: Final = ("default", "flex", "priority", "reserved")
_ARN: Final = re.compile(r"arn:aws(?:-[a-z0-9-]+)?:bedrock:([a-z0-9-]+):")
_STANDARD_HOST: Final = re.compile(r"bedrock-runtime(-fips)?\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?")
_DEFAULT_REGION: Final = "us-east-1"


def build_request(chat: Chat, model: Model, options: Options) -> WireRequest:
    """The request, to be signed for ``region``. Raises :class:`ClientError` for what the API cannot do."""
    refuse(chat)
    region = region_of(model, options.env)
    body, dropped = _body(chat, model, options, region)
    return WireRequest(
        url=f"{_endpoint(model, region)}/model/{quote(model.id, safe='')}/converse-stream",
        body=jsontext.dump(jsontext.without_surrogates(body)),
        headers={"content-type": "application/json", "accept": "application/vnd.amazon.eventstream"},
        auth="aws",
        region=region,
        dropped=dropped,
        notes=Notes(model.id, frozenset(tool.name for tool in chat.tools if tool.custom), chat),
    )


def region_of(model: Model, env: Mapping[str, str]) -> str:
    """The region: that of an ARN, then the environment's, then the base URL's."""
    arn = _ARN.match(model.id)
    if arn:
        return arn[1]
    configured = env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION")
    if configured:
        return configured
    standard = _standard(model.base_url)
    return standard[2] if standard else _DEFAULT_REGION


def _endpoint(model: Model, region: str) -> str:
    """A base URL of AWS's own follows the region; any other one is used as it is."""
    standard = _standard(model.base_url)
    if model.base_url and not standard:
        return model.base_url.rstrip("/")
    fips = (standard[1] or "") if standard else ""
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return f"https://bedrock-runtime{fips}.{quote(region, safe='')}.{suffix}"


def _standard(base_url: str) -> re.Match[str] | None:
    return _STANDARD_HOST.fullmatch((urlsplit(base_url).hostname or "").lower())


def _body(chat: Chat, model: Model, options: Options, region: str) -> tuple[dict[str, Json], tuple[str, ...]]:
    takes_points = takes_cache_points(model, options.env)
    conversation = Conversation(
        chat,
        model,
        options.replay,
        marks=takes_points,
        automatic=options.cache != "none",
        long=options.cache == "long" or chat.prompt_cache_retention == "24h",
    )
    tooling = tooling_for(chat, model, marks=takes_points)
    cap = output_cap(chat.max_tokens, model, chars=prompt_chars(chat))
    thinking = thinking_for(chat, model, cap, region, budget_allowed=not conversation.forbids_a_budget)
    sampling = sampling_for(chat, model, thinks=thinking.on)
    fields = dict(thinking.fields)
    if sampling.top_k is not None:
        fields["top_k"] = sampling.top_k
    inference: dict[str, Json] = {
        "maxTokens": cap,
        "temperature": sampling.temperature,
        "topP": sampling.top_p,
        "stopSequences": list(chat.stop) or None,
    }
    members: dict[str, Json] = {
        "messages": conversation.messages,
        "system": [*conversation.system, *filter(None, map(text, tooling.wishes))],
        "inferenceConfig": {name: value for name, value in inference.items() if value is not None},
        "toolConfig": tooling.config,
        "outputConfig": tooling.output,
        "additionalModelRequestFields": fields,
        "serviceTier": {"type": chat.service_tier} if chat.service_tier in _TIERS else None,
    }
    dropped = [name for name in (*chat.given, *chat.extra) if name not in _CARRIED]
    dropped += [*sampling.dropped, *tooling.dropped]
    if thinking.ignored:
        dropped += [name for name in ("reasoning_effort", "reasoning") if name in chat.given]
    if chat.service_tier and chat.service_tier not in _TIERS and "service_tier" in chat.given:
        dropped.append("service_tier")
    if not takes_points:
        dropped += [name for name in ("cache_control", "prompt_cache_retention") if name in chat.given]
    return {name: value for name, value in members.items() if value}, (*dropped, *lost_names(chat.messages))
