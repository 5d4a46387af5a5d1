"""One request, one upstream stream.

The plan. An exchange runs as a task in the request's own nursery. When the client leaves, that nursery is cancelled,
the ``async with`` around the upstream stream unwinds, and the connection to the provider is closed in that instant. One
cancel scope (:mod:`piproxy.exchange.deadlines`) covers everything that waits for the provider. Until the provider's
first event the HTTP status is still open, so a refusal keeps its status; after it, an error is one frame.

Nothing is retried, but for one case: a provider refuses a credential, and by now there is another. pi has renewed the
login meanwhile, or a token that was kept in memory was revoked; the provider has done nothing yet, and no client could
know that trying again helps.
"""

from __future__ import annotations

from piproxy.exchange.call import Call, Head
from piproxy.exchange.deadlines import Limits
from piproxy.exchange.exchange import Exchange
from piproxy.exchange.providers import Providers, Upstream
from piproxy.exchange.record import Ending, Record

__all__ = ["Call", "Ending", "Exchange", "Head", "Limits", "Providers", "Record", "Upstream"]
