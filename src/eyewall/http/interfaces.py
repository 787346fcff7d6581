"""Who serves requests, as types: what the drivers below know of the applications above."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from eyewall.http.exchange import Exchange


class Sink(Protocol):
    """Takes the rest of one request: any number of `data`, then `end`; or, at any time, `closed`."""

    def data(self, chunk: bytes) -> Awaitable[None] | None:
        """Content has come. An awaitable pauses reading until it is done; None asks for more at once."""

    def end(self) -> None:
        """The request is complete."""

    def closed(self) -> None:
        """The connection was lost, or the rest of the request refused, before the response was finished."""


class App(Protocol):
    """Serves requests. What it raises from `begin` is logged and answered with 500."""

    def begin(self, exchange: Exchange) -> Sink:
        """The head of a request is complete (`exchange.head`)."""
