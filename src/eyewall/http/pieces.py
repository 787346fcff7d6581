"""Passing content on in pieces, each when the one before is dealt with."""

from __future__ import annotations

from collections.abc import Awaitable, Iterator
from typing import TYPE_CHECKING, Any

from eyewall.http.exchange import Exchange
from eyewall.http.sink import Sink

if TYPE_CHECKING:
    from eyewall.http.interfaces import App


def pass_on(sink: Sink, pieces: Iterator[bytes]) -> Awaitable[None] | None:
    """Gives `sink` all of `pieces`. Returns None when it is done, else what has to be awaited for the rest."""
    for piece in pieces:
        wait = sink.data(piece)
        if wait is not None:
            return _pass_on_rest(sink, wait, pieces)
    return None


async def _pass_on_rest(sink: Sink, wait: Awaitable[None], pieces: Iterator[bytes]) -> None:
    await wait
    for piece in pieces:
        further = sink.data(piece)
        if further is not None:
            await further


class SlicingApp:
    """Serves `app`, which gets no more than `size` bytes of content at once.

    Raises ValueError for a size below 1.
    """

    def __init__(self, app: App, size: int) -> None:
        if size < 1:
            raise ValueError(f"pieces of {size} bytes")
        self._app = app
        self._size = size
        #: What a server calls when a connection is lost, if the application wants to know.
        self.on_close = getattr(app, "on_close", None)
        #: Paths that a limit is to let in, if the application names some.
        self.exempt: tuple[str, ...] = tuple(getattr(app, "exempt", ()))

    def begin(self, exchange: Exchange) -> Sink:
        """The head of a request is complete."""
        sink = self._app.begin(exchange)
        return SlicingSink(sink, self._size) if exchange.head.body else sink


class SlicingSink:
    """Passes content on in pieces of at most `size` bytes."""

    def __init__(self, sink: Sink, size: int) -> None:
        self._sink = sink
        self._size = size

    @property
    def within(self) -> Sink:
        """The sink beneath."""
        return self._sink

    @property
    def ready(self) -> Any:
        """Of the sink beneath: done when it wants content."""
        return getattr(self._sink, "ready", None)

    def data(self, chunk: bytes) -> Awaitable[None] | None:
        """Content has come."""
        size = self._size
        if len(chunk) <= size:
            return self._sink.data(chunk)
        return pass_on(self._sink, (chunk[at : at + size] for at in range(0, len(chunk), size)))

    def end(self) -> None:
        """The request is complete."""
        self._sink.end()

    def closed(self) -> None:
        """The connection ended before the response was finished."""
        self._sink.closed()
