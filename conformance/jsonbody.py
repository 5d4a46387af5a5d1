"""Bodies that may be JSON."""

from __future__ import annotations

import json
from typing import Any


def parsed(body: bytes) -> Any:
    """The value, or ``{}`` for what is not JSON."""
    try:
        return json.loads(body)
    except ValueError:
        return {}
