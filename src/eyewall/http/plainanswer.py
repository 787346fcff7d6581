"""Answers that an endpoint before the application gives by itself: health and metrics."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from eyewall.base.clock import http_date_bytes
from eyewall.guard.profile import active
from eyewall.http.startline import responses

if TYPE_CHECKING:
    from eyewall.http.exchange import Exchange


def answer_plainly(exchange: Exchange, status: int, fields: Iterable[tuple[str, str]], body: bytes) -> None:
    """Responds with `fields`, to which it adds those that every response has, and the whole of `body`."""
    complete = [*fields, ("Date", http_date_bytes(time.time()).decode())]
    token = active().server_token
    if token:
        complete.append(("Server", token))
    block = "".join(f"{name}: {value}\r\n" for name, value in complete).encode("latin-1")
    exchange.respond(status, responses.get(status, "Unknown"), block, body, len(body))
