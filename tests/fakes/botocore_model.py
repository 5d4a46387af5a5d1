"""What botocore's description of Bedrock says about a request body."""

from __future__ import annotations

from functools import cache

import botocore.session  # type: ignore[import-untyped]
from botocore.validate import ParamValidator  # type: ignore[import-untyped]

from piproxy.jsontext import Json


@cache
def _converse_stream() -> Json:
    session = botocore.session.Session()
    return session.get_service_model("bedrock-runtime").operation_model("ConverseStream").input_shape


def complaints(body: Json) -> str:
    """Members that ConverseStream does not have, missing ones, and values of a wrong type; ``""`` for none."""
    report = ParamValidator().validate({"modelId": "m", **body}, _converse_stream())
    return str(report.generate_report())
