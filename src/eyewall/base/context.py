"""What is known about the work in progress, carried by context variables.

The server sets `request_id` before it calls into an application; everything that runs on behalf of the
request, also in tasks it starts, sees it. The log formatters print it.
"""

from __future__ import annotations

from contextvars import ContextVar

#: The id of the request being served, as in its `X-Request-ID` header; None outside of requests.
request_id: ContextVar[str | None] = ContextVar("eyewall.request_id", default=None)
