"""What somebody may have meant who asked for a model that is not there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from piproxy.model import Model
from piproxy.similar import similar

MOST: Final = 3


def nearest(id: str, exposed: Mapping[str, Model]) -> list[str]:
    """The ids, of those that would be answered, that look most like ``id``; often none. ``exposed``: by public id.

    Where ``id`` begins with a provider, its models come first, by their canonical ids. Otherwise a model is named once:
    by its canonical id where that is what looks alike, else by its public id. Its name behind the last slash counts,
    too: whoever asks for ``gpt-5`` may find it as ``openrouter/openai/gpt-5``.
    """
    provider, _, rest = id.partition("/")
    of_it = {model.id: model.canonical_id for model in exposed.values() if model.provider == provider.lower()}
    if rest and (near := similar(rest, of_it, MOST)):
        return [of_it[name] for name in near]
    names: dict[str, list[tuple[str, Model]]] = {}
    for public, model in exposed.items():
        for name in dict.fromkeys((public, model.canonical_id, public.rpartition("/")[2])):
            shown = model.canonical_id if name == model.canonical_id else public
            names.setdefault(name.lower(), []).append((shown, model))
    found: dict[tuple[str, str], str] = {}
    for name in similar(id, names, 2 * MOST):
        for shown, model in names[name]:
            found.setdefault((model.provider, model.id), shown)
    return list(found.values())[:MOST]
