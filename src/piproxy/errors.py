"""Every error that piproxy shows to anybody, and what a client is told about it.

    PiproxyError
    ├── ClientError                     the request is at fault
    │   ├── InvalidRequest              400
    │   │   └── NeedsInlineImages       400   images by address, to an API that takes only data
    │   ├── UnsupportedParameter        422
    │   ├── NotAuthenticated            401
    │   ├── Forbidden                   403
    │   ├── ModelNotFound               404
    │   ├── NotFound                    404
    │   ├── MethodNotAllowed            405
    │   └── BodyTooLarge                413
    ├── GatewayError                    piproxy, its files or its host are at fault
    │   ├── CredentialError             502   no usable credential for the provider
    │   ├── Overloaded                  503   our own limit on concurrency
    │   ├── ShuttingDown                503
    │   └── ConfigError                 500   never reaches a client; stops the start
    └── UpstreamError                   the provider is at fault
        ├── ProviderError               what the provider itself answered, mapped
        ├── UpstreamTimeout             504
        ├── UpstreamUnreachable         502   refused, reset before an answer, DNS, TLS
        └── UpstreamBroken              502   stopped short or talked nonsense

An error knows its HTTP status and the ``type``, ``code`` and ``param`` of OpenAI's error object. No message may hold a
secret: whoever raises with foreign text redacts it first (:mod:`piproxy.redact`). A message is for the client, whose
words it may repeat; what the log may say of an error is decided by :mod:`piproxy.logged`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TypedDict, Unpack

from piproxy.events import Event

NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class Details(TypedDict, total=False):
    """What any error can be told beside its message."""

    param: str | None
    code: str | None
    type: str | None
    status: int | None
    headers: Mapping[str, str]
    logged: str | None


class ClientDetails(Details, total=False):
    """And an error that is the request's fault."""

    part: object | None


class PiproxyError(Exception):
    """Base of all errors that have an answer for a client.

    ``headers`` are extra response headers (``retry-after``, ``x-should-retry``, ``x-ratelimit-*`` …), names in lower
    case.
    """

    status: int = 500
    type: str = "server_error"
    code: str | None = None

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        type: str | None = None,
        status: int | None = None,
        headers: Mapping[str, str] = NO_HEADERS,
        logged: str | None = None,
    ) -> None:
        """``logged``: what the log says in place of the message, where that repeats words of others."""
        super().__init__(message)
        self.message = message
        self.param = param
        self.headers = headers
        self.logged = logged
        if code is not None:
            self.code = code
        if type is not None:
            self.type = type
        if status is not None:
            self.status = status


class ClientError(PiproxyError):
    """The request is at fault; sending it again unchanged will not help.

    ``part`` is the part of a message that an API cannot take, where whoever raises does not know its place
    (:func:`piproxy.chat.place_of`).
    """

    status = 400
    type = "invalid_request_error"

    def __init__(self, message: str, *, part: object | None = None, **details: Unpack[Details]) -> None:
        super().__init__(message, **details)
        self.part = part


class InvalidRequest(ClientError):
    """A wrong type, a value out of range, a missing field: 400 with the path in ``param``."""


class NeedsInlineImages(InvalidRequest):
    """A room met an image by address and its API takes only base64: whoever can fetch it builds the request again."""

    code = "unsupported_image_url"


class UnsupportedParameter(ClientError):
    """A field, or a value of it, that the chosen model's API cannot honour: 422.

    ``advice`` is what to do about it, a sentence behind the message.
    """

    status = 422
    code = "unsupported_parameter"

    def __init__(
        self,
        message: str,
        *,
        advice: str = "Leave it out, or choose a model whose API has it.",
        **details: Unpack[ClientDetails],
    ) -> None:
        super().__init__(f"{message} {advice}".strip(), **details)


class NotAuthenticated(ClientError):
    """The proxy's own token is missing or wrong."""

    status = 401
    code = "invalid_api_key"


class Forbidden(ClientError):
    """A foreign ``Host`` or a cross-site ``Origin``."""

    status = 403


class ModelNotFound(ClientError):
    """The model is not exposed."""

    status = 404
    code = "model_not_found"


class NotFound(ClientError):
    """No such path."""

    status = 404


class MethodNotAllowed(ClientError):
    """The path exists, the method does not."""

    status = 405


class BodyTooLarge(ClientError):
    """More bytes than the limit, counted as they arrive."""

    status = 413
    code = "request_too_large"


class GatewayError(PiproxyError):
    """piproxy cannot serve this now."""


class CredentialError(GatewayError):
    """No usable credential for the provider; the message names the next step and never the secret.

    ``passing``: whoever gives out tokens is away or too busy just now. The official SDKs repeat a 502 by themselves,
    which then helps; in every other case they are told not to. ``retry_after``: seconds that it wants to be left alone.
    """

    status = 502
    code = "upstream_auth_error"

    def __init__(self, message: str, *, passing: bool = False, retry_after: str | None = None) -> None:
        headers = {"x-should-retry": "false"}
        if passing:
            headers = {} if retry_after is None else {"retry-after": retry_after}
        super().__init__(message, headers=headers)
        self.passing = passing


class Overloaded(GatewayError):
    """Too many requests at once here."""

    status = 503
    code = "overloaded"


class ShuttingDown(GatewayError):
    """The proxy is stopping."""

    status = 503
    code = "shutting_down"


class ConfigError(GatewayError):
    """Settings or files that make a start impossible; the message says where and what to do."""


class UpstreamError(PiproxyError):
    """The provider, or the way to it, failed."""

    status = 502
    code: str | None = "upstream_error"
    events: Sequence[Event] = ()
    """What a parser had already read, in the same bytes, when it met the error (:func:`piproxy.wire.room.keeping`)."""


class ProviderError(UpstreamError):
    """The provider answered with an error; status, type and code are already the client's (rule: wire reference, 11.3).

    ``upstream_status`` is the provider's own HTTP status, ``None`` for an error inside a stream.
    """

    def __init__(self, message: str, *, upstream_status: int | None = None, **details: Unpack[Details]) -> None:
        super().__init__(message, **details)
        self.upstream_status = upstream_status


class UpstreamTimeout(UpstreamError):
    """A deadline of ours passed."""

    status = 504
    code = "timeout"


class UpstreamUnreachable(UpstreamError):
    """No connection, or it broke before the provider answered."""


class UpstreamBroken(UpstreamError):
    """The answer stopped short or cannot be read."""

    code = "upstream_protocol_error"
