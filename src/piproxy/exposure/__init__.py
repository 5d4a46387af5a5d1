"""Which models clients see, and under which ids.

A *canonical id* is ``provider/model-id``; a *public id* is what ``GET /v1/models`` lists. A request may use either, the
public id first, and only for exposed models.
"""

from __future__ import annotations

from piproxy.exposure.models import Exposure, expose

__all__ = ["Exposure", "expose"]
