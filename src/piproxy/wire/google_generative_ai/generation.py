"""Which Gemini a model is: Gemini 3 changed tool calls, thinking and JSON answers (wire reference, 3.3 and 3.4).

The catalog tells of thinking only, so the version in the id is read for the rest.
"""

from __future__ import annotations

import re
from typing import Final

from piproxy.model import Model

_VERSION: Final = re.compile(r"(?:^|/)gemini(?:-live)?-(\d+)")
_LEVEL_IDS: Final = re.compile(r"gemini-(?:[3-9]|[1-9]\d)|(?:^|/)gemini-flash(?:-lite)?-latest$|gemma-?4")
_LEVELS: Final = ("minimal", "low", "medium", "high", "xhigh", "max")


def is_gemini_3(model: Model) -> bool:
    """Gemini 3 or later: call ids, thought signatures that must come back, images in results, JSON beside tools."""
    name = model.id.lower()
    version = _VERSION.search(name)
    if version:
        return int(version[1]) >= 3
    return "gemini" in name and thinks_by_level(model)


def thinks_by_level(model: Model) -> bool:
    """``thinkingLevel`` instead of ``thinkingBudget``; only models of the first kind have levels in the catalog."""
    if model.thinking_level_map:
        return any(model.thinking_level_map.get(level) for level in _LEVELS)
    return bool(_LEVEL_IDS.search(model.id.lower()))
