"""The exposure modes: which of the available models clients see."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from piproxy.errors import ModelNotFound
from piproxy.exposure.ids import public_ids
from piproxy.model import Model
from piproxy.pi.enabled import select
from piproxy.settings import Settings

_PLAIN_ID: Final = re.compile(r"[\w./:@+~-]{1,128}", re.ASCII)
"""What ids of models look like; anything else that a client asks for is not repeated in the log."""


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
            raise ModelNotFound(
                f"The model `{id[:200]}` does not exist or you do not have access to it.", param="model", logged=logged
            )
        return model

    def public_id(self, model: Model) -> str:
        """The public id of an exposed model; ``KeyError`` for any other."""
        return self._public[model.provider, model.id]

    def exposes(self, model: Model) -> bool:
        return (model.provider, model.id) in self._public


def expose(available: Sequence[Model], settings: Settings, enabled: Sequence[str] = ()) -> Exposure:
    """Choose and name the models. ``available`` have a credential; ``enabled`` are pi's ``enabledModels`` patterns.

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
