"""Accepting connections, and what to do when no more can be accepted.

A `Listener` watches a listening socket and makes a transport and a protocol of each connection. It does not
use `loop.create_server`, because of what that does when the process is out of file descriptors: uvloop
(libuv) accepts each client just to close it, without a word to anybody; asyncio reports every attempt and
makes a thousand of them a second. Here accepting pauses, the clients wait in the kernel's backlog, one line a
minute says why, and after `_FIRST_PAUSE` to `_LONGEST_PAUSE` seconds it is tried again. (Handing the accepted
socket to the loop costs 1.1 to 1.4 times the processor time of the loops' own accepting, about 10 µs a
connection.)

Who counts connections: the listener admits a client at the `ConnectionLimit` as soon as it is accepted, so
that those whose TLS handshake takes its time count as well. From `connection_made` on the connection is the
protocol's, which calls `release` in `connection_lost`; one that fails before is released here. That is why
`connection_made` must not raise.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from eyewall.base.loggers import app_log, gen_log
from eyewall.guard.admission import ConnectionLimit
from eyewall.guard.profile import Profile
from eyewall.guard.throttle import LogThrottle

if TYPE_CHECKING:
    import ssl as ssl_module

#: Connections accepted in one turn of the loop, before those that are open get theirs.
_BATCH = 16
#: Seconds for which accepting pauses when resources are exhausted; doubled each time, up to the longest.
_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 1.0
#: Refused clients that are given time to read why, at once, and how long in seconds. See `_refuse`.
_LINGERING = 64
_LINGER_TIME = 1.0
#: Bytes read at once, and reads made, to empty the receive buffer of a refused client.
_DISCARD_BYTES = 65536
_DISCARD_READS = 4

#: The process or the machine has no more of something.
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
#: The listening socket itself is of no use any more: somebody closed it.
_CLOSED = frozenset({errno.EBADF, errno.ENOTSOCK, errno.EINVAL})

#: What all listeners say about their clients goes through here.
_throttle = LogThrottle(gen_log)


class Listener:
    """Accepts the connections of `sock`, a listening socket, from `start` to `close`.

    For each, `protocol_factory` makes the protocol, and the loop the transport. `ssl` is the context for a
    TLS server; its handshake has `profile.tls_handshake_timeout` seconds. At the `limit` a client gets the
    bytes `refusal` (not over TLS) and is closed. The socket belongs to the listener from now on.
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
        throttle: LogThrottle | None = None,
    ) -> None:
        self.loop = asyncio.get_running_loop() if loop is None else loop
        self.sock = sock
        #: Connections that were handed to the loop, refused at the limit, and lost before they were made.
        self.accepted = 0
        self.refused = 0
        self.failed = 0
        self.closed = False
        self._factory = protocol_factory
        self._profile = profile
        self._ssl = ssl
        self._limit = limit
        self._refusal = refusal
        self._throttle = _throttle if throttle is None else throttle
        self._tcp = sock.family in (socket.AF_INET, socket.AF_INET6)
        self._opening: set[asyncio.Task[None]] = set()
        self._lingering: dict[socket.socket, asyncio.TimerHandle] = {}
        self._reading = False
        self._stopped = True
        self._pause = _FIRST_PAUSE
        self._retry: asyncio.TimerHandle | None = None
        sock.setblocking(False)
        if self._tcp:
            # What is accepted inherits it on Linux and the BSDs; the loops set it where it is not inherited.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @property
    def opening(self) -> int:
        """The number of connections that are accepted and not made yet."""
        return len(self._opening)

    @property
    def starved(self) -> bool:
        """Whether accepting pauses because the process has run out of file descriptors or memory."""
        return self._retry is not None

    def start(self) -> None:
        """Begins, or goes on after `pause`, to accept. Raises RuntimeError when closed."""
        if self.closed:
            raise RuntimeError("this listener is closed")
        self._stopped = False
        if self._retry is None:
            self._watch()

    resume = start

    def pause(self) -> None:
        """Stops accepting; clients wait in the kernel's backlog, as many as have room there."""
        self._stopped = True
        self._unwatch()

    def close(self, *, sweep: bool = False) -> None:
        """Stops accepting and frees the address at once. Connections that were accepted live on.

        The kernel resets the clients that wait in the backlog. With `sweep` they are accepted first, for a
        server that goes on to finish what it has begun.
        """
        if self.closed:
            return
        self._stopped = True
        self._unwatch()
        if sweep:
            self._accept(self._profile.listen_backlog)
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        self.closed = True
        self.sock.close()
        for sock, timer in self._lingering.items():
            timer.cancel()
            sock.close()
        self._lingering.clear()

    async def wait_opened(self) -> None:
        """Waits until all that was accepted is made or failed: the deadline of a handshake at most."""
        while self._opening:
            await asyncio.wait(self._opening)

    def _watch(self) -> None:
        if not self._reading:
            self.loop.add_reader(self.sock.fileno(), self._accept)
            self._reading = True

    def _unwatch(self) -> None:
        if self._reading:
            self._reading = False
            self.loop.remove_reader(self.sock.fileno())

    def _accept(self, most: int = _BATCH) -> None:
        for _ in range(most):
            try:
                sock, address = self.sock.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    self._starve(error)
                    return
                if error.errno in _CLOSED:
                    self._unwatch()
                    self._stopped = True
                    gen_log.error("A listening socket was closed by somebody else: %s", error)
                    return
                # The client has left already, or a firewall or the network has something against it.
                continue
            self._pause = _FIRST_PAUSE
            sock.setblocking(False)
            if self._limit is not None and not self._limit.admit():
                self._refuse(sock)
                continue
            self.accepted += 1
            task = self.loop.create_task(self._open(sock, address))
            self._opening.add(task)
            task.add_done_callback(partial(self._opened, sock))

    def _opened(self, sock: socket.socket, task: asyncio.Task[None]) -> None:
        self._opening.discard(task)
        if task.cancelled():  # the loop is being shut down; the task may not even have begun
            sock.close()

    async def _open(self, sock: socket.socket, address: object) -> None:
        try:
            protocol = self._factory()
        except Exception:  # noqa: BLE001 - whatever it is, it must not end the accepting
            sock.close()
            self._fail()
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
            self._fail()
            if context is not None:
                self._throttle.warning("A TLS handshake with %s failed: %s", _name(address), error, key="tls")
            else:
                sock.close()
                self._throttle.warning("A connection of %s failed: %s", _name(address), error, key="open")

    def _fail(self) -> None:
        self.failed += 1
        if self._limit is not None:
            self._limit.release()

    def _starve(self, error: OSError) -> None:
        """Pauses accepting: the connections that are open go on, and one that ends makes room for another."""
        self._throttle.log(
            logging.ERROR,
            "Accepting connections pauses, as the process is out of resources: %s. "
            "More open files may be allowed with `ulimit -n`, or fewer connections in the profile.",
            error,
            key="starved",
        )
        self._unwatch()
        if self._retry is None:
            self._retry = self.loop.call_later(self._pause, self._try_again)
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)

    def _try_again(self) -> None:
        self._retry = None
        if not self._stopped:
            self._watch()

    def _refuse(self, sock: socket.socket) -> None:
        """Says `refusal` and closes.

        A socket that is closed with bytes unread is reset, and the reset overtakes what has been written. So
        the client gets a little time to send what it has begun and to read the answer; a bounded number of
        them.
        """
        self.refused += 1
        self._throttle.warning("More connections than the limit allows: refusing clients", key="refused")
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
                if not sock.recv(_DISCARD_BYTES):
                    break
        except OSError:  # nothing to read, or reset: both mean that it can be closed
            pass
        sock.close()


def _name(address: object) -> str:
    """Returns how a log line calls a client."""
    return str(address[0]) if isinstance(address, tuple) else "a local client"
