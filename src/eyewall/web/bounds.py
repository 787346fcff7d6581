"""What bounds a request that finds its handler by way of delegates.

The short way from a connection to a handler (`web.entry`) knows the route and asks its limits. Everywhere else a route
leads to somebody who makes a delegate: a router within a router, an application that finds handlers itself, a delegate
of the program's own. There the limits travel:

    a rule that leads on        notes its route on the request (`Bounds.noted`), behind those that led to it
    who makes a delegate        takes what is noted (`Bounds.taken`), and makes a `LimitedDispatch` of it
    a rule that gets back       a delegate of somebody who took nothing, puts a `LimitedMessage` around it

Both are of `web.limiteddelegates`, which only programs with such limits load.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eyewall.guard.limits.stated import as_rate_limit, as_request_limit
from eyewall.http.exchange import Exchange

if TYPE_CHECKING:
    from eyewall.guard.limits.ratelimit import RateLimit
    from eyewall.guard.limits.requestlimit import RequestLimit
    from eyewall.http.delegates import HTTPMessageDelegate
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
            bounds._add(
                as_request_limit(getattr(handler_class, "request_limit", None)),
                as_rate_limit(getattr(handler_class, "rate_limit", None)),
            )
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
        # Most requests meet no limit.
        from eyewall.web.limiteddelegates import LimitedMessage

        return LimitedMessage(delegate, self.requests, connection)
