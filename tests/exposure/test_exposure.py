"""Which models are exposed, under which ids, and what an id means."""

from __future__ import annotations

from itertools import combinations

import pytest
from fakes.pidir import model
from hypothesis import given, settings
from hypothesis import strategies as st

from piproxy.errors import ConfigError, ModelNotFound
from piproxy.exposure import Exposure, expose
from piproxy.model import Model
from piproxy.settings import Settings

OPENAI, CODEX, GROQ = model("openai", "gpt-4o"), model("openai-codex", "gpt-4o"), model("groq", "llama")


def listed(*models: Model, enabled: tuple[str, ...] = (), **settings: object) -> Exposure:
    return expose(models, Settings(**settings), enabled)  # type: ignore[arg-type]


def test_ids_are_bare_without_collisions() -> None:
    """The default names models by their own ids, in order."""
    exposure = listed(OPENAI, GROQ)
    assert exposure.ids == ("gpt-4o", "llama")
    assert exposure.resolve("gpt-4o") is OPENAI
    assert exposure.resolve("openai/gpt-4o") is OPENAI
    assert exposure.public_id(GROQ) == "llama"


def test_colliding_providers_are_prefixed_whole() -> None:
    """All models of a provider that shares an id get its prefix, the others keep theirs."""
    exposure = listed(OPENAI, model("openai", "o3"), CODEX, GROQ)
    assert exposure.ids == ("openai/gpt-4o", "openai/o3", "openai-codex/gpt-4o", "llama")
    with pytest.raises(ModelNotFound):
        exposure.resolve("gpt-4o")


def test_conflict_groups_are_connected() -> None:
    """Two providers that share nothing are both prefixed when a third shares with each."""
    models = (model("a", "1"), model("b", "1"), model("b", "2"), model("c", "2"), model("c", "3"), model("d", "4"))
    assert listed(*models).ids == ("a/1", "b/1", "b/2", "c/2", "c/3", "4")


def test_collisions_are_looked_for_among_exposed_models_only() -> None:
    """A hidden model takes no id away."""
    exposure = listed(OPENAI, CODEX, model_exposure_mode="scoped", scoped_providers=("openai",))
    assert exposure.ids == ("gpt-4o",)


def test_prefixed_id_that_another_provider_has_as_its_own() -> None:
    """openrouter's ``openai/gpt-4o`` gets its prefix as well when openai's models have theirs."""
    router = model("openrouter", "openai/gpt-4o")
    exposure = listed(OPENAI, CODEX, router)
    assert exposure.ids == ("openai/gpt-4o", "openai-codex/gpt-4o", "openrouter/openai/gpt-4o")
    assert exposure.resolve("openai/gpt-4o") is OPENAI


def test_public_id_comes_before_canonical_id() -> None:
    """Where a bare id reads like another model's canonical id, the listed one is meant."""
    router = model("openrouter", "openai/gpt-4o")
    exposure = listed(OPENAI, router)
    assert exposure.ids == ("gpt-4o", "openai/gpt-4o")
    assert exposure.resolve("openai/gpt-4o") is router
    assert exposure.resolve("openrouter/openai/gpt-4o") is router


def test_hidden_models_cannot_be_reached() -> None:
    """Neither by a bare nor by a canonical id; the error is OpenAI's."""
    exposure = listed(OPENAI, GROQ, model_exposure_mode="custom", custom_models=("groq/llama",))
    for id in ("gpt-4o", "openai/gpt-4o", ""):  # noqa: A001
        with pytest.raises(ModelNotFound) as caught:
            exposure.resolve(id)
        assert caught.value.message == f"The model `{id}` does not exist or you do not have access to it."
        assert (caught.value.status, caught.value.code, caught.value.param) == (404, "model_not_found", "model")
    assert exposure.exposes(GROQ)
    assert not exposure.exposes(OPENAI)


@pytest.mark.parametrize(
    ("asked", "near"),
    [
        ("GPT-4o", ["gpt-4o"]),
        ("gpt4o", ["gpt-4o"]),
        ("openai/gpt-4", ["openai/gpt-4o"]),
        ("grok/lama", ["groq/llama"]),
        ("mistral-small", ["mistral-small-2", "mistral-small-3", "mistral-small-4"]),
        ("deepseek-v3", ["deepseek/deepseek-v3"]),
        ("", []),
        ("x" * 10_000, []),
    ],
)
def test_wrong_ids_are_answered_with_similar_ones(asked: str, near: list[str]) -> None:
    """Three at most, each by an id that is answered; and the same when it is asked again."""
    mistral = [model("mistral", f"mistral-small-{number}") for number in (4, 3, 2, 1)]
    exposure = listed(OPENAI, GROQ, *mistral, model("openrouter", "deepseek/deepseek-v3"))
    said = f"The model `{asked[:200]}` does not exist or you do not have access to it."
    for _ in range(2):
        with pytest.raises(ModelNotFound) as caught:
            exposure.resolve(asked)
        sentence, _, hint = caught.value.message.partition(" Did you mean ")
        assert sentence == said
        assert sorted(hint.rstrip("?").replace("`", "").split(" or ")) == (near or [""])
    assert all(exposure.resolve(one) for one in near)


def test_a_bare_id_that_became_a_prefixed_one_is_named() -> None:
    """Also where pi knows the bare id: clients do see the model."""
    exposure = expose((OPENAI, CODEX), Settings(), knows=lambda _: True)
    with pytest.raises(ModelNotFound, match=r"Did you mean `openai(-codex)?/gpt-4o` or `openai(-codex)?/gpt-4o`\?"):
        exposure.resolve("gpt-4o")


def test_a_model_that_pi_knows_is_told_from_one_that_is_not() -> None:
    """Who asks for a model that clients do not see hears where to find out why, and no other name."""
    custom = Settings(model_exposure_mode="custom", custom_models=("groq/llama",))
    exposure = expose((OPENAI, GROQ), custom, knows={"openai/gpt-4o", "gpt-4o"}.__contains__)
    for id in ("gpt-4o", "openai/gpt-4o"):  # noqa: A001
        with pytest.raises(ModelNotFound) as caught:
            exposure.resolve(id)
        told = "is not offered to clients now; `piproxy models --all` tells why."
        assert caught.value.message == f"The model `{id}` {told}"
        assert (caught.value.status, caught.value.code, caught.value.param) == (404, "model_not_found", "model")


def test_universal_refuses_duplicates_by_name() -> None:
    """The message names each id and its providers."""
    with pytest.raises(ConfigError, match=r"not unique: gpt-4o \(openai, openai-codex\)"):
        listed(OPENAI, CODEX, GROQ, public_model_id_mode="universal")
    assert listed(OPENAI, GROQ, public_model_id_mode="universal").ids == ("gpt-4o", "llama")


def test_always_prefixed_uses_labels() -> None:
    """providerPrefixes rename the prefix; canonical ids go on working."""
    exposure = listed(OPENAI, GROQ, public_model_id_mode="always-prefixed", provider_prefixes={"openai": "oai"})
    assert exposure.ids == ("oai/gpt-4o", "groq/llama")
    assert exposure.resolve("openai/gpt-4o") is OPENAI


@pytest.mark.parametrize(
    "prefixes", [{"openai": "x", "groq": "x"}, {"groq": "openai"}, {"openai": "o", "groq": "openai"}]
)
def test_duplicate_prefixes_are_refused(prefixes: dict[str, str]) -> None:
    """Neither two equal labels nor another provider's id."""
    with pytest.raises(ConfigError, match="would both have the prefix"):
        listed(OPENAI, GROQ, public_model_id_mode="always-prefixed", provider_prefixes=prefixes)


def test_prefixes_of_unprefixed_providers_do_not_matter() -> None:
    """Labels are compared among providers that get one."""
    exposure = listed(OPENAI, GROQ, provider_prefixes={"openai": "x", "groq": "x", "xai": "y"})
    assert exposure.ids == ("gpt-4o", "llama")
    assert exposure.warnings == ("providerPrefixes: openai, groq have the same prefix 'x'",)


def test_label_cannot_capture_a_canonical_id() -> None:
    """A label that spells out another model's canonical id is refused, slashes or not."""
    nested, taker = model("a", "b/c"), model("z", "c")
    with pytest.raises(ConfigError, match=r"a model of z would be called a/b/c, which is a model of a"):
        listed(nested, taker, public_model_id_mode="always-prefixed", provider_prefixes={"z": "a/b", "a": "other"})


def test_one_canonical_id_of_two_models() -> None:
    """Where a provider's id has a slash, each model keeps its public id, and the first has the canonical one."""
    first, second = model("a", "b/x"), model("a/b", "x")
    exposure = listed(first, second)
    assert exposure.ids == ("b/x", "x")
    assert (exposure.public_id(first), exposure.public_id(second)) == ("b/x", "x")
    assert exposure.resolve("a/b/x") is first
    with pytest.raises(ConfigError, match=r"not unique: a/b/x \(a, a/b\)"):
        listed(first, second, public_model_id_mode="always-prefixed")
    labelled = listed(first, second, public_model_id_mode="always-prefixed", provider_prefixes={"a": "q"})
    assert labelled.ids == ("q/b/x", "a/b/x")


WHY = [
    ((), {}, (), "no provider has a usable credential"),
    ((OPENAI,), {"model_exposure_mode": "scoped"}, (), "scopedProviders is empty"),
    ((OPENAI,), {"model_exposure_mode": "scoped", "scoped_providers": ("xai",)}, (), "none of scopedProviders (xai)"),
    ((OPENAI,), {"model_exposure_mode": "custom"}, (), "customModels is empty"),
    ((OPENAI,), {"model_exposure_mode": "custom", "custom_models": ("xai/x",)}, (), "none of customModels"),
    ((OPENAI,), {"model_exposure_mode": "enabled"}, ("xai/*",), "enabledModels (xai/*) matches no"),
]


@pytest.mark.parametrize(("models", "settings", "enabled", "why"), WHY)
def test_mode_that_exposes_nothing_says_why(
    models: tuple[Model, ...], settings: dict[str, object], enabled: tuple[str, ...], why: str
) -> None:
    """With the way out."""
    exposure = listed(*models, enabled=enabled, **settings)
    assert exposure.ids == ()
    assert why in (exposure.why_empty or "")


def test_names_that_match_nothing_are_told() -> None:
    """A misspelt name in the settings is a warning, not an error."""
    exposure = listed(OPENAI, model_exposure_mode="custom", custom_models=("openai/gpt-4o", "openai/gpt-5"))
    assert exposure.warnings == ("customModels: openai/gpt-5 is not available",)
    exposure = listed(OPENAI, model_exposure_mode="scoped", scoped_providers=("openai", "x"))
    assert exposure.warnings == ("scopedProviders: x has no usable model",)
    exposure = listed(OPENAI, model_exposure_mode="enabled", enabled=("gpt-4o", "x"))
    assert exposure.warnings == ("enabledModels: x matches no available model",)
    assert exposure.why_empty is None


def test_enabled_without_a_list_is_everything() -> None:
    """pi without a scope uses all models."""
    assert listed(OPENAI, GROQ, model_exposure_mode="enabled").ids == ("gpt-4o", "llama")
    assert listed(OPENAI, GROQ, model_exposure_mode="enabled", enabled=("groq/*",)).ids == ("llama",)


PROVIDERS = st.sampled_from(["a", "b", "c", "a/b", "openai"])
IDS = st.sampled_from(["x", "y", "z", "a/x", "b/x", "c/y", "openai/x", "b/c"])
CATALOG = st.lists(st.tuples(PROVIDERS, IDS), unique=True, max_size=10).map(
    lambda pairs: tuple(model(provider, id) for provider, id in dict.fromkeys(pairs))  # noqa: A001
)
LABELS = st.dictionaries(PROVIDERS, st.sampled_from(["a", "b", "x", "p", "q", "a/b"]), max_size=3)
MODES = st.sampled_from(["collision-prefixed", "universal", "always-prefixed"])


@settings(deadline=None)
@given(CATALOG, LABELS, MODES)
def test_exposure_is_consistent_or_refused(models: tuple[Model, ...], labels: dict[str, str], mode: str) -> None:
    """Every public id means one model, every exposed model has one; no prefix takes another model's canonical id."""
    try:
        exposure = listed(*models, public_model_id_mode=mode, provider_prefixes=labels)
    except ConfigError:
        return
    assert exposure.models == models
    assert len(set(exposure.ids)) == len(models)
    for exposed in models:
        public = exposure.public_id(exposed)
        assert exposure.resolve(public) is exposed
        assert public == exposed.id or public == f"{labels.get(exposed.provider, exposed.provider)}/{exposed.id}"
        found = exposure.resolve(exposed.canonical_id)
        assert exposed.canonical_id in (found.canonical_id, found.id)


@settings(deadline=None)
@given(CATALOG)
def test_prefixes_follow_the_conflict_groups(models: tuple[Model, ...]) -> None:
    """Providers that share an id are prefixed, and prefixing is all or nothing for each provider."""
    try:
        exposure = listed(*models)
    except ConfigError:
        return
    prefixed = {m.provider for m in models if exposure.public_id(m) != m.id}
    assert all((exposure.public_id(m) != m.id) == (m.provider in prefixed) for m in models)
    for one, other in combinations(models, 2):
        if one.id == other.id:
            assert {one.provider, other.provider} <= prefixed


@settings(deadline=None)
@given(CATALOG, st.sets(PROVIDERS, max_size=3))
def test_scoped_exposes_those_providers(models: tuple[Model, ...], scope: set[str]) -> None:
    """No more and no less."""
    try:
        exposure = listed(*models, model_exposure_mode="scoped", scoped_providers=tuple(scope))
    except ConfigError:
        return
    assert exposure.models == tuple(m for m in models if m.provider in scope)
    assert (exposure.why_empty is None) == bool(exposure.models)
