"""Accepting connections, and what to do when no more can be accepted.

An `Acceptor` watches a listening socket and hands each connection to a callback. `loop.create_server` is not
used because of what it does when the process is out of file descriptors: uvloop (libuv) accepts each client
just to close it, without a word to anybody; asyncio reports every attempt and makes a thousand of them a
second. Here accepting pauses, the clients wait in the kernel's backlog, one line a minute says why, and after
`_FIRST_PAUSE` to `_LONGEST_PAUSE` seconds it is tried again.

It pauses while the last `SPARE` descriptors are still free. They are for those who are connected already: a file
that is to be sent, a connection to a database, a module that is imported when it is first needed. Otherwise
whoever opens connections until none are left makes the requests of all others fail.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
import sys
from collections.abc import Callable
from typing import Any

from eyewall.base.loggers import app_log, gen_log
from eyewall.guard.throttle import LogThrottle
from eyewall.loop.belongings import belongs
from eyewall.loop.ioloop import IOLoop
from eyewall.net.unserved import expect

try:
    import resource
except ImportError:  # pragma: no cover - Windows
    resource = None  # type: ignore[assignment]

#: Descriptors that no client gets; where few are allowed, one in eight.
SPARE = 32
#: Connections accepted in one turn of the loop, before those that are open get theirs, at most; and after how many
#: turns in which all were there that were tried, twice as many are tried.
_BATCH = 16
_BUSY_TURNS = 4
#: Seconds for which accepting pauses when resources are exhausted; doubled each time, up to the longest.
_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 1.0

#: The process or the machine has no more of something.
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
#: The listening socket itself is of no use any more: somebody closed it.
_CLOSED = frozenset({errno.EBADF, errno.ENOTSOCK, errno.EINVAL})

#: What all acceptors say goes through here, unless they are given another.
throttle = LogThrottle(gen_log)


class Acceptor:
    """Accepts the connections of `sock`, a listening socket, from `start` to `close`, which closes it too.

    `take(connection, address)` gets each connection, a non-blocking socket that is its own from then on; an
    exception that it raises is logged, and the connection closed.
    """

    def __init__(
        self,
        sock: socket.socket,
        take: Callable[[socket.socket, Any], object],
        *,
        loop: asyncio.AbstractEventLoop,
        throttle: LogThrottle = throttle,
    ) -> None:
        self.loop = loop
        self.sock = sock
        self.closed = False
        self.throttle = throttle
        self._take = take
        self._reading = False
        self._stopped = True
        self._pause = _FIRST_PAUSE
        # To find that nobody else waits costs as much as to be told that somebody does.
        self._expected = 1
        self._busy_turns = 0
        self._retry: asyncio.TimerHandle | None = None
        # What the kernel gives out is the lowest number that is free.
        self._highest = sys.maxsize
        sock.setblocking(False)
        belongs(loop, self)
        if not loop.is_running():
            expect(loop, sock)

    @property
    def starved(self) -> bool:
        """Whether accepting pauses because the process has run out of file descriptors or memory."""
        return self._retry is not None

    def start(self) -> None:
        """Begins, or goes on after `pause`, to accept. Raises RuntimeError when closed."""
        if self.closed:
            raise RuntimeError("this listener is closed")
        self._stopped = False
        self._highest = _highest()
        if self._retry is None:
            self._watch()

    resume = start

    def pause(self) -> None:
        """Stops accepting; clients wait in the kernel's backlog, as many as have room there."""
        self._stopped = True
        self._unwatch()

    def stop(self) -> None:
        """Stops accepting for good, but leaves the socket open."""
        self.closed = True
        self.pause()
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None

    def close(self, *, sweep: int = 0) -> None:
        """Stops accepting and frees the address at once. Connections that were accepted live on.

        The kernel resets the clients that wait in the backlog. With `sweep` at most as many of them are
        accepted first, for a server that goes on to finish what it has begun.
        """
        if not self.closed:
            self.accept(sweep)
            self.stop()
            self.sock.close()

    def accept(self, most: int = _BATCH) -> int:
        """Accepts what waits, at most `most` connections; tells how many there were."""
        for accepted in range(most):
            try:
                connection, address = self.sock.accept()
            except (BlockingIOError, InterruptedError):
                return accepted
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    self._starve(error)
                    return accepted
                if error.errno in _CLOSED:
                    self.pause()
                    gen_log.error("A listening socket was closed by somebody else: %s", error)
                    return accepted
                # The client has left already, or a firewall or the network has something against it.
                continue
            number = connection.fileno()
            if number < self._highest:
                self._pause = _FIRST_PAUSE
            try:
                connection.setblocking(False)
                self._take(connection, address)
            except Exception:  # noqa: BLE001 - whatever it is, it must not end the accepting
                connection.close()
                app_log.exception("Error in the callback for an accepted connection")
            if self.closed:  # by the callback
                return accepted + 1
            if number >= self._highest and not self._has_spare():
                self._starve(OSError(errno.EMFILE, os.strerror(errno.EMFILE)))
                return accepted + 1
        return most

    def _accept_expected(self) -> None:
        """Accepts about as many connections as have waited of late."""
        accepted = self.accept(self._expected)
        if accepted < self._expected:
            self._expected = max(accepted, 1)
            self._busy_turns = 0
        elif self._expected < _BATCH:
            self._busy_turns += 1
            if self._busy_turns == _BUSY_TURNS:
                self._expected = min(2 * self._expected, _BATCH)
                self._busy_turns = 0

    def _watch(self) -> None:
        if not self._reading:
            self.loop.add_reader(self.sock.fileno(), self._accept_expected)
            self._reading = True

    def _unwatch(self) -> None:
        if self._reading:
            self._reading = False
            self.loop.remove_reader(self.sock.fileno())

    def _starve(self, error: OSError) -> None:
        """Pauses accepting: the connections that are open go on, and one that ends makes room for another."""
        self.throttle.log(
            logging.ERROR,
            "Accepting connections pauses, as the process is out of resources: %s. "
            "More open files may be allowed with `ulimit -n`, or fewer connections in the profile.",
            error,
            key="starved",
        )
        self._unwatch()
        self._wait()

    def _wait(self) -> None:
        if self._retry is None:
            self._retry = self.loop.call_later(self._pause, self._try_again)
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)

    def _try_again(self) -> None:
        self._retry = None
        if self._stopped:
            return
        if self._has_spare():
            self._watch()
        else:
            self._wait()

    def _has_spare(self) -> bool:
        """Whether there are descriptors for others than clients."""
        # The limit may have been raised.
        self._highest = _highest()
        try:
            number = os.dup(self.sock.fileno())
        except OSError as error:
            # Anything else is for `accept` to find out.
            return error.errno not in _EXHAUSTED
        os.close(number)
        return number < self._highest


def _highest() -> int:
    """Returns the first of the numbers that clients must leave to others."""
    limit = -1 if resource is None else resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return sys.maxsize if limit < 0 else limit - min(SPARE, limit // 8)


class _HandlerAcceptor(Acceptor):
    """An acceptor that can be seen, and removed, among the handlers of an `IOLoop`."""

    def __init__(
        self, io_loop: IOLoop, sock: socket.socket, callback: Callable[[socket.socket, Any], None]
    ) -> None:
        self.io_loop = io_loop
        super().__init__(sock, callback, loop=io_loop.asyncio_loop)  # type: ignore[attr-defined]

    def _watch(self) -> None:
        if not self._reading:
            self.io_loop.add_handler(self.sock, lambda _fd, _events: self._accept_expected(), IOLoop.READ)
            self._reading = True

    def _unwatch(self) -> None:
        if self._reading:
            self._reading = False
            self.io_loop.remove_handler(self.sock)


def add_accept_handler(
    sock: socket.socket, callback: Callable[[socket.socket, Any], None]
) -> Callable[[], None]:
    """Calls `callback(connection, address)` on the current `IOLoop` for each connection that `sock` accepts.

    Returns a function that ends it, as `IOLoop.remove_handler(sock)` does; `sock` stays open.
    """
    acceptor = _HandlerAcceptor(IOLoop.current(), sock, callback)
    acceptor.start()
    return acceptor.stop
