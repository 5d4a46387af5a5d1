"""What one provider's models become under the user's models.json (pi-on-disk.md, 5.3; pi: provider-composer.js)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from piproxy.jsontext import Json
from piproxy.model import Cost, Model
from piproxy.pi.entries import cost_from, levels_from
from piproxy.pi.models_file import ProviderConfig
from piproxy.thinking import LEVELS

_NESTED_COMPAT: Final = ("openRouterRouting", "vercelGatewayRouting", "chatTemplateKwargs", "chatTemplateArgs")


class BadProvider(Exception):
    """One provider of models.json makes no sense; the text is pi's. The others are not touched by it."""


def compose(base: Iterable[Model], config: ProviderConfig) -> tuple[Model, ...]:
    """The models of a provider: ``base`` (catalog and store) with the user's layer over it.

    Raises :class:`BadProvider`.
    """
    name = f"Provider {config.id}"
    if config.radius and not config.base_url:
        raise BadProvider(f'{name}: "baseUrl" is required when "oauth" is set.')
    if not config.says_something:
        raise BadProvider(f'{name}: must specify "baseUrl", "headers", "compat", "modelOverrides", or "models".')
    base_url = None if config.radius else config.base_url
    models = {
        model.id: replace(
            model, base_url=base_url or model.base_url, compat=_merged_compat(model.compat, config.compat)
        )
        for model in base
    }
    for definition in config.models:
        donor = _donor(list(models.values()), definition["id"], definition.get("api") or config.api)
        models[definition["id"]] = _defined(definition, config, donor)
    return tuple(
        _overridden(model, config.overrides[model.id]) if model.id in config.overrides else model
        for model in models.values()
    )


def _donor(models: list[Model], id: str, api: str | None) -> Model | None:
    """The model that lends ``api`` and ``baseUrl`` to a definition without them."""
    same_id = (model for model in models if model.id == id)
    same_api = (model for model in models if model.api == api)
    usual = (model for model in models if model.api == "openai-completions")
    return next(same_id, None) or next(same_api, None) or next(usual, None) or next(iter(models), None)


def _defined(definition: Mapping[str, Json], config: ProviderConfig, donor: Model | None) -> Model:
    """A model of ``models``: nothing but ``api`` and ``baseUrl`` is inherited."""
    id = definition["id"]  # noqa: A001
    api = definition.get("api") or config.api or (donor and donor.api)
    if not api:
        raise BadProvider(f'Provider {config.id}, model {id}: no "api" specified. Set at provider or model level.')
    base_url = definition.get("baseUrl") or config.base_url or (donor and donor.base_url)
    if not base_url:
        raise BadProvider(f'Provider {config.id}: "baseUrl" is required when defining custom models.')
    return Model(
        provider=config.id,
        id=id,
        api=api,
        base_url=base_url,
        name=definition.get("name", id),
        reasoning=definition.get("reasoning", False),
        input=tuple(definition.get("input", ("text",))),
        cost=cost_from(definition.get("cost")),
        context_window=_whole(definition.get("contextWindow", 128_000)),
        max_tokens=_whole(definition.get("maxTokens", 16_384)),
        thinking_level_map=levels_from(definition.get("thinkingLevelMap")),
        compat=_merged_compat(config.compat, definition.get("compat", {})),
        sampling_params=definition.get("samplingParams", {}),
        sampling_params_by_level=definition.get("samplingParamsByThinkingLevel", {}),
        input_limits=definition.get("inputLimits", {}),
        prompt_cache=definition.get("promptCache", {}),
    )


def _overridden(model: Model, override: Mapping[str, Json]) -> Model:
    by_level = override.get("samplingParamsByThinkingLevel", {})
    return replace(
        model,
        name=override.get("name", model.name),
        reasoning=override.get("reasoning", model.reasoning),
        input=tuple(override.get("input", model.input)),
        cost=_merged_cost(model.cost, override.get("cost", {})),
        context_window=_whole(override.get("contextWindow", model.context_window)),
        max_tokens=_whole(override.get("maxTokens", model.max_tokens)),
        thinking_level_map={**model.thinking_level_map, **levels_from(override.get("thinkingLevelMap"))},
        compat=_merged_compat(model.compat, override.get("compat", {})),
        sampling_params={**model.sampling_params, **override.get("samplingParams", {})},
        sampling_params_by_level={
            **model.sampling_params_by_level,
            **{
                level: {**model.sampling_params_by_level.get(level, {}), **by_level[level]}
                for level in LEVELS
                if level in by_level
            },
        },
        input_limits=_merged_limits(model.input_limits, override.get("inputLimits", {})),
        prompt_cache={**model.prompt_cache, **override.get("promptCache", {})},
    )


def _merged_cost(base: Cost, over: Mapping[str, Json]) -> Cost:
    """Each rate by itself; ``tiers`` as a whole."""
    return Cost(
        input=float(over.get("input", base.input)),
        output=float(over.get("output", base.output)),
        cache_read=float(over.get("cacheRead", base.cache_read)),
        cache_write=float(over.get("cacheWrite", base.cache_write)),
        tiers=cost_from(over).tiers if "tiers" in over else base.tiers,
    )


def _merged_compat(base: Mapping[str, Json], over: Mapping[str, Json]) -> Mapping[str, Json]:
    if not over:
        return base
    merged = {**base, **over}
    for key in _NESTED_COMPAT:
        if isinstance(base.get(key), dict) and isinstance(over.get(key), dict):
            merged[key] = {**base[key], **over[key]}
    return merged


def _merged_limits(base: Mapping[str, Json], over: Mapping[str, Json]) -> Mapping[str, Json]:
    """``images`` and ``images.resize`` are merged, the rest is replaced."""
    merged = {**base, **over}
    if "images" in base and "images" in over:
        images = {**base["images"], **over["images"]}
        if "resize" in base["images"] and "resize" in over["images"]:
            images["resize"] = {**base["images"]["resize"], **over["images"]["resize"]}
        merged["images"] = images
    return merged


def _whole(number: float) -> int:
    return max(1, int(number))
