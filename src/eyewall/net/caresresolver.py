"""Resolving with c-ares: no threads, but not everything that the system's resolver knows.

Needs pycares, the extra `eyewall[cares]`. The library says which of its sockets it waits for, and is told when
something happened there or time has passed.
"""

from __future__ import annotations

import socket
from typing import Any

import pycares

from eyewall.base.text import text_of
from eyewall.loop.concurrent import Future
from eyewall.loop.ioloop import IOLoop
from eyewall.net.resolver import Endpoint, Resolver

#: Seconds between two looks at the time while something is being resolved, at most.
_TICK = 1.0


class CaresError(OSError):
    """c-ares has not found an address. `errno` is None: its own numbers are not the system's."""


class CaresResolver(Resolver):
    """Asks name servers from the loop's own thread. Deprecated since Tornado 6.2 in favour of the default.

    Belongs to the loop that is current when it is made, which must be running when names are resolved.
    """

    def initialize(self) -> None:
        """Takes no arguments."""
        self.io_loop = IOLoop.current()
        #: Sockets that c-ares waits for, and for which events.
        self.fds: dict[int, int] = {}
        self.channel = pycares.Channel(sock_state_cb=self._on_interest)
        self._pending = 0
        self._timer: object = None

    def close(self) -> None:
        """Gives up what is being resolved, with CaresError."""
        self.channel.close()
        for descriptor in tuple(self.fds):
            self._on_interest(descriptor, False, False)
        if self._timer is not None:
            self.io_loop.remove_timeout(self._timer)
            self._timer = None

    async def resolve(self, host: str, port: int, family: int = 0) -> list[Endpoint]:
        """See `Resolver.resolve`. An address of IPv6 has two parts only where the other two are 0."""
        future: Future[list[Endpoint]] = Future()

        def answer(result: Any, error: int | None) -> None:
            if future.done():
                return
            if error is not None:
                reason = text_of(pycares.errno.strerror(error))
                future.set_exception(CaresError(f"c-ares cannot resolve {host!r}: {reason}"))
            else:
                future.set_result([_endpoint(node) for node in result.nodes])

        self._pending += 1
        try:
            # Both versions of the library's interface have it as a keyword.
            self.channel.getaddrinfo(
                host,
                port,
                family=socket.AddressFamily(family),
                type=socket.SOCK_STREAM,
                # The library may answer from wherever it is; it must not be called again from there.
                callback=lambda result, error: self.io_loop.add_callback(answer, result, error),
            )
            self._start_timer()
            return await future
        finally:
            self._pending -= 1

    def _on_interest(self, descriptor: int, readable: bool, writable: bool) -> None:
        """c-ares says what it waits for now."""
        events = (IOLoop.READ if readable else 0) | (IOLoop.WRITE if writable else 0)
        if not events:
            if self.fds.pop(descriptor, None) is not None:
                self.io_loop.remove_handler(descriptor)
        elif descriptor in self.fds:
            self.fds[descriptor] = events
            self.io_loop.update_handler(descriptor, events)
        else:
            self.fds[descriptor] = events
            self.io_loop.add_handler(descriptor, self._on_event, events)

    def _on_event(self, descriptor: int, events: int) -> None:
        nothing = pycares.ARES_SOCKET_BAD
        self.channel.process_fd(
            descriptor if events & IOLoop.READ else nothing, descriptor if events & IOLoop.WRITE else nothing
        )

    def _start_timer(self) -> None:
        if self._timer is None and self._pending:
            left: float = self.channel.timeout(_TICK)  # type: ignore[no-untyped-call, unused-ignore]
            self._timer = self.io_loop.call_later(min(max(left, 0.0), _TICK), self._on_time)

    def _on_time(self) -> None:
        self._timer = None
        # Servers that do not answer are noticed only when it is asked to look.
        self.channel.process_fd(pycares.ARES_SOCKET_BAD, pycares.ARES_SOCKET_BAD)
        self._start_timer()


def _endpoint(node: Any) -> Endpoint:
    host, *rest = node.addr
    if len(rest) == 3 and not any(rest[1:]):
        rest = rest[:1]
    return socket.AddressFamily(node.family), (text_of(host) if isinstance(host, bytes) else host, *rest)
