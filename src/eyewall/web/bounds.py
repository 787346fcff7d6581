"""What bounds a request that finds its handler by way of delegates.

The short way from a connection to a handler (`web.entry`) knows the route and asks its limits. Everywhere else a route
leads to somebody who makes a delegate: a router within a router, an application that finds handlers itself, a delegate
of the program's own. There the limits travel:

    a rule that leads on        notes its route on the request (`Bounds.noted`), behind those that led to it
    who makes a delegate        takes what is noted (`Bounds.taken`), and makes a `LimitedDispatch` of it
    a rule that gets back       a delegate of somebody who took nothing, puts a `LimitedMessage` around it

Both take places when the head of the request comes, and not when they are made: a delegate may be made and thrown away.
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
from eyewall.web.ratelimiting import limit_of, request_limit_of

if TYPE_CHECKING:
    from eyewall.guard.limits.ratelimit import RateLimit
    from eyewall.guard.limits.requestlimit import RequestLimit
    from eyewall.http.sink import Sink
    from eyewall.web.routeindex import Route


class Bounds:
    """The limits that a request has met on its way: `requests` in flight, and `rates`.

    `route`: the one that was found last, None where nobody knows. `carried`: a delegate keeps to them, so that they are
    no business of whoever routes the request after that, as a `FallbackHandler` does.
    """

    __slots__ = ("_outer", "carried", "rates", "requests", "route")

    def __init__(self, outer: Bounds | None, route: Route | None) -> None:
        self._outer = outer
        self.route = route
        self.requests: tuple[RequestLimit, ...] = () if outer is None else outer.requests
        self.rates: tuple[RateLimit, ...] = () if outer is None else outer.rates
        self.carried = False
        if route is not None:
            self._add(route.limit, route.rate_limit)

    @classmethod
    def noted(cls, request: Any, route: Route) -> Bounds:
        """Notes on the request that it has found a route; returns all that holds for it by now."""
        outer = getattr(request, "_bounds", None)
        if outer is not None and outer.carried:
            outer = None
        bounds: Bounds = cls(outer, route)
        request._bounds = bounds
        return bounds

    @classmethod
    def taken(cls, request: Any, handler_class: Any) -> Bounds:
        """Returns what holds for a request that goes to a handler of this class; whoever asks keeps to it."""
        bounds = getattr(request, "_bounds", None)
        if bounds is None or bounds.carried:
            bounds = cls(None, None)
        bounds.carry()
        if bounds.route is None or bounds.route.rule.target is not handler_class:
            # A router of the program's own has decided for it.
            bounds._add(request_limit_of(handler_class, "request_limit"), limit_of(handler_class))
        return bounds

    def _add(self, limit: RequestLimit | None, rate: RateLimit | None) -> None:
        if limit is not None and limit not in self.requests:
            self.requests = (*self.requests, limit)
        if rate is not None and rate not in self.rates:
            self.rates = (*self.rates, rate)

    def carry(self) -> None:
        """A delegate keeps to them, and to those of the routes that led here."""
        bounds: Bounds | None = self
        while bounds is not None:
            bounds.carried = True
            bounds = bounds._outer

    def around(self, delegate: HTTPMessageDelegate, request: Any) -> HTTPMessageDelegate:
        """Returns `delegate`, or what has it keep to the limits where it does not do so itself."""
        if self.carried:
            return delegate
        self.carry()
        connection = request.connection
        if not self.requests or type(connection) is not Exchange:
            return delegate
        return LimitedMessage(delegate, self.requests, connection)


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
