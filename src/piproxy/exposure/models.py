"""The exposure modes: which of the available models clients see."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from piproxy.errors import ModelNotFound
from piproxy.exposure.ids import public_ids
from piproxy.exposure.nearest import nearest
from piproxy.model import Model
from piproxy.pi.enabled import select
from piproxy.settings import Settings

_PLAIN_ID: Final = re.compile(r"[\w./:@+~-]{1,128}", re.ASCII)
"""What ids of models look like; anything else that a client asks for is not repeated in the log."""
_TOLD: Final = 64
"""Wrong ids that are looked for once: a client that is set up wrongly asks again and again."""


@dataclass(frozen=True, slots=True)
class Exposure:
    """The exposed models and their ids."""

    by_public_id: Mapping[str, Model] = field(default_factory=dict)
    """In pi's order."""
    why_empty: str | None = None
    """What to do about it, when nothing is exposed."""
    warnings: tuple[str, ...] = ()
    """Names in the settings that match nothing."""
    _public: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """Provider and model id -> public id."""
    _canonical: Mapping[str, Model] = field(default_factory=dict)
    _knows: Callable[[str], bool] = lambda _: False
    """Does pi have a model of that id, whether clients see it or not?"""
    _told: dict[str, str] = field(default_factory=dict, repr=False)
    """What was said to those who asked for what is not there."""

    @property
    def models(self) -> tuple[Model, ...]:
        """The exposed models, in pi's order."""
        return tuple(self.by_public_id.values())

    @property
    def ids(self) -> tuple[str, ...]:
        """The public ids, in the order of :attr:`models`."""
        return tuple(self.by_public_id)

    def resolve(self, id: str) -> Model:
        """The model of a public id, else of a canonical id. Raises :class:`~piproxy.errors.ModelNotFound`."""
        model = self.by_public_id.get(id) or self._canonical.get(id)
        if model is None:
            logged = f"The model {id} is not exposed." if _PLAIN_ID.fullmatch(id) else None
            why = self._told.get(id) or self._why_not(id)
            if len(self._told) < _TOLD:
                self._told[id] = why
            raise ModelNotFound(why, param="model", logged=logged)
        return model

    def _why_not(self, id: str) -> str:
        """OpenAI's sentence with the ids that look alike; or that there is such a model, and who tells more."""
        if self._knows(id) and all(model.id != id for model in self.models):
            return f"The model `{id[:200]}` is not offered to clients now; `piproxy models --all` tells why."
        near = " or ".join(f"`{one}`" for one in nearest(id[:200], self.by_public_id))
        hint = f" Did you mean {near}?" if near else ""
        return f"The model `{id[:200]}` does not exist or you do not have access to it.{hint}"

    def public_id(self, model: Model) -> str:
        """The public id of an exposed model; ``KeyError`` for any other."""
        return self._public[model.provider, model.id]

    def exposes(self, model: Model) -> bool:
        return (model.provider, model.id) in self._public


def expose(
    available: Sequence[Model],
    settings: Settings,
    enabled: Sequence[str] = (),
    knows: Callable[[str], bool] = lambda _: False,
) -> Exposure:
    """Choose and name the models. ``available`` have a credential; ``enabled`` are pi's ``enabledModels`` patterns.

    ``knows``: is there a model of that id, available or not?

    Raises :class:`~piproxy.errors.ConfigError` where two models would have one id, or two providers one prefix.
    """
    chosen, warnings = _chosen(available, settings, enabled)
    named = public_ids(chosen, settings)
    warnings += _shared_prefixes(settings.provider_prefixes)
    return Exposure(
        by_public_id=named,
        why_empty=None if chosen else _why_empty(available, settings, enabled),
        warnings=warnings,
        _public={(model.provider, model.id): id for id, model in named.items()},  # noqa: A001
        # Two models have one canonical id only if a provider's id has a slash; the first one is meant then.
        _canonical={model.canonical_id: model for model in reversed(named.values())},
        _knows=knows,
    )


def _chosen(
    available: Sequence[Model], settings: Settings, enabled: Sequence[str]
) -> tuple[tuple[Model, ...], tuple[str, ...]]:
    match settings.model_exposure_mode:
        case "all":
            return tuple(available), ()
        case "scoped":
            idle = _missing(settings.scoped_providers, (model.provider for model in available))
            chosen = tuple(model for model in available if model.provider in settings.scoped_providers)
            return chosen, tuple(f"scopedProviders: {name} has no usable model" for name in idle)
        case "custom":
            idle = _missing(settings.custom_models, (model.canonical_id for model in available))
            wanted = frozenset(settings.custom_models)
            chosen = tuple(model for model in available if model.canonical_id in wanted)
            return chosen, tuple(f"customModels: {name} is not available" for name in idle)
        case "enabled":
            if not enabled:
                return tuple(available), ()
            chosen, idle = select(enabled, available)
            return chosen, tuple(f"enabledModels: {pattern} matches no available model" for pattern in idle)


def _shared_prefixes(prefixes: Mapping[str, str]) -> tuple[str, ...]:
    """Not an error as long as only one of the providers gets its prefix; a further model may change that."""
    owners: dict[str, list[str]] = {}
    for provider, prefix in prefixes.items():
        owners.setdefault(prefix, []).append(provider)
    return tuple(
        f"providerPrefixes: {', '.join(shared)} have the same prefix {prefix!r}"
        for prefix, shared in owners.items()
        if len(shared) > 1
    )


def _missing(wanted: Iterable[str], there: Iterable[str]) -> tuple[str, ...]:
    known = frozenset(there)
    return tuple(name for name in wanted if name not in known)


def _why_empty(available: Sequence[Model], settings: Settings, enabled: Sequence[str]) -> str:
    if not available:
        return "no provider has a usable credential: log in with `pi` and /login, or set a key such as OPENAI_API_KEY"
    match settings.model_exposure_mode:
        case "scoped" if not settings.scoped_providers:
            return (
                "modelExposureMode is scoped, but scopedProviders is empty: name providers there, or use enabled for "
                "pi's own enabledModels, or all"
            )
        case "scoped":
            names = ", ".join(settings.scoped_providers)
            return f"modelExposureMode is scoped, but none of scopedProviders ({names}) has a usable model"
        case "custom" if not settings.custom_models:
            return "modelExposureMode is custom, but customModels is empty: name canonical ids there, or use all"
        case "custom":
            return "modelExposureMode is custom, but none of customModels is available"
        case _:
            return f"modelExposureMode is enabled, but enabledModels ({', '.join(enabled)}) matches no available model"
