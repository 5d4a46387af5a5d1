"""The user's layer over a provider's models, row by row of pi's merge rules."""

from __future__ import annotations

from pathlib import Path

import pytest
from fakes.pidir import PiDirectory, model

from piproxy.jsontext import Json
from piproxy.model import Cost, Model, Rates
from piproxy.pi.compose import BadProvider, compose
from piproxy.pi.models_file import ProviderConfig, read

BASE = (
    model(
        "p",
        "m1",
        api="anthropic-messages",
        name="One",
        reasoning=True,
        input=("text", "image"),
        cost=Cost(1, 2, 3, 4, ((100.0, Rates(5, 6, 7, 8)),)),
        context_window=1000,
        max_tokens=100,
        thinking_level_map={"off": None, "low": "l"},
        compat={"a": 1, "openRouterRouting": {"order": ["x"], "only": ["y"]}, "other": {"k": 1}},
        headers={"X-Catalog": "1"},
        sampling_params={"t": 1, "u": 1},
        sampling_params_by_level={"low": {"a": 1}, "high": {"b": 1}},
        input_limits={"maxRequestBytes": 5, "images": {"maxPerRequest": 3, "resize": {"maxWidth": 7, "maxHeight": 7}}},
        prompt_cache={"short": 300, "long": 3600},
    ),
    model("p", "m2", base_url="https://m2"),
    model("p", "m3", api="openai-responses", base_url="https://m3"),
)


def config(tmp_path: Path, **entry: Json) -> ProviderConfig:
    """The entry as it comes out of the file."""
    file = read(PiDirectory(tmp_path).models({"providers": {"p": entry}}).agent.models)
    assert file.problems == ()
    return file.providers["p"]


def by_id(models: tuple[Model, ...]) -> dict[str, Model]:
    return {model.id: model for model in models}


def test_base_url_goes_to_every_model(tmp_path: Path) -> None:
    """A provider's address replaces those of its models."""
    assert {m.base_url for m in compose(BASE, config(tmp_path, baseUrl="https://gw"))} == {"https://gw"}


def test_base_url_of_a_radius_gateway_is_not_the_models(tmp_path: Path) -> None:
    """There it names the gateway."""
    models = compose(BASE, config(tmp_path, baseUrl="https://gw/v1", oauth="radius"))
    assert [m.base_url for m in models] == [m.base_url for m in BASE]


def test_provider_compat_goes_over_each_models(tmp_path: Path) -> None:
    """Shallow, but for the four nested members."""
    entry = {"compat": {"b": 2, "openRouterRouting": {"only": ["z"]}, "other": {"n": 2}}}
    one, two, _ = compose(BASE, config(tmp_path, **entry))
    assert one.compat == {"a": 1, "b": 2, "openRouterRouting": {"order": ["x"], "only": ["z"]}, "other": {"n": 2}}
    assert two.compat == entry["compat"]


def test_definition_with_a_known_id_replaces_the_model(tmp_path: Path) -> None:
    """Nothing but api and address is inherited, and the place is kept."""
    models = compose(BASE, config(tmp_path, models=[{"id": "m1"}]))
    assert [m.id for m in models] == ["m1", "m2", "m3"]
    assert models[0] == Model(
        provider="p", id="m1", name="m1", api="anthropic-messages", base_url="https://llm.test/v1"
    )


def test_definition_with_a_new_id_comes_last_with_its_own_compat(tmp_path: Path) -> None:
    """Its compat is the provider's with its own over it."""
    entry = {
        "compat": {"a": 1, "b": 1},
        "models": [{"id": "new", "compat": {"b": 2}, "contextWindow": 5, "maxTokens": 2}],
    }
    last = compose(BASE, config(tmp_path, **entry))[-1]
    assert (last.id, last.compat, last.context_window, last.max_tokens) == ("new", {"a": 1, "b": 2}, 5, 2)


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"models": [{"id": "m3"}]}, ("openai-responses", "https://m3")),
        ({"models": [{"id": "new", "api": "openai-responses"}]}, ("openai-responses", "https://m3")),
        ({"models": [{"id": "new"}]}, ("openai-completions", "https://m2")),
        ({"api": "mistral", "models": [{"id": "new"}]}, ("mistral", "https://m2")),
        ({"models": [{"id": "new", "api": "a", "baseUrl": "https://own"}]}, ("a", "https://own")),
        ({"api": "b", "baseUrl": "https://gw", "models": [{"id": "new", "api": "a"}]}, ("a", "https://gw")),
    ],
)
def test_missing_api_and_address_come_from_a_donor(
    entry: dict[str, Json], expected: tuple[str, str], tmp_path: Path
) -> None:
    """Same id, else the wanted api, else openai-completions."""
    made = by_id(compose(BASE, config(tmp_path, **entry)))[entry["models"][0]["id"]]
    assert (made.api, made.base_url) == expected


def test_donor_of_last_resort_is_the_first_model(tmp_path: Path) -> None:
    """Without an openai-completions model, the first one lends."""
    assert compose(BASE[::2], config(tmp_path, models=[{"id": "new"}]))[-1].api == "anthropic-messages"


OVERRIDES: list[tuple[Json, dict[str, Json]]] = [
    ({"name": "N", "reasoning": False, "input": ["text"]}, {"name": "N", "reasoning": False, "input": ("text",)}),
    ({"contextWindow": 7, "maxTokens": 3}, {"context_window": 7, "max_tokens": 3}),
    ({"cost": {"output": 9}}, {"cost": Cost(1, 9, 3, 4, ((100.0, Rates(5, 6, 7, 8)),))}),
    ({"cost": {"tiers": []}}, {"cost": Cost(1, 2, 3, 4)}),
    (
        {"thinkingLevelMap": {"off": "none", "max": "m"}},
        {"thinking_level_map": {"off": "none", "low": "l", "max": "m"}},
    ),
    ({"promptCache": {"long": 1}}, {"prompt_cache": {"short": 300, "long": 1}}),
    ({"samplingParams": {"u": 2}}, {"sampling_params": {"t": 1, "u": 2}}),
    (
        {"samplingParamsByThinkingLevel": {"low": {"c": 1}, "off": {"d": 1}}},
        {"sampling_params_by_level": {"low": {"a": 1, "c": 1}, "high": {"b": 1}, "off": {"d": 1}}},
    ),
    (
        {"inputLimits": {"images": {"maxPerMessage": 1, "resize": {"maxWidth": 1}}}},
        {
            "input_limits": {
                "maxRequestBytes": 5,
                "images": {"maxPerRequest": 3, "maxPerMessage": 1, "resize": {"maxWidth": 1, "maxHeight": 7}},
            }
        },
    ),
    (
        {"inputLimits": {"images": {"maxPerRequest": 9}}},
        {
            "input_limits": {
                "maxRequestBytes": 5,
                "images": {"maxPerRequest": 9, "resize": {"maxWidth": 7, "maxHeight": 7}},
            }
        },
    ),
    (
        {"compat": {"openRouterRouting": {"only": []}, "a": 2}},
        {"compat": {"a": 2, "openRouterRouting": {"order": ["x"], "only": []}, "other": {"k": 1}}},
    ),
]


@pytest.mark.parametrize(("override", "fields"), OVERRIDES)
def test_override_changes_what_it_names(override: Json, fields: dict[str, Json], tmp_path: Path) -> None:
    """Each field has its own depth of merging; everything else stays."""
    one, *others = compose(BASE, config(tmp_path, modelOverrides={"m1": override, "unknown": override}))
    assert {name: getattr(one, name) for name in fields} == fields
    unchanged = set(Model.__slots__) - set(fields)
    assert {name: getattr(one, name) for name in unchanged} == {name: getattr(BASE[0], name) for name in unchanged}
    assert others == list(BASE[1:])


def test_override_also_changes_a_definition(tmp_path: Path) -> None:
    """Overrides come last."""
    entry = {"models": [{"id": "m1", "name": "own"}], "modelOverrides": {"m1": {"name": "over"}}}
    assert compose(BASE, config(tmp_path, **entry))[0].name == "over"


@pytest.mark.parametrize(
    ("entry", "base", "text"),
    [
        ({}, BASE, 'Provider p: must specify "baseUrl", "headers", "compat", "modelOverrides", or "models".'),
        ({"name": "P", "models": [], "modelOverrides": {}}, BASE, 'Provider p: must specify "baseUrl", '),
        (
            {"models": [{"id": "m"}]},
            (),
            'Provider p, model m: no "api" specified. Set at provider or model level.',
        ),
        (
            {"api": "openai-completions", "models": [{"id": "m"}]},
            (),
            'Provider p: "baseUrl" is required when defining custom models.',
        ),
        ({"oauth": "radius"}, BASE, 'Provider p: "baseUrl" is required when "oauth" is set.'),
    ],
)
def test_provider_that_makes_no_sense(
    entry: dict[str, Json], base: tuple[Model, ...], text: str, tmp_path: Path
) -> None:
    """The texts are pi's."""
    with pytest.raises(BadProvider) as caught:
        compose(base, config(tmp_path, **entry))
    assert str(caught.value).startswith(text)
