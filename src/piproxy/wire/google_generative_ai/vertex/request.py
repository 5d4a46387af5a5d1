"""Chat -> Vertex AI: the same body, other addresses (wire reference, 4).

With an API key ("express mode") there is no project; with a Google token there is one, and the location picks the host.
A base URL of the user's own is used as it is and has no project path, as in pi.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final
from urllib.parse import quote

from piproxy.chat import Chat
from piproxy.errors import CredentialError
from piproxy.model import Model
from piproxy.wire.google_generative_ai.request import STREAM, wire_request
from piproxy.wire.room import Options, WireRequest

_VERSION: Final = re.compile(r"/v\d+(?:(?:alpha|beta)\d*)?(?:/|$)")
_EXPRESS: Final = "https://aiplatform.googleapis.com/v1"


def build_request(chat: Chat, model: Model, options: Options) -> WireRequest:
    """The request. Raises :class:`CredentialError` when a Google token has no project or location to go with it."""
    url = f"{_base(model, options)}/{quote(_path(model.id), safe='/:@')}{STREAM}"
    request = wire_request(url, chat, model, options)
    return replace(request, auth="bearer") if options.key_kind == "adc" else request


def _base(model: Model, options: Options) -> str:
    base = model.base_url.rstrip("/")
    if base and "{location}" not in base:
        return base if _VERSION.search(base.partition("://")[2]) else f"{base}/v1"
    if options.key_kind != "adc":
        return _EXPRESS
    project = options.env.get("GOOGLE_CLOUD_PROJECT") or options.env.get("GCLOUD_PROJECT")
    location = options.env.get("GOOGLE_CLOUD_LOCATION")
    if not project or not location:
        raise CredentialError(
            "Vertex AI with a Google login needs GOOGLE_CLOUD_PROJECT and GOOGLE_CLOUD_LOCATION in the environment or "
            "in the stored credential."
        )
    if model.id.startswith("projects/"):
        return f"https://{_host(location)}/v1"
    return f"https://{_host(location)}/v1/projects/{quote(project, safe='')}/locations/{quote(location, safe='')}"


def _host(location: str) -> str:
    if location == "global":
        return "aiplatform.googleapis.com"
    if location in ("us", "eu"):
        return f"aiplatform.{location}.rep.googleapis.com"
    return f"{quote(location, safe='')}-aiplatform.googleapis.com"


def _path(id: str) -> str:
    """The model's resource name; ``vendor/model`` is another publisher's."""
    if id.startswith(("publishers/", "projects/", "models/")):
        return id
    vendor, slash, name = id.partition("/")
    return f"publishers/{vendor}/models/{name}" if slash else f"publishers/google/models/{id}"
