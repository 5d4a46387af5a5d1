"""``GET /v1/models`` and ``GET /v1/models/{id}``."""

from __future__ import annotations

from quart import Response

from piproxy.jsontext import dump
from piproxy.openai.models import model_list, model_object
from piproxy.server.engine import Engine


class ModelViews:
    """What is exposed right now: files that changed have been read again."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def list(self) -> Response:
        exposure = await self._engine.exposure()
        objects = [
            model_object(exposure.public_id(model), model, created=self._engine.created) for model in exposure.models
        ]
        return Response(dump(model_list(objects)), content_type="application/json")

    async def one(self, model_id: str) -> Response:
        exposure = await self._engine.exposure()
        model = exposure.resolve(model_id.removesuffix("/"))  # as every other path, with or without a slash at the end
        answer = model_object(exposure.public_id(model), model, created=self._engine.created)
        return Response(dump(answer), content_type="application/json")
