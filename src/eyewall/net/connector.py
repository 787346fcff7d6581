"""Connecting to a name that has several addresses, without waiting for those that do not answer (RFC 8305).

The addresses are two lanes: those of the family that the resolver prefers (its first address), and all others.
In each lane one attempt follows the failure of the one before. The second lane begins when the first has not
succeeded after `ATTEMPT_DELAY` seconds, or as soon as an attempt of it fails. The first attempt that succeeds wins
and the others are closed.

`ConnectRace` decides that, whatever an attempt is. `connect_socket` races sockets and `TCPClient` (net.tcpclient)
streams.
"""

from __future__ import annotations

import asyncio
import datetime
import errno
import os
import socket
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

from eyewall.loop.ioloop import IOLoop
from eyewall.net.resolver import Endpoint, Resolver

#: Seconds that the preferred address family is given before the other one is tried as well (RFC 8305, section 8).
ATTEMPT_DELAY = 0.25
#: What a non-blocking `connect` says that has begun.
_UNDER_WAY = frozenset({errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EINTR})


class Closable(Protocol):
    """What an attempt is about, a socket or a stream."""

    def close(self) -> object: ...


C = TypeVar("C", bound=Closable)
#: Begins an attempt: returns what can be closed, and a future that is done with the same when it is connected.
Attempt = Callable[[Any, Any], "tuple[C, asyncio.Future[C]]"]


def format_address(address: Any) -> str:
    """Returns a socket address as people write it: `host:port`, `[host]:port` or a path."""
    if not isinstance(address, tuple):
        return str(address)
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class ConnectRace(Generic[C]):
    """Makes attempts at `addresses` until one of them succeeds.

    `attempt(family, address)` begins one. An exception that it raises is a failure like any other.
    """

    def __init__(self, addresses: Sequence[Endpoint], attempt: Attempt[C]) -> None:
        #: Everything an attempt was made with, except for the winner; closed when the race is over.
        self.streams: set[C] = set()
        self._attempt = attempt
        first, second = self.split(addresses)
        self._lanes = (deque(first), deque(second))
        self._both = False
        self._under_way: dict[C, str] = {}
        self._error: BaseException | None = None
        self._io_loop = IOLoop.current()
        self._timers: list[object] = []
        self._result: asyncio.Future[tuple[int, Any, C]] = asyncio.Future()

    @staticmethod
    def split(addresses: Iterable[Endpoint]) -> tuple[list[Endpoint], list[Endpoint]]:
        """Returns the addresses of the first one's family, and the others, each in their order."""
        lanes: tuple[list[Endpoint], list[Endpoint]] = ([], [])
        for place in addresses:
            lanes[bool(lanes[0]) and place[0] != lanes[0][0][0]].append(place)
        return lanes

    def start(
        self,
        timeout: float = ATTEMPT_DELAY,
        connect_timeout: float | datetime.timedelta | None = None,
    ) -> asyncio.Future[tuple[int, Any, C]]:
        """Begins. Returns a future of `(family, address, what is connected)`; cancelling it ends the race.

        `timeout` is the head start of the first lane in seconds; `connect_timeout` ends the race with a
        TimeoutError, a timedelta or a time of the loop's clock. The future fails with the error of the last attempt
        when all of them have failed.
        """
        result = self._result
        result.add_done_callback(lambda _: self._settle())
        if self._lanes[1]:
            self._timers.append(self._io_loop.call_later(timeout, self.on_timeout))
        if connect_timeout is not None:
            self._timers.append(self._io_loop.add_timeout(connect_timeout, self.on_connect_timeout))
        self._run(0)
        return result

    def on_timeout(self) -> None:
        """The head start is over."""
        if not self._both and not self._result.done():
            self._both = True
            self._run(1)

    def on_connect_timeout(self) -> None:
        """There is no more time."""
        if not self._result.done():
            places = ", ".join(sorted(self._under_way.values()))
            self._end(TimeoutError(f"Timeout while connecting to {places}"))

    def _run(self, number: int) -> None:
        """Goes on in a lane: makes attempts until one is under way, or none is left."""
        lane = self._lanes[number]
        while lane and not self._result.done():
            family, address = lane.popleft()
            try:
                stream, connected = self._attempt(family, address)
            except Exception as error:  # noqa: BLE001 - one address that cannot be used says nothing of others
                self._error = error
                self.on_timeout()
                continue
            self.streams.add(stream)
            self._under_way[stream] = format_address(address)
            connected.add_done_callback(partial(self._attempted, number, family, address, stream))
            return
        if not self._under_way and not any(self._lanes) and not self._result.done():
            self._end(self._error or OSError("there is no address to connect to"))

    def _attempted(
        self, number: int, family: int, address: Any, stream: C, connected: asyncio.Future[C]
    ) -> None:
        error: BaseException | None
        if connected.cancelled():
            error = ConnectionAbortedError(
                f"the attempt to connect to {format_address(address)} was cancelled"
            )
        else:
            # Of an attempt that came too late it is read, too: nobody else will.
            error = connected.exception()
        if self._result.done():
            stream.close()
            return
        del self._under_way[stream]
        if error is None:
            self.streams.discard(stream)
            self._result.set_result((family, address, stream))
            self._settle()
            return
        stream.close()
        self._error = error
        self.on_timeout()
        self._run(number)

    def _end(self, error: BaseException) -> None:
        self._result.set_exception(error)
        self._settle()

    def _settle(self) -> None:
        """The race is over: frees what it holds."""
        for timer in self._timers:
            self._io_loop.remove_timeout(timer)
        self._timers.clear()
        for stream in tuple(self._under_way):
            stream.close()
        self._under_way.clear()


class _PendingSocket:
    """A socket on its way to be connected. `connected` is done when it is, or has failed."""

    def __init__(self, sock: socket.socket, address: Any) -> None:
        self.sock = sock
        self.connected: asyncio.Future[_PendingSocket] = asyncio.Future()
        self._address = address
        self._io_loop = IOLoop.current()
        self._watching = False
        code = sock.connect_ex(address)
        if code == 0:
            self.connected.set_result(self)
        elif code in _UNDER_WAY:
            self._io_loop.add_handler(sock, self._ready, IOLoop.WRITE)
            self._watching = True
        else:
            raise OSError(code, f"cannot connect to {format_address(address)}: {os.strerror(code)}")

    def release(self) -> socket.socket:
        """Returns the socket, which is the caller's from now on."""
        # Its result is this.
        del self.connected
        return self.sock

    def close(self) -> None:
        # First the handler: the number of a descriptor that is closed may be another's a moment later.
        self._unwatch()
        self.sock.close()
        if not self.connected.done():
            self.connected.cancel()

    def _unwatch(self) -> None:
        if self._watching:
            self._watching = False
            self._io_loop.remove_handler(self.sock)

    def _ready(self, _sock: object, _events: int) -> None:
        self._unwatch()
        code = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if self.connected.done():
            return
        if code == 0:
            self.connected.set_result(self)
        else:
            where = format_address(self._address)
            self.connected.set_exception(OSError(code, f"cannot connect to {where}: {os.strerror(code)}"))


def new_socket(family: int, source_ip: str | None, source_port: int | None) -> socket.socket:
    """Returns a non-blocking stream socket, bound to the source that is asked for. Raises OSError."""
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        if source_ip is not None or source_port is not None:
            sock.bind((source_ip or "", source_port or 0))
    except BaseException:
        sock.close()
        raise
    return sock


async def connect_socket(
    addresses: Sequence[Endpoint],
    *,
    source_ip: str | None = None,
    source_port: int | None = None,
    timeout: float | None = None,  # noqa: ASYNC109 - its error says which addresses did not answer
) -> socket.socket:
    """Returns a non-blocking socket that is connected to one of `addresses`, without Nagle's delay.

    `addresses` are what a `Resolver` returns. `source_ip` and `source_port` are what the socket is bound to; an
    address of another family than the source's cannot be reached. `timeout` is in seconds. Raises TimeoutError,
    which names the addresses that did not answer, or the OSError of the last attempt.
    """

    def attempt(family: int, address: Any) -> tuple[_PendingSocket, asyncio.Future[_PendingSocket]]:
        sock = new_socket(family, source_ip, source_port)
        try:
            pending = _PendingSocket(sock, address)
        except BaseException:
            sock.close()
            raise
        return pending, pending.connected

    race: ConnectRace[_PendingSocket] = ConnectRace(addresses, attempt)
    limit = None if timeout is None else datetime.timedelta(seconds=timeout)
    result = race.start(connect_timeout=limit)
    try:
        _, _, winner = await result
    except asyncio.CancelledError:
        # The winner may have come in the moment before; nobody is there to take it.
        if result.done() and not result.cancelled() and result.exception() is None:
            result.result()[2].close()
        raise
    if winner.sock.family in (socket.AF_INET, socket.AF_INET6):
        winner.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return winner.release()


async def connect_host(
    resolver: Resolver,
    host: str,
    port: int,
    *,
    family: socket.AddressFamily = socket.AF_UNSPEC,
    source_ip: str | None = None,
    source_port: int | None = None,
    timeout: float | None = None,  # noqa: ASYNC109 - its error says which addresses did not answer
) -> socket.socket:
    """Resolves `host` with `resolver` and connects to `port` as `connect_socket` does.

    `family`, `source_ip` and `source_port` as there; `timeout` (seconds) is for both together.
    """
    start = asyncio.get_running_loop().time()
    try:
        async with asyncio.timeout(timeout):
            addresses = await resolver.resolve(host, port, family)
    except TimeoutError:
        raise TimeoutError(f"Timeout while resolving {host}") from None
    if timeout is not None:
        timeout = max(0.0, timeout - (asyncio.get_running_loop().time() - start))
    return await connect_socket(addresses, source_ip=source_ip, source_port=source_port, timeout=timeout)
