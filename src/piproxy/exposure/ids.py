"""Public ids: when a model's id gets its provider's prefix (pi-on-disk.md, 9.3)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from piproxy.errors import ConfigError
from piproxy.model import Model
from piproxy.settings import Settings


def public_ids(models: Sequence[Model], settings: Settings) -> dict[str, Model]:
    """The exposed models by public id, in order.

    Raises :class:`~piproxy.errors.ConfigError` where two models would have one id, or two providers one prefix.
    """
    match settings.public_model_id_mode:
        case "universal":
            return _by_id([(model.id, model) for model in models], "publicModelIdMode universal")
        case "always-prefixed":
            prefixed = frozenset(model.provider for model in models)
        case "collision-prefixed":
            prefixed = _in_conflict(models, settings.provider_prefixes)
    labels = _labels(models, prefixed, settings.provider_prefixes)
    pairs = [
        (f"{labels[model.provider]}/{model.id}" if model.provider in prefixed else model.id, model) for model in models
    ]
    named = _by_id(pairs, "publicModelIdMode")
    for model in models:
        taker = named.get(model.canonical_id, model)
        if taker.canonical_id != model.canonical_id and taker.provider in prefixed:
            raise ConfigError(
                f"providerPrefixes: with the prefix {labels[taker.provider]!r} a model of {taker.provider} would be "
                f"called {model.canonical_id}, which is a model of {model.provider}; choose another prefix."
            )
    return named


def _in_conflict(models: Sequence[Model], prefixes: Mapping[str, str]) -> frozenset[str]:
    """The providers whose models get a prefix: every group that is connected by shared ids, whole.

    A provider whose bare id reads like a prefixed id of another joins them, so that no id is given twice.
    """
    conflicting: set[str] = set()
    while True:
        holders: dict[str, set[str]] = {}
        for model in models:
            holders.setdefault(model.id, set()).add(model.provider)
            if model.provider in conflicting:
                holders.setdefault(f"{prefixes.get(model.provider, model.provider)}/{model.id}", set()).add(
                    model.provider
                )
        found = {provider for providers in holders.values() if len(providers) > 1 for provider in providers}
        if found <= conflicting:
            return frozenset(conflicting)
        conflicting |= found


def _labels(models: Sequence[Model], prefixed: frozenset[str], prefixes: Mapping[str, str]) -> dict[str, str]:
    """The prefix of each provider; no two may share one, nor may one be another provider's id."""
    labels = {provider: prefixes.get(provider, provider) for provider in dict.fromkeys(m.provider for m in models)}
    owners: dict[str, str] = {}
    for provider in sorted(prefixed):
        other = owners.setdefault(labels[provider], provider)
        taken = labels[provider] if labels[provider] in labels and labels[provider] != provider else None
        if other != provider or taken:
            raise ConfigError(
                f"providerPrefixes: {provider} and {taken or other} would both have the prefix {labels[provider]!r}; "
                "give each provider its own."
            )
    return labels


def _by_id(pairs: Sequence[tuple[str, Model]], setting: str) -> dict[str, Model]:
    counted = Counter(id for id, _ in pairs)  # noqa: A001
    double = [id for id, count in counted.items() if count > 1]  # noqa: A001
    if double:
        shown = "; ".join(
            f"{id} ({', '.join(model.provider for other, model in pairs if other == id)})"
            for id in double[:10]  # noqa: A001
        )
        more = f" and {len(double) - 10} more" if len(double) > 10 else ""
        raise ConfigError(
            f"{setting}: these ids are not unique: {shown}{more}. Use collision-prefixed, or expose less."
        )
    return dict(pairs)
