"""A provider's own error, whatever its shape, as the error that the client gets (wire reference, 11.2 and 11.3).

Two steps: :func:`complaint` reads what the provider says out of a body, :func:`provider_error` decides what that means.
The provider's words are always kept in the message, without secrets.
"""

from __future__ import annotations

from piproxy.providererror.meaning import Kind, classify, provider_error
from piproxy.providererror.reading import MAX_MESSAGE, Complaint, complaint, complaint_in

__all__ = ["MAX_MESSAGE", "Complaint", "Kind", "classify", "complaint", "complaint_in", "provider_error"]
