"""Requests in flight at a limit: they pass, wait for a place, or are refused before anybody has looked at them.

`LimitedApp` stands between connections and any `App`, before everything else: a refusal makes no request object,
handler or context, and its response is encoded once. It costs as much as parsing the head did. The connection is kept,
unless too much content of the request is still to come.
"""

from __future__ import annotations

from asyncio import Future, ensure_future
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any

from eyewall.guard.limits.inflight import Gate
from eyewall.guard.limits.requestlimit import RequestLimit
from eyewall.http.exchange import Exchange

if TYPE_CHECKING:
    from eyewall.http.interfaces import App
    from eyewall.http.sink import Sink

Begin = Callable[[Exchange], "Sink"]


class RefusedSink:
    """Takes what comes of a request that was refused."""

    __slots__ = ()

    def data(self, chunk: bytes) -> None:
        """Nobody wants it."""

    def end(self) -> None:
        """It is answered already."""

    def closed(self) -> None:
        """It is answered already."""


_REFUSED = RefusedSink()


class LimitedApp:
    """Serves with `app`, as many requests at once as `limit` allows.

    `exempt`: paths of requests that nothing is refused to, and that are not counted; one that ends with a slash stands
    for all below it.
    """

    __slots__ = ("_app", "_folders", "_gate", "_limit", "_paths", "exempt", "on_close")

    def __init__(self, app: App, limit: RequestLimit, exempt: tuple[str, ...] = ()) -> None:
        self._app = app
        self._limit = limit
        self._gate: Gate = limit.gate
        # Every request is asked about: whole paths by their hash, and few name folders.
        self._paths = frozenset(exempt)
        self._folders = tuple(name for name in exempt if name.endswith("/"))
        #: What a server calls when a connection is lost, if the application wants to know.
        self.on_close = getattr(app, "on_close", None)
        #: Paths that a limit is to let in, if the application names some.
        self.exempt: tuple[str, ...] = tuple(getattr(app, "exempt", ()))

    def begin(self, exchange: Exchange) -> Sink:
        """The head of a request is complete."""
        gate = self._gate
        path = exchange.head.path
        if path in self._paths or (self._folders and is_below(path, self._folders)):
            return self._app.begin(exchange)
        if gate.measuring and self._limit.refuses(path):
            refuse(self._limit, exchange)
            return _REFUSED
        if gate.enter():
            exchange.gate = gate
            if gate.measuring:
                exchange.entered = exchange.carrier.loop.time()
            return self._app.begin(exchange)
        return wait_or_refuse(self._limit, exchange, self._app.begin, False)


def wait_or_refuse(limit: RequestLimit, exchange: Exchange, begin: Begin, routed: bool) -> Sink:
    """Has a request for which there is no place wait, or refuses it; returns who takes the rest of it.

    `begin` begins it once there is a place. `routed`: it is the limit of a route, besides that of the server.
    """
    if limit.gate.queue:
        held = HeldSink(limit, exchange, begin, routed)
        if limit.wait(held):
            return held
    else:
        limit.gate.refuse()
    refuse(limit, exchange)
    return _REFUSED


def within(limits: tuple[RequestLimit, ...], exchange: Exchange, begin: Begin) -> Sink:
    """Begins a request when it has a place at each of `limits`, of routes, in their order; returns who takes the rest.

    One that has a place at a limit already takes no other.
    """
    for at, limit in enumerate(limits):
        if exchange.over or exchange.holds(limit.gate):
            continue
        if not limit.gate.enter():
            return wait_or_refuse(limit, exchange, partial(within, limits[at + 1 :], begin=begin), True)
        exchange.place(limit.gate)
    return begin(exchange)


def refuse(limit: RequestLimit, exchange: Exchange) -> None:
    """Answers 503."""
    exchange.respond(503, "Service Unavailable", limit.refuse(exchange), b"", 0)


def is_below(path: str, names: tuple[str, ...]) -> bool:
    """Tells whether `path` is one of `names`, or below one that ends with a slash."""
    for name in names:
        if path == name or (name.endswith("/") and path.startswith(name)):
            return True
    return False


class HeldSink:
    """A request that waits for a place, and is passed on when it has one. It is a gate's `Ticket`.

    Content that comes meanwhile is not asked for: one piece is kept, then reading pauses.
    """

    __slots__ = (
        "__weakref__",
        "_begin",
        "_context",
        "_ended",
        "_exchange",
        "_left",
        "_limit",
        "_piece",
        "_placed",
        "_ready",
        "_routed",
        "_since",
        "_sink",
        "_taken",
    )

    def __init__(self, limit: RequestLimit, exchange: Exchange, begin: Begin, routed: bool) -> None:
        self._limit = limit
        self._exchange = exchange
        self._begin = begin
        self._routed = routed
        self._context = copy_context()
        self._since: float = exchange.carrier.loop.time()
        self._sink: Sink | None = None
        self._piece: bytes | None = None
        self._taken: Future[None] | None = None
        self._ready: Future[None] | None = None
        self._ended = False
        self._placed = False
        self._left = False

    @property
    def within(self) -> Sink | None:
        """The sink beneath, once there is one."""
        return self._sink

    # -- what the gate calls ----------------------------------------------------------------------------

    def admitted(self) -> None:
        """There is a place."""
        self._placed = True
        exchange = self._exchange
        if self._routed:
            exchange.place(self._limit.gate)
        else:
            exchange.gate = self._limit.gate
        loop = exchange.carrier.loop
        if self._limit.gate.measuring:
            exchange.entered = loop.time()
        waited = loop.time() - self._since
        self._limit.waited.observe(waited)
        exchange.queued += waited
        # Not at once: this is in the middle of somebody else's response.
        loop.call_soon(self._go_on, context=self._context)

    def refused(self) -> None:
        """Nothing has become free in time."""
        self._left = True
        refuse(self._limit, self._exchange)
        self._wake()

    # -- what the connection calls ----------------------------------------------------------------------

    @property
    def ready(self) -> Any:
        """Done when it is decided whether content is wanted."""
        sink = self._sink
        if sink is not None:
            return getattr(sink, "ready", None)
        if self._ready is None:
            self._ready = self._exchange.carrier.loop.create_future()
        return self._ready

    def data(self, chunk: bytes) -> Awaitable[None] | None:
        """Content has come."""
        if self._sink is not None:
            return self._sink.data(chunk)
        if self._left:
            return None
        self._piece = chunk
        self._taken = self._exchange.carrier.loop.create_future()
        return self._taken

    def end(self) -> None:
        """The request is complete."""
        if self._sink is not None:
            self._sink.end()
        else:
            self._ended = True

    def closed(self) -> None:
        """The client left before the response was finished."""
        self._left = True
        if self._sink is not None:
            self._sink.closed()
        elif not self._placed:
            self._limit.gate.abandon(self)

    def cancel(self) -> bool:
        """Refuses a request that still waits, for whoever closes requests (`guard.registry`); False for another."""
        if not self._limit.gate.abandon(self):
            return False
        self.refused()
        return True

    # -- going on ---------------------------------------------------------------------------------------

    def _go_on(self) -> None:
        """Begins the request, and passes on what has come of it."""
        exchange = self._exchange
        if self._left or exchange.over:
            # The client has left, or somebody has broken the response off, which gives back what it had by then.
            exchange.give_back()
            return
        wait: Awaitable[None] | None = None
        try:
            sink = self._begin(exchange)
            self._sink = sink
            piece, self._piece = self._piece, None
            if piece is not None and not exchange.over:
                wait = sink.data(piece)
            if self._ended and not exchange.over:
                sink.end()
        except Exception as error:  # noqa: BLE001 - whatever an application raises, the connection must answer
            exchange.carrier.fail(error, exchange)
        self._wake(wait)

    def _wake(self, wait: Awaitable[None] | None = None) -> None:
        """Has the connection go on, when `wait` is done."""
        ready = self._ready
        if ready is not None and not ready.done():
            ready.set_result(None)
        taken, self._taken = self._taken, None
        if taken is None:
            return
        if wait is None:
            if not taken.done():
                taken.set_result(None)
        else:
            future = ensure_future(wait)
            future.add_done_callback(lambda done: _pass_on(done, taken))


def _pass_on(done: Future[None], taken: Future[None]) -> None:
    """Has `taken` end as `done` did."""
    if taken.done():
        # The connection has given the request up; so does whoever takes its content.
        if not done.cancelled():
            done.exception()
    elif done.cancelled():
        taken.cancel()
    elif (error := done.exception()) is not None:
        taken.set_exception(error)
    else:
        taken.set_result(None)
