"""Who serves requests, as a type: what the drivers know of the applications above."""

from __future__ import annotations

from typing import Protocol

from eyewall.http.exchange import Exchange
from eyewall.http.sink import Sink


class App(Protocol):
    """Serves requests. What it raises from `begin` is logged and answered with 500."""

    def begin(self, exchange: Exchange) -> Sink:
        """The head of a request is complete (`exchange.head`)."""
