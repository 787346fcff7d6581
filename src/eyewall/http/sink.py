"""Who takes the rest of one request, as a type: what an exchange knows of the application above it."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Protocol


class Sink(Protocol):
    """Takes the rest of one request: any number of `data`, then `end`; or, at any time, `closed`.

    A sink that has to decide first whether it wants the content at all may have an attribute `ready`, a future that
    is done when it does: a client that waits for leave to send it (100) is told then.

    One that keeps all content until the end may have an attribute `whole` that is true: where there is much of it and
    its length is known, `data` is called once, when all of it has come, and is to return None.
    """

    def data(self, chunk: bytes) -> Awaitable[None] | None:
        """Content has come. An awaitable pauses reading until it is done; None asks for more at once."""

    def end(self) -> None:
        """The request is complete."""

    def closed(self) -> None:
        """The connection was lost, or the rest of the request refused, before the response was finished."""
