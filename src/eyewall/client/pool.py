"""The connections of one client: which are open, which are free, and who waits for one.

Nothing here knows how to connect. `acquire` returns a connection that is free, or asks the caller's `open` for one
when the limits leave room; a request for which there is neither waits, first come first served among those whom the
next connection can serve. `release` brings a connection back.

Of free connections the one that was used last is taken first: it is the least likely to be closed by the server. To
make room for a new one, the one that was used first is closed.
"""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict, deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from weakref import ref

from eyewall.client.connection import ClientConnection
from eyewall.client.errors import ClientClosed
from eyewall.client.request import HTTPTimeoutError
from eyewall.client.route import Route
from eyewall.guard.profile import Profile

Open = Callable[[], Awaitable[ClientConnection]]


@dataclass(slots=True)
class PoolMetrics:
    """What has happened so far, and what there is now. All are counts."""

    #: Connections that were opened, and attempts that failed.
    opened: int = 0
    failed: int = 0
    #: Requests that got a connection which had served another one, and requests that had to wait for one.
    reused: int = 0
    waited: int = 0
    #: Free connections that were closed: by time or by the server; to make room for others.
    expired: int = 0
    evicted: int = 0
    #: Requests that were sent a second time because the server had closed the connection they were sent on.
    retried: int = 0
    #: Connections that are being made or are open; of these, free ones; requests that wait for one.
    open: int = 0
    idle: int = 0
    waiting: int = 0


@dataclass(slots=True)
class _Waiter:
    route: Route
    #: The result is a free connection, or None: there is room for a new one.
    turn: asyncio.Future[ClientConnection | None]


class Pool:
    """See the head of this file. `profile` may be changed; what is open stays."""

    def __init__(self, profile: Profile, loop: asyncio.AbstractEventLoop) -> None:
        self.profile = profile
        self.metrics = PoolMetrics()
        self._loop = loop
        self._closed = False
        #: Of every connection that counts, its route.
        self._routes: dict[ClientConnection, Route] = {}
        self._hosts: dict[Route, int] = {}
        #: Free connections, in the order in which they became free.
        self._idle: OrderedDict[ClientConnection, Route] = OrderedDict()
        self._waiters: deque[_Waiter] = deque()
        self._guard: AsyncGenerator[None, None] | None = None

    # -- getting and bringing back ----------------------------------------------------------------------

    async def acquire(
        self, route: Route, open: Open, fresh: bool = False, patience: float | None = None
    ) -> ClientConnection:
        """Returns a connection for `route`, which is the caller's until `release` or `discard`.

        `fresh`: not one that was used before. `patience`: seconds to wait for room, None for no limit. Raises
        HTTPTimeoutError after them, what `open` raises, and ClientClosed.
        """
        if self.closed():
            raise ClientClosed("the client is closed")
        connection = None if fresh else self._take_idle(route)
        if connection is None:
            if not self._make_room(route):
                connection = await self._wait(route, patience)
            else:
                self._count(route, 1)
        if connection is not None:
            self.metrics.reused += 1
            return connection
        try:
            connection = await open()
        except BaseException:
            self.metrics.failed += 1
            self._count(route, -1)
            self._serve()
            raise
        self.metrics.opened += 1
        if self.closed():
            connection.abort()
            raise ClientClosed("the client was closed")
        self._routes[connection] = route
        if connection.closed:
            # So quickly that `lost` did not know it.
            self.lost(connection)
        return connection

    def release(self, connection: ClientConnection, longest: float = math.inf) -> None:
        """Brings back a connection whose last response is complete; it is kept for `longest` seconds at most."""
        route = self._routes.get(connection)
        longest = min(longest, self.profile.client_idle_timeout)
        if route is None or self._closed or longest <= 0.0 or not connection.usable() or not self.keeps():
            self.discard(connection)
            return
        self._idle[connection] = route
        self.metrics.idle += 1
        connection.park(longest)
        while self.metrics.idle > self.profile.client_idle_connections:
            self._evict()
        self._serve()
        if self._guard is None:
            self._stand_guard()

    def discard(self, connection: ClientConnection) -> None:
        """Gives up a connection that cannot be used again; it is closed now."""
        connection.abort()
        self.lost(connection)

    def lost(self, connection: ClientConnection) -> None:
        """A connection is gone, whoever closed it."""
        if connection in self._idle:
            del self._idle[connection]
            self.metrics.idle -= 1
            self.metrics.expired += 1
        if self._forget(connection):
            self._serve()

    def keeps(self) -> bool:
        """Tells whether connections are kept at all."""
        return self.profile.client_idle_connections > 0 and self.profile.client_idle_timeout > 0.0

    def closed(self) -> bool:
        """Tells whether `close` was called."""
        return self._closed

    def close(self) -> None:
        """Closes what is open. Whoever waits, and comes later, gets a ClientClosed."""
        self._closed = True
        self.close_idle()
        for connection in list(self._routes):
            connection.fail(ClientClosed("the client was closed"))
            self.discard(connection)
        while self._waiters:
            turn = self._waiters.popleft().turn
            if not turn.done():
                turn.set_exception(ClientClosed("the client was closed"))
        guard, self._guard = self._guard, None
        if guard is not None:
            _finish(guard)

    def close_idle(self) -> None:
        """Closes the connections that are free."""
        while self._idle:
            self._evict()
        self._serve()

    # -- limits -----------------------------------------------------------------------------------------

    def _take_idle(self, route: Route) -> ClientConnection | None:
        for connection in reversed(self._idle):
            if self._idle[connection] == route:
                del self._idle[connection]
                self.metrics.idle -= 1
                if connection.usable():
                    return connection
                self.metrics.expired += 1
                connection.abort()
                self._forget(connection)
                # Others may have waited for the room that it took.
                self._loop.call_soon(self._serve)
                return self._take_idle(route)
        return None

    def _make_room(self, route: Route) -> bool:
        """Tells whether one more connection may be opened; closes a free one where that is what it takes."""
        profile = self.profile
        if profile.client_host_connections and self._hosts.get(route, 0) >= profile.client_host_connections:
            return False
        if profile.client_connections and self.metrics.open >= profile.client_connections:
            if not self._idle:
                return False
            self._evict()
        return True

    def _evict(self) -> None:
        """Closes the connection that has been free for the longest time."""
        connection, _ = self._idle.popitem(last=False)
        self.metrics.idle -= 1
        self.metrics.evicted += 1
        connection.abort()
        self._forget(connection)

    def _forget(self, connection: ClientConnection) -> bool:
        """Stops counting a connection; tells whether it was counted."""
        route = self._routes.pop(connection, None)
        if route is None:
            return False
        self._count(route, -1)
        return True

    def _count(self, route: Route, step: int) -> None:
        self.metrics.open += step
        count = self._hosts.get(route, 0) + step
        if count:
            self._hosts[route] = count
        else:
            del self._hosts[route]

    # -- waiting ----------------------------------------------------------------------------------------

    async def _wait(self, route: Route, patience: float | None) -> ClientConnection | None:
        """Waits for a turn; returns a connection, or None where there is room for a new one, counted already."""
        waiter = _Waiter(route, self._loop.create_future())
        self._waiters.append(waiter)
        self.metrics.waited += 1
        self.metrics.waiting += 1
        try:
            async with asyncio.timeout(patience):
                return await waiter.turn
        except BaseException as error:
            turn = waiter.turn
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                # The turn came in the moment in which the caller gave up.
                connection = turn.result()
                if connection is not None:
                    self.release(connection)
                else:
                    self._count(route, -1)
                    self._serve()
            elif waiter in self._waiters:
                self._waiters.remove(waiter)
            if isinstance(error, TimeoutError):
                raise HTTPTimeoutError(f"Timeout while waiting for a connection to {route.place}") from None
            raise
        finally:
            self.metrics.waiting -= 1

    def _serve(self) -> None:
        """Gives turns to those who wait and can have one."""
        if self._closed:
            return
        for waiter in list(self._waiters):
            if waiter.turn.done():
                self._waiters.remove(waiter)
                continue
            connection = self._take_idle(waiter.route)
            if connection is None:
                if not self._make_room(waiter.route):
                    continue
                self._count(waiter.route, 1)
            self._waiters.remove(waiter)
            waiter.turn.set_result(connection)

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
