"""What the Claude behind a Bedrock id can do (wire reference, 2.5, 5.4 and 5.6).

The catalog's Bedrock entries have no flags for it, but their thinking levels tell the generation: only models that
think adaptively have ``max``, and only those that refuse sampling parameters have ``xhigh``. For entries without levels
(models.json, inference profiles) the id and the name are read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from piproxy.model import Model

_ADAPTIVE: Final = re.compile(r"opus-4-[6-9]|sonnet-4-[6-9]|(opus|sonnet|haiku|fable|mythos)-5")
_NO_SAMPLING: Final = re.compile(r"opus-4-[7-9]|(opus|sonnet|haiku|fable|mythos)-5")
_ALWAYS: Final = re.compile(r"(fable|mythos)-5|(opus|sonnet)-5-5")
_CACHED: Final = re.compile(r"-4-|(opus|sonnet|haiku)-4|(opus|sonnet|haiku|fable|mythos)-5|3-7-sonnet|3-5-haiku")


@dataclass(frozen=True, slots=True)
class Claude:
    adaptive: bool
    """It decides itself how long to think, by an effort; else it wants a budget in tokens."""
    no_sampling: bool
    """``temperature``, ``top_p`` and ``top_k`` are a 400; and it thinks when nothing is said about thinking."""
    always_thinks: bool
    """Thinking cannot be disabled."""


def claude(model: Model) -> Claude | None:
    """``None`` for a model that is no Claude."""
    name = slug(model)
    if "claude" not in name:
        return None
    levels = model.thinking_level_map
    told = any(levels.get(level) for level in ("xhigh", "max"))
    no_sampling = bool(levels.get("xhigh")) if told else bool(_NO_SAMPLING.search(name))
    return Claude(
        adaptive=bool(model.compat.get("forceAdaptiveThinking", told or _ADAPTIVE.search(name))),
        no_sampling=not model.compat.get("supportsTemperature", not no_sampling),
        always_thinks=("off" in levels and levels["off"] is None) or bool(_ALWAYS.search(name)),
    )


def takes_cache_points(model: Model, env: Mapping[str, str]) -> bool:
    """Claude from 3.5 Haiku and 3.7 on; Nova caches by itself. For profiles that say nothing there is a variable."""
    name = slug(model)
    if "claude" not in name:
        return env.get("AWS_BEDROCK_FORCE_CACHE") == "1"
    return bool(_CACHED.search(name))


def slug(model: Model) -> str:
    """Id and name, lower case, with ``-`` for every separator: a profile's ARN tells nothing, its name may."""
    return re.sub(r"[\s_.:/]+", "-", f"{model.id} {model.name}".lower())
