"""Delegates that keep to the limits which a request has met on its way (`web.bounds`).

They take places when the head of the request comes, and not when they are made: a delegate may be made and thrown away.
A limit that the request has a place at already takes no second one.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

from eyewall.http.delegates import DelegateSink, HTTPMessageDelegate
from eyewall.http.exchange import Exchange
from eyewall.http.limiting import HeldSink, within
from eyewall.http.tracking import innermost
from eyewall.web.dispatch import Dispatch

if TYPE_CHECKING:
    from eyewall.guard.limits.requestlimit import RequestLimit
    from eyewall.http.sink import Sink


class LimitedMessage(HTTPMessageDelegate):
    """Gives a request to `delegate` when it has a place at each of `limits`."""

    def __init__(
        self, delegate: HTTPMessageDelegate, limits: tuple[RequestLimit, ...], exchange: Exchange
    ) -> None:
        self._delegate = delegate
        self._limits = limits
        self._exchange = exchange
        self._sink: Sink | None = None

    @property
    def within(self) -> Any:
        """Who takes the rest: see `http.tracking`."""
        return self._sink

    @property
    def ready(self) -> Any:
        """What the one who takes it has: see `http.sink`."""
        return getattr(self._sink, "ready", None)

    def headers_received(self, start_line: Any, headers: Any) -> Awaitable[None] | None:
        def begin(exchange: Exchange) -> Sink:
            sink = DelegateSink(self._delegate, exchange)
            try:
                sink.take_head(start_line, headers)
            except Exception:
                sink.closed()
                raise
            return sink

        self._sink = within(self._limits, self._exchange, begin)
        return None

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        return None if self._sink is None else self._sink.data(chunk)

    def finish(self) -> None:
        if self._sink is not None:
            self._sink.end()

    def on_connection_close(self) -> None:
        if self._sink is not None:
            self._sink.closed()


class LimitedDispatch(Dispatch):
    """A dispatch that begins when it has a place at each of `limits`, where it is begun as a delegate."""

    __slots__ = ("_sink", "limits")

    limits: tuple[RequestLimit, ...]
    _sink: Sink

    def cancel(self) -> bool:
        """Cancels the handler, or refuses a request that waits for its place."""
        held = innermost(self._sink)
        return held.cancel() if isinstance(held, HeldSink) else super().cancel()

    def headers_received(self, start_line: Any, headers: Any) -> Any:
        """The head has come. What is returned is done when it is decided whether the request has a place."""
        self._sink = self
        connection = self.request.connection
        if type(connection) is not Exchange:
            # Nobody would say when its response is out.
            return super().headers_received(start_line, headers)
        self.exchange = connection
        sink = self._sink = within(self.limits, connection, self._placed)
        return sink.ready if isinstance(sink, HeldSink) else None

    def _placed(self, exchange: Exchange) -> Sink:
        self.begin()
        return self

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        """Content has come."""
        return self._sink.data(chunk)

    def finish(self) -> None:
        """The request is complete."""
        self._sink.end()

    def on_connection_close(self) -> None:
        """The client left before the response was finished."""
        self._sink.closed()
