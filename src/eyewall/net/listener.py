"""Making transports and protocols of the connections that a socket accepts.

Handing an accepted socket to the loop (`connect_accepted_socket`) costs more processor time than the loops' own
servers take; `net.acceptor` says what it is good for. Without TLS its coroutine waits but once, until the transport
is made in the next turn of the loop: it is advanced by hand then, which is a third of the price of a task.

Who counts connections: the listener admits a client at the `ConnectionLimit` as soon as it is accepted, so
that those whose TLS handshake takes its time count as well. From `connection_made` on the connection is the
protocol's, which calls `release` in `connection_lost`; one that fails before is released here. That is why
`connection_made` must not raise. Where connections are counted by address, the protocol finds what it was counted
by in its attribute `admitted`, and releases that.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine, Hashable
from functools import partial
from typing import TYPE_CHECKING, Any

from eyewall.base.loggers import app_log, gen_log
from eyewall.guard.limits.admission import ConnectionLimit
from eyewall.guard.profile import Profile
from eyewall.guard.throttle import LogThrottle
from eyewall.net.acceptor import Acceptor
from eyewall.net.acceptor import throttle as common_throttle

if TYPE_CHECKING:
    import ssl as ssl_module

#: Refused clients that are given time to read why, at once, and how long in seconds. See `_refuse`.
_LINGERING = 64
_LINGER_TIME = 1.0
#: Bytes read at once, and reads made, to empty the receive buffer of a refused client.
_DISCARD_BYTES = 65536
_DISCARD_READS = 4
#: The packages whose loops make the transport of an accepted socket as the head of this file says.
_KNOWN_LOOPS = frozenset({"asyncio", "uvloop"})


class Listener(Acceptor):
    """Serves the connections of `sock`, a listening socket, from `start` to `close`, which closes it too.

    For each, `protocol_factory` makes the protocol, and the loop the transport. `ssl` is the context of a TLS
    server; its handshake has `profile.tls_handshake_timeout` seconds. At the `limit` a client gets the bytes
    `refusal` (not over TLS) and is closed. `counted_by(address)` returns what a client counts as, None for
    nobody in particular; without it, connections are counted in total only. `throttle` limits the lines that
    refusals write to the log.
    """

    def __init__(
        self,
        sock: socket.socket,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        *,
        profile: Profile,
        loop: asyncio.AbstractEventLoop | None = None,
        ssl: ssl_module.SSLContext | None = None,
        limit: ConnectionLimit | None = None,
        refusal: bytes = b"",
        counted_by: Callable[[Any], Hashable] | None = None,
        throttle: LogThrottle = common_throttle,
    ) -> None:
        loop = asyncio.get_running_loop() if loop is None else loop
        super().__init__(sock, self._admit, loop=loop, throttle=throttle)
        #: Connections that were handed to the loop, refused at the limit, and lost before they were made.
        self.accepted = 0
        self.refused = 0
        self.failed = 0
        # What goes wrong with single connections says something of this address, and not of the process.
        self._failures = LogThrottle(gen_log) if throttle is common_throttle else throttle
        self._factory = protocol_factory
        self._profile = profile
        self._ssl = ssl
        self._limit = limit
        self._refusal = refusal
        self._counted_by = counted_by
        # What the connections that are accepted and not made yet wait for.
        self._opening: set[asyncio.Future[Any]] = set()
        # On loops of others it may need a task: for a timeout, say.
        self._by_hand = ssl is None and type(loop).__module__.partition(".")[0] in _KNOWN_LOOPS
        self._lingering: dict[socket.socket, asyncio.TimerHandle] = {}
        if sock.family in (socket.AF_INET, socket.AF_INET6):
            # What is accepted inherits it on Linux and the BSDs; the loops set it where it is not inherited.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if profile.write_kernel_bytes > 0 and hasattr(socket, "TCP_NOTSENT_LOWAT"):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, profile.write_kernel_bytes)

    @property
    def opening(self) -> int:
        """The number of connections that are accepted and not made yet."""
        return len(self._opening)

    def stop(self) -> None:
        """Stops accepting for good, but leaves the socket open."""
        super().stop()
        for sock, timer in self._lingering.items():
            timer.cancel()
            sock.close()
        self._lingering.clear()

    async def wait_opened(self) -> None:
        """Waits until all that was accepted is made or failed: the deadline of a handshake at most."""
        while self._opening:
            await asyncio.wait(self._opening)

    def _admit(self, sock: socket.socket, address: Any) -> None:
        limit = self._limit
        key: Hashable = None
        if limit is not None:
            if limit.per_address and self._counted_by is not None:
                key = self._counted_by(address)
            if not limit.admit(key):
                self._complain(limit, address)
                self._refuse(sock)
                return
        self.accepted += 1
        opening = self._open(sock, address, key)
        if self._by_hand:
            self._advance(opening)
        else:
            task = self.loop.create_task(opening)
            self._opening.add(task)
            task.add_done_callback(partial(self._opened, sock))

    def _advance(
        self, opening: Coroutine[Any, Any, None], awaited: asyncio.Future[Any] | None = None
    ) -> None:
        """Lets `_open` go on, up to the next future that it awaits."""
        if awaited is not None:
            self._opening.discard(awaited)
        try:
            awaited = opening.send(None)
        except StopIteration:
            return
        assert awaited is not None
        # As a task does: so it says that it has seen who awaits it.
        awaited._asyncio_future_blocking = False
        self._opening.add(awaited)
        awaited.add_done_callback(partial(self._advance, opening))

    def _opened(self, sock: socket.socket, task: asyncio.Future[None]) -> None:
        self._opening.discard(task)
        if task.cancelled():  # the loop is being shut down; the task may not even have begun
            sock.close()

    async def _open(self, sock: socket.socket, address: object, key: Hashable) -> None:
        try:
            protocol = self._factory()
            if key is not None:
                protocol.admitted = key  # type: ignore[attr-defined]  # see the head of this file
        except Exception:  # noqa: BLE001 - whatever it is, it must not end the accepting
            sock.close()
            self._fail(key)
            app_log.exception("Error while making the protocol of a connection")
            return
        context = self._ssl
        try:
            if context is None:
                await self.loop.connect_accepted_socket(lambda: protocol, sock)
            else:
                profile = self._profile
                await self.loop.connect_accepted_socket(
                    lambda: protocol,
                    sock,
                    ssl=context,
                    ssl_handshake_timeout=profile.tls_handshake_timeout or None,
                    ssl_shutdown_timeout=profile.tls_shutdown_timeout or None,
                )
        except OSError as error:  # every ssl.SSLError is one, too
            self._fail(key)
            if context is not None:
                self._failures.warning(
                    "SSL Error: the TLS handshake with %s failed: %s", _name(address), error, key="tls"
                )
            else:
                sock.close()
                self._failures.warning("A connection of %s failed: %s", _name(address), error, key="open")

    def _fail(self, key: Hashable) -> None:
        self.failed += 1
        if self._limit is not None:
            self._limit.release(key)

    def _complain(self, limit: ConnectionLimit, address: object) -> None:
        """Says, once a minute, which limit is reached."""
        if limit.full:
            self.throttle.warning(
                "More connections than the limit allows: refusing clients (connections=%d)",
                limit.total,
                key="refused",
            )
        else:
            self.throttle.warning(
                "More connections of one client than the limit allows: refusing %s (connections_per_address=%d)",
                _name(address),
                limit.per_address,
                key="refused address",
            )

    def _refuse(self, sock: socket.socket) -> None:
        """Says `refusal` and closes.

        A socket that is closed with bytes unread is reset, and the reset overtakes what has been written. So
        the client gets a little time to send what it has begun and to read the answer; a bounded number of
        them.
        """
        self.refused += 1
        if not self._refusal or self._ssl is not None or len(self._lingering) >= _LINGERING:
            sock.close()
            return
        try:
            sock.send(self._refusal)
            sock.shutdown(socket.SHUT_WR)
        except OSError:  # it has left already
            sock.close()
            return
        self._lingering[sock] = self.loop.call_later(_LINGER_TIME, self._dismiss, sock)

    def _dismiss(self, sock: socket.socket) -> None:
        del self._lingering[sock]
        try:
            for _ in range(_DISCARD_READS):
                if not sock.recv(_DISCARD_BYTES):  # eyewall: ignore[EW206] - it does not block
                    break
        except OSError:  # nothing to read, or reset: both mean that it can be closed
            pass
        sock.close()


def _name(address: object) -> str:
    """Returns how a log line calls a client."""
    return str(address[0]) if isinstance(address, tuple) else "a local client"
