"""What pi fetched goes over the catalog by its age, and for some providers replaces it."""

from __future__ import annotations

from pathlib import Path

import pytest
from fakes.pidir import PiDirectory, model

from piproxy.jsontext import Json
from piproxy.model import Model
from piproxy.pi.models_store import ModelsStore, read

GENERATED = 1_000_000.0
BASE = (model("p", "old"), model("p", "kept"))


def entry(id: str, provider: str = "p", **more: Json) -> Json:
    return {"id": id, "provider": provider, "api": "openai-completions", "baseUrl": "https://new", **more}


def load(content: Json, tmp_path: Path) -> ModelsStore:
    return read(PiDirectory(tmp_path).store(content).agent.models_store, sleep=lambda _: None)


def ids(models: tuple[Model, ...]) -> list[str]:
    return [model.id for model in models]


@pytest.mark.parametrize(
    ("modified", "expected"),
    [
        ({"lastModified": GENERATED + 1}, ["old", "kept", "new"]),
        ({"lastModified": GENERATED}, ["old", "kept"]),
        ({"lastModified": GENERATED - 1}, ["old", "kept"]),
        ({"lastModified": "soon"}, ["old", "kept"]),
        ({}, ["old", "kept"]),
    ],
)
def test_newer_entries_go_over_the_catalog(modified: dict[str, Json], expected: list[str], tmp_path: Path) -> None:
    """Only an entry later than the catalog counts; a known id is replaced in place, a new one comes last."""
    store = load({"p": {"models": [entry("new"), entry("old")], **modified}}, tmp_path)
    models = store.over("p", BASE, GENERATED)
    assert ids(models) == expected
    assert models[0].base_url == ("https://new" if "new" in expected else "https://llm.test/v1")


def test_other_providers_and_other_kinds_are_left_out(tmp_path: Path) -> None:
    """An entry holds chat models of its own provider; a missing type is chat."""
    models = [entry("a", type="chat"), entry("b", type="image"), entry("c", "q"), entry("d"), 7, {"id": 1}]
    store = load({"p": {"models": models, "lastModified": GENERATED + 1}}, tmp_path)
    assert ids(store.over("p", (), GENERATED)) == ["a", "d"]


def test_openrouters_list_replaces_the_catalog_unless_empty(tmp_path: Path) -> None:
    """It is the key's personal list, whatever its age."""
    base = (model("openrouter", "a"),)
    full = load({"openrouter": {"models": [entry("mine", "openrouter")]}}, tmp_path)
    assert ids(full.over("openrouter", base, GENERATED)) == ["mine"]
    empty = load({"openrouter": {"models": [], "checkedAt": 1}}, tmp_path)
    assert empty.over("openrouter", base, GENERATED) == base


def test_radius_list_replaces_the_catalog_even_when_empty(tmp_path: Path) -> None:
    """A gateway's owner may have switched models off."""
    store = load({"radius": {"models": []}}, tmp_path)
    assert store.over("radius", (model("radius", "a"),), GENERATED, replaces=True) == ()
    assert ModelsStore().over("radius", BASE, GENERATED, replaces=True) == BASE


def test_llama_models_come_from_here_alone(tmp_path: Path) -> None:
    """The list needs no date."""
    store = load({"llama.cpp": {"models": [entry("local", "llama.cpp")]}}, tmp_path)
    assert ids(store.over("llama.cpp", (), GENERATED)) == ["local"]


@pytest.mark.parametrize("content", ["{", "null", "[]", "x"])
def test_malformed_file_is_ignored_and_told(content: str, tmp_path: Path) -> None:
    """The catalog stands, and the problem names the file."""
    store = load(content, tmp_path)
    assert store.over("p", BASE, GENERATED) == BASE
    assert [problem.path.name for problem in store.problems] == ["models-store.json"]


@pytest.mark.parametrize("content", [{}, {"p": 1}, {"p": {"models": {}}}, "", {"p": {"lastModified": 1e15}}])
def test_malformed_entry_counts_as_missing(content: Json, tmp_path: Path) -> None:
    """One bad entry is no reason to speak up."""
    store = load(content, tmp_path)
    assert store.over("p", BASE, GENERATED) == BASE
    assert store.problems == ()


def test_a_list_that_names_a_model_twice_has_it_once(tmp_path: Path) -> None:
    """Where the list stands alone, the first one counts, as in pi; two of one name would stop the start."""
    store = load({"radius": {"models": [entry("x", "radius", name=name) for name in ("one", "two")]}}, tmp_path)
    assert [model.name for model in store.over("radius", (), GENERATED, replaces=True)] == ["one"]
