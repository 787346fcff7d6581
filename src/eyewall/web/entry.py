"""Where requests enter an application: match, then dispatch.

`Entry` is the `App` that a server gets of an application. It is compiled and remembers what doesn't change from one
request to the next; what a subclass of `Application` has changed is asked.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from eyewall.base.clock import unix_time
from eyewall.http.delegates import DelegateApp
from eyewall.http.exchange import Exchange
from eyewall.http.request import HTTPServerRequest
from eyewall.http.requestcore import RequestCore
from eyewall.web.dispatch import Dispatch
from eyewall.web.routeindex import Match

if TYPE_CHECKING:
    from eyewall.guard.limits.ratelimit import RateLimit
    from eyewall.http.sink import Sink
    from eyewall.web.routing import ApplicationRouter

_new_request = HTTPServerRequest.__new__


class Entry:
    """Begins the requests of `application`.

    `form_fields`: limit of the profile. `unmatched(request)` returns the dispatch for a request without a route;
    `delegate(request, match)`, where the application makes its delegates itself, returns that for one with.
    """

    __slots__ = (
        "_application",
        "_default",
        "_delegate",
        "_form_fields",
        "_rate_limits",
        "_resolve",
        "_unmatched",
        "_wildcard",
    )

    def __init__(
        self,
        application: Any,
        default_router: ApplicationRouter,
        wildcard_router: ApplicationRouter,
        form_fields: int,
        unmatched: Callable[[HTTPServerRequest], Dispatch],
        delegate: Callable[[HTTPServerRequest, Match], Any] | None,
    ) -> None:
        self._application = application
        self._rate_limits: tuple[RateLimit, ...] = application.rate_limits
        self._default = default_router
        self._wildcard = wildcard_router
        self._form_fields = form_fields
        self._resolve = wildcard_router._resolve
        self._unmatched = unmatched
        self._delegate = delegate

    def begin(self, exchange: Exchange) -> Sink:
        """The head of a request is complete."""
        request = _new_request(HTTPServerRequest)
        core: RequestCore = request
        head = exchange.head
        # From the head on, also where it has waited for its place since.
        now: float = unix_time()
        core.take(exchange, head, self._form_fields, now - exchange.queued)
        # Only where hosts have routes of their own is there anything before the wildcard router.
        if len(self._default.rules) == 1:
            index = self._wildcard.index
            if index is None or len(self._wildcard.rules) != index.size:
                index = self._wildcard._routes()
            match = index.find(head.path, request, self._resolve)
        else:
            match = self._default.match(head.path, request)
        if match is not None and match.route is not None:
            limit = match.route.limit
            if limit is not None:
                if not limit.gate.enter():
                    held: Sink = match.route.turn_away(
                        limit, exchange, partial(self._serve, request, match), True
                    )
                    return held
                exchange.route_gate = limit.gate
        return self._serve(request, match, exchange)

    def _serve(self, request: HTTPServerRequest, match: Match | None, exchange: Exchange) -> Sink:
        """Begins a request whose route is found and has a place."""
        if match is None:
            dispatch = self._unmatched(request)
        else:
            delegate = match.delegate
            if delegate is None and self._delegate is not None:
                delegate = self._delegate(request, match)
            if delegate is None:
                dispatch = Dispatch(
                    self._application,
                    request,
                    match.target,
                    match.target_kwargs,
                    match.raw_args or None,
                    match.raw_kwargs or None,
                )
                route = match.route
                if route is not None:
                    dispatch.route = route
                    if route.rate_limit is not None:
                        dispatch.rate_limits = (*self._rate_limits, route.rate_limit)
                    elif self._rate_limits:
                        dispatch.rate_limits = self._rate_limits
            elif type(delegate) is Dispatch:
                dispatch = delegate
            else:
                return DelegateApp.sink(delegate, exchange)
        if type(dispatch) is not Dispatch:
            # It has to take places first.
            return DelegateApp.sink(dispatch, exchange)  # type: ignore[arg-type]  # one in all but its base
        dispatch.exchange = exchange
        dispatch.begin()
        return dispatch
