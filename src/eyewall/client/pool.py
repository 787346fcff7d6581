"""The connections of one client: which are open, which are free, and who waits for one.

Nothing here knows how to connect. `acquire` returns a connection that is free, or asks the caller's `open` for one
when the limits leave room; a request for which there is neither waits, first come first served among those whom the
next connection can serve. `release` brings a connection back. What is decided is `guard.pools.poolengine`'s decision;
this is its driver.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from operator import methodcaller
from weakref import ref

from eyewall.client.connection import ClientConnection
from eyewall.client.errors import ClientClosed, ClientQueueTimeout
from eyewall.client.route import Route
from eyewall.guard.deadlines.deadline import within
from eyewall.guard.histogram import Histogram
from eyewall.guard.inventory import Item, Value
from eyewall.guard.pools.poolengine import PoolEngine
from eyewall.guard.profile import Profile

Open = Callable[[], Awaitable[ClientConnection]]
#: A turn: its result is a free connection, or None where there is room for a new one.
_Turn = asyncio.Future[ClientConnection | None]


class PoolMetrics:
    """What has happened so far, and what there is now. All are counts. `engine` is that of the pool."""

    __slots__ = ("_engine", "failed", "opened", "retried", "reused", "waited")

    def __init__(self, engine: PoolEngine[Route, ClientConnection, _Turn]) -> None:
        self._engine = engine
        #: Connections that were opened, and attempts that failed.
        self.opened = 0
        self.failed = 0
        #: Requests that got a connection which had served another one, and requests that had to wait for one.
        self.reused = 0
        self.waited = 0
        #: Requests that were sent a second time because the server had closed the connection they were sent on.
        self.retried = 0

    @property
    def expired(self) -> int:
        """Free connections that were closed, by time or by the server."""
        return self._engine.expired

    @property
    def evicted(self) -> int:
        """Free connections that were closed to make room for others."""
        return self._engine.evicted

    @property
    def open(self) -> int:
        """Connections that are being made or are open."""
        return self._engine.open

    @property
    def idle(self) -> int:
        """Of these, free ones."""
        return self._engine.free

    @property
    def waiting(self) -> int:
        """Requests that wait for one."""
        return self._engine.waiting


class Pool(Item):
    """See the head of this file. `profile` may be changed; what is open stays."""

    kind = "pool"

    def __init__(self, profile: Profile, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__("HTTP client")
        self._engine: PoolEngine[Route, ClientConnection, _Turn] = PoolEngine(usable=methodcaller("usable"))
        self.profile = profile
        self.metrics = PoolMetrics(self._engine)
        self._waits = Histogram()
        self._loop = loop
        self._guard: AsyncGenerator[None, None] | None = None

    @property
    def profile(self) -> Profile:
        """Where the limits come from."""
        return self._profile

    @profile.setter
    def profile(self, profile: Profile) -> None:
        self._profile = profile
        self._engine.total = profile.client_connections
        self._engine.per_key = profile.client_host_connections
        self._engine.most_free = profile.client_idle_connections

    # -- getting and bringing back ----------------------------------------------------------------------

    async def acquire(
        self, route: Route, open: Open, fresh: bool = False, patience: float | None = None
    ) -> ClientConnection:
        """Returns a connection for `route`, which is the caller's until `release` or `discard`.

        `fresh`: not one that was used before. `patience`: seconds to wait for room, None for no limit; never longer
        than the deadline at hand leaves. Raises ClientQueueTimeout after them, what `open` raises, and ClientClosed.
        """
        engine = self._engine
        if engine.closed:
            raise ClientClosed("the client is closed")
        connection = None if fresh else engine.take(route)
        if connection is None and not engine.reserve(route):
            connection = await self._wait(route, patience)
        if engine.closing or engine.grants:
            self._act()
        if connection is not None:
            self.metrics.reused += 1
            return connection
        try:
            connection = await open()
        except BaseException:
            self.metrics.failed += 1
            engine.vacate(route)
            self._act()
            raise
        self.metrics.opened += 1
        if self.closed():
            engine.vacate(route)
            connection.abort()
            raise ClientClosed("the client was closed")
        engine.opened(route, connection)
        if connection.closed:
            # So quickly that `lost` did not know it.
            self.lost(connection)
        return connection

    def release(self, connection: ClientConnection, longest: float = math.inf) -> None:
        """Brings back a connection whose last response is complete; it is kept for `longest` seconds at most."""
        longest = min(longest, self._profile.client_idle_timeout)
        if longest <= 0.0 or not connection.usable():
            self.discard(connection)
            return
        # Before anybody gets it: who has a turn begins with one that is idle.
        connection.park(longest)
        engine = self._engine
        kept = engine.give_back(connection)
        if engine.grants or engine.closing:
            self._act()
        if not kept:
            connection.abort()
        elif self._guard is None:
            self._stand_guard()

    def discard(self, connection: ClientConnection) -> None:
        """Gives up a connection that cannot be used again; it is closed now."""
        connection.abort()
        self.lost(connection)

    def lost(self, connection: ClientConnection) -> None:
        """A connection is gone, whoever closed it."""
        self._engine.drop(connection)
        self._act()

    def keeps(self) -> bool:
        """Tells whether connections are kept at all."""
        return self._profile.client_idle_connections > 0 and self._profile.client_idle_timeout > 0.0

    def closed(self) -> bool:
        """Tells whether `close` was called."""
        return self._engine.closed

    def close(self) -> None:
        """Closes what is open. Whoever waits, and comes later, gets a ClientClosed."""
        waiting = self._engine.close()
        self._act()
        for connection in self._engine.resources():
            connection.fail(ClientClosed("the client was closed"))
            self.discard(connection)
        for turn in waiting:
            if not turn.done():
                turn.set_exception(ClientClosed("the client was closed"))
        guard, self._guard = self._guard, None
        if guard is not None:
            _finish(guard)

    def close_idle(self) -> None:
        """Closes the connections that are free."""
        self._engine.clear()
        self._act()

    def connections(self) -> list[ClientConnection]:
        """Returns the connections that are open, lent and free, in the order in which they were opened."""
        return self._engine.resources()

    # -- waiting ----------------------------------------------------------------------------------------

    async def _wait(self, route: Route, patience: float | None) -> ClientConnection | None:
        """Waits for a turn; returns a connection, or None where a place for a new one is reserved."""
        turn: _Turn = self._loop.create_future()
        self._engine.wait(route, turn)
        self.metrics.waited += 1
        began = self._loop.time()
        self._act()
        try:
            async with asyncio.timeout(within(patience)):
                return await turn
        except BaseException as error:
            if not self._engine.leave(turn) and not turn.cancelled() and turn.exception() is None:
                # The turn came in the moment in which the caller gave up.
                self._hand_back(route, turn.result())
                self._act()
            if isinstance(error, TimeoutError):
                raise ClientQueueTimeout(f"Timeout while waiting for a connection to {route.place}") from None
            raise
        finally:
            self._waits.observe(self._loop.time() - began)

    def _hand_back(self, route: Route, connection: ClientConnection | None) -> None:
        if connection is None:
            self._engine.vacate(route)
        else:
            self._engine.give_back(connection)

    def _act(self) -> None:
        """Does what the engine has put down: closes connections, gives turns."""
        engine = self._engine
        while engine.closing:
            engine.closing.pop().abort()
        while engine.grants:
            turn, route, connection = engine.grants.popleft()
            if turn.done():
                self._hand_back(route, connection)
            else:
                turn.set_result(connection)
            while engine.closing:
                engine.closing.pop().abort()

    # -- what is watched --------------------------------------------------------------------------------

    def state(self) -> Mapping[str, Value]:
        """See `Item.state`."""
        engine = self._engine
        return {
            "open": engine.open,
            "opening": engine.opening,
            "idle": engine.free,
            "lent": engine.open - engine.opening - engine.free,
            "waiting": engine.waiting,
            "client_connections": engine.total,
            "client_host_connections": engine.per_key,
            "closed": engine.closed,
        }

    def counters(self) -> Mapping[str, int]:
        """See `Item.counters`."""
        names = ("opened", "failed", "reused", "waited", "expired", "evicted", "retried")
        return {name: getattr(self.metrics, name) for name in names}

    def histograms(self) -> Mapping[str, Histogram]:
        """See `Item.histograms`. `wait`: of requests that had to wait for a connection."""
        return {"wait": self._waits}

    # -- the end of the loop ----------------------------------------------------------------------------

    def _stand_guard(self) -> None:
        """Has the loop tell when it is about to be closed: free connections must not outlive it.

        `asyncio.run` ends the asynchronous generators that have begun; that is the one thing it tells anybody.
        """
        self._guard = guard = _until_shutdown(ref(self))
        try:
            guard.asend(None).send(None)
        except StopIteration:
            # It has begun, and stands at its `yield`.
            pass


async def _until_shutdown(pool: ref[Pool]) -> AsyncGenerator[None, None]:
    try:
        yield
    finally:
        there = pool()
        if there is not None:
            there.close_idle()


def _finish(guard: AsyncGenerator[None, None]) -> None:
    try:
        guard.aclose().send(None)
    except StopIteration:
        # It has ended.
        pass
