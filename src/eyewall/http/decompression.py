"""Serving requests whose content is compressed: between a connection and any app.

The application sees what was compressed, and the field that said so as `X-Consumed-Content-Encoding`. Limits count
what comes out; see `http.decompress`.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

from eyewall.guard.profile import Profile
from eyewall.http.decompress import BodyDecompressor, decompressor_for
from eyewall.http.exchange import Exchange
from eyewall.http.pieces import pass_on
from eyewall.http.sink import Sink

if TYPE_CHECKING:
    from eyewall.http.interfaces import App


class DecompressingApp:
    """Serves `app`, with the Content-Encoding of requests undone. Codings nobody knows are answered with 415."""

    def __init__(self, app: App, profile: Profile) -> None:
        self._app = app
        self._profile = profile
        #: What a server calls when a connection is lost, if the application wants to know.
        self.on_close = getattr(app, "on_close", None)
        #: Paths that a limit is to let in, if the application names some.
        self.exempt: tuple[str, ...] = tuple(getattr(app, "exempt", ()))

    def begin(self, exchange: Exchange) -> Sink:
        """The head of a request is complete."""
        head = exchange.head
        coding = head.find(b"content-encoding") if head.body else None
        if coding is None:
            return self._app.begin(exchange)
        decompressor = decompressor_for(coding, self._profile)
        if decompressor is None:
            return self._app.begin(exchange)
        head.rename(b"content-encoding", b"X-Consumed-Content-Encoding")
        return DecompressingSink(exchange, self._app.begin(exchange), decompressor)


class DecompressingSink:
    """Passes on what `decompressor` makes of the content."""

    def __init__(self, exchange: Exchange, sink: Sink, decompressor: BodyDecompressor) -> None:
        self._exchange = exchange
        self._sink = sink
        self._decompressor = decompressor

    @property
    def within(self) -> Sink:
        """The sink beneath."""
        return self._sink

    @property
    def ready(self) -> Any:
        """Of the sink beneath: done when it wants content."""
        return getattr(self._sink, "ready", None)

    def data(self, chunk: bytes) -> Awaitable[None] | None:
        """Content has come. What it expands to is passed on in pieces, each when the one before is dealt with."""
        limit = self._exchange.body_limit
        if limit is not None:
            self._decompressor.max_bytes = limit
        return pass_on(self._sink, self._decompressor.feed(chunk))

    def end(self) -> None:
        """The request is complete. Raises RemoteProtocolError where the compressed content is not."""
        self._decompressor.finish()
        self._sink.end()

    def closed(self) -> None:
        """The connection ended before the response was finished."""
        self._sink.closed()
