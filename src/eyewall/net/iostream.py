"""Streams over sockets: `IOStream`, and `SSLIOStream`, which an IOStream can become (`start_tls`)."""

from __future__ import annotations

import asyncio
import errno
import os
import socket as socket_module
import ssl
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

from eyewall.base.loggers import gen_log
from eyewall.guard.profile import TORNADO, active
from eyewall.guard.throttle import LogThrottle
from eyewall.loop.ioloop import IOLoop, Selectable
from eyewall.net.basestream import BaseIOStream
from eyewall.net.tls import client_context, ssl_options_to_context

if TYPE_CHECKING:
    import unittest

#: What TLS options may be given as.
TLSOptions = Mapping[str, Any] | ssl.SSLContext

_throttle = LogThrottle(gen_log)


class IOStream(BaseIOStream):
    """A stream over a socket, connected or not; a server's has been accepted, a client's is connected by `connect`.

    The socket is the stream's from then on. Further arguments are those of `BaseIOStream`.
    """

    def __init__(self, socket: socket_module.socket, *args: Any, **kwargs: Any) -> None:
        self.socket: Any = socket
        socket.setblocking(False)
        self._connected: asyncio.Future[Any] | None = None
        self._server_hostname: str | None = None
        super().__init__(*args, **kwargs)

    def fileno(self) -> int | Selectable:
        """Returns the socket."""
        sock: Selectable = self.socket
        return sock

    def close_fd(self) -> None:
        """Closes the socket."""
        self.socket.close()

    def get_fd_error(self) -> OSError | None:
        """Returns what the system has to say about the socket."""
        code = self.socket.getsockopt(socket_module.SOL_SOCKET, socket_module.SO_ERROR)
        return OSError(code, os.strerror(code)) if code else None

    def read_from_fd(self, buf: bytearray | memoryview) -> int | None:
        """See `BaseIOStream.read_from_fd`."""
        try:
            count: int = self.socket.recv_into(buf)
        except BlockingIOError:
            return None
        return count

    def write_to_fd(self, data: memoryview) -> int:
        """See `BaseIOStream.write_to_fd`."""
        count: int = self.socket.send(data)
        return count

    def _look(self) -> None:
        # What has come stays where it is: TLS may be about to begin, which wants it there.
        try:
            ended = not self.socket.recv(1, socket_module.MSG_PEEK)
        except BlockingIOError:
            return
        except OSError as error:
            self.close(exc_info=error)
            return
        if ended:
            self._ended()
        else:
            self._unread = True

    def connect(self, address: Any, server_hostname: str | None = None) -> asyncio.Future[Self]:
        """Connects the socket; returns a future of this stream.

        `address` is as for `socket.connect`; a host name in it is resolved at once, which blocks. It may be
        written before the future is done, and what was written is sent then. `server_hostname` is the name that a
        TLS server's certificate must have. The future fails with StreamClosedError, whose `real_error` says why.
        """
        future: asyncio.Future[Self] = self._aio.create_future()
        self._connected = future
        self._server_hostname = server_hostname
        self._prepared = False
        try:
            self.socket.connect(address)
        except BlockingIOError:
            pass
        except OSError as error:
            # Some systems refuse at once what others refuse later.
            self.close(exc_info=error)
            return future
        self._watch()
        return future

    def start_tls(
        self,
        server_side: bool,
        ssl_options: TLSOptions | None = None,
        server_hostname: str | None = None,
    ) -> asyncio.Future[SSLIOStream]:
        """Goes on with TLS, as the server (`server_side`) or as a client of `server_hostname`; returns a future
        of the `SSLIOStream` that takes the place of this stream.

        Nothing may wait to be read or written, and nothing that was read be left. Afterwards this stream cannot be
        used any more; its close callback passes to the other. Without `ssl_options` a client verifies the server.
        Cancelling the future closes the connection. Raises ValueError where the stream is in use, TLSConfigError
        for options that cannot be used.
        """
        self._check_open()
        self._drop_cancelled()
        if self._request is not None or len(self._write_buffer) or self._inbox or not self._prepared:
            raise ValueError("IOStream is not idle; cannot convert to SSL")
        context = _context(ssl_options, server_side)
        self._unwatch()
        try:
            wrapped = context.wrap_socket(
                self.socket,
                server_side=server_side,
                server_hostname=server_hostname,
                do_handshake_on_connect=False,
            )
        except BaseException as error:
            self.close(exc_info=error)
            raise
        # The socket has passed to the other, and with it everything that could be closed.
        self._closed = True
        stream = SSLIOStream(
            wrapped,
            ssl_options=context,
            max_buffer_size=self.max_buffer_size,
            read_chunk_size=self.read_chunk_size,
            max_write_buffer_size=self.max_write_buffer_size,
        )
        callback, self._close_callback = self._close_callback, None
        stream.set_close_callback(callback)
        return stream._shake_hands_for()

    def _unwatch(self) -> None:
        if self._watched != IOLoop.NONE:
            self._watched = IOLoop.NONE
            self.io_loop.remove_handler(self.socket)

    def set_nodelay(self, value: bool) -> None:
        """Turns Nagle's algorithm off (`value` is true) or on. Ignored where the socket is not TCP, or not
        connected.
        """
        sock = self.socket
        if self._closed or sock.family not in (socket_module.AF_INET, socket_module.AF_INET6):
            return
        try:
            sock.setsockopt(socket_module.IPPROTO_TCP, socket_module.TCP_NODELAY, 1 if value else 0)
        except OSError as error:
            # Some systems do not know it of a socket whose peer has left already.
            if error.errno != errno.EINVAL:
                raise

    def _prepare(self) -> bool:
        error = self.get_fd_error()
        if error is not None:
            self.close(exc_info=error)
            return False
        self._on_connected()
        return self._prepared

    def _on_connected(self) -> None:
        """The connection is made."""
        self._prepared = True
        future, self._connected = self._connected, None
        if future is not None and not future.done():
            future.set_result(self)

    def _wake(self) -> None:
        future, self._connected = self._connected, None
        if future is not None and not future.done():
            self._failed(future)
        super()._wake()


class SSLIOStream(IOStream):
    """A stream over a TLS connection.

    `socket`: one that is connected must be an `ssl.SSLSocket` that has not begun its handshake; one that `connect`
    is to connect may be any. `ssl_options`: an `ssl.SSLContext` or a dictionary of options, for `connect`; without
    it, servers are verified. The handshake begins by itself. A peer that does not take part in it ends after the
    `tls_handshake_timeout` of the active profile, where this is the server.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._options: TLSOptions | None = kwargs.pop("ssl_options", None)
        super().__init__(*args, **kwargs)
        # What the handshake waits for, once it has begun.
        self._shaking = False
        self._shake_events = IOLoop.WRITE
        self._shaken: asyncio.Future[Any] | None = None
        self._deadline: asyncio.TimerHandle | None = None
        # Where TLS has to write in order to read, or the other way round.
        self._read_needs_write = False
        self._write_needs_read = False
        self._prepared = False
        if isinstance(self.socket, ssl.SSLSocket) and _is_connected(self.socket):
            self._begin_handshake()

    def reading(self) -> bool:
        """Whether a read or the handshake waits."""
        return self._shaking or super().reading()

    def writing(self) -> bool:
        """Whether bytes, or the handshake, wait to be written."""
        return self._shaking or super().writing()

    def connect(self, address: Any, server_hostname: str | None = None) -> asyncio.Future[Self]:
        """See `IOStream.connect`, also for `address` and `server_hostname`; the future is done after the
        handshake, and fails with its error.
        """
        return super().connect(address, server_hostname)

    def wait_for_handshake(self) -> asyncio.Future[Self]:
        """Returns a future of this stream, done when the handshake is: certificates and protocols are known then.

        Raises RuntimeError where somebody waits for it already, StreamClosedError where it is closed.
        """
        if self._shaken is not None:
            raise RuntimeError("Already waiting")
        self._check_open()
        future: asyncio.Future[Self] = self._aio.create_future()
        if self._prepared:
            future.set_result(self)
        else:
            self._shaken = future
        return future

    def _shake_hands_for(self) -> asyncio.Future[Any]:
        """Returns a future of this stream for `start_tls`: it fails with the error of the handshake itself."""
        future: asyncio.Future[Any] = self._aio.create_future()
        if self._closed:
            return self._failed(future)
        self._connected = future
        future.add_done_callback(self._close_cancelled)
        return future

    def _close_cancelled(self, future: asyncio.Future[Any]) -> None:
        if future.cancelled():
            self.close()

    def read_from_fd(self, buf: bytearray | memoryview) -> int | None:
        """See `BaseIOStream.read_from_fd`."""
        try:
            count: int = self.socket.recv_into(buf)
        except ssl.SSLWantReadError:
            return None
        except ssl.SSLWantWriteError:
            self._read_needs_write = True
            return None
        return count

    def write_to_fd(self, data: memoryview) -> int:
        """See `BaseIOStream.write_to_fd`."""
        try:
            count: int = self.socket.send(data)
        except ssl.SSLWantWriteError:
            return 0
        except ssl.SSLWantReadError:
            self._write_needs_read = True
            return 0
        return count

    def close_fd(self) -> None:
        """Closes the socket; with a word to the peer where nothing is missing, so that it knows."""
        if self._prepared and self.error is None and not len(self._write_buffer):
            try:
                self.socket.unwrap()
            except (OSError, ValueError):
                # It would like to wait for the answer, or the peer is gone. Both are no matter.
                pass
        super().close_fd()

    def _look(self) -> None:
        self._on_readable()

    def _is_leaving(self, error: BaseException) -> bool:
        return isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError) or super()._is_leaving(error)

    def _interest(self) -> int:
        if self._shaking and not self._closed:
            return self._shake_events
        events = super()._interest()
        if self._read_needs_write:
            events |= IOLoop.WRITE
        if self._write_needs_read:
            events |= IOLoop.READ
        return IOLoop.NONE if self._closed else events

    def _on_event(self, fd: int | Selectable, events: int) -> None:
        if self._read_needs_write and events & IOLoop.WRITE:
            self._read_needs_write = False
            events |= IOLoop.READ
        if self._write_needs_read and events & IOLoop.READ:
            self._write_needs_read = False
            events |= IOLoop.WRITE
        super()._on_event(fd, events)

    # -- the handshake ----------------------------------------------------------------------------------

    def _prepare(self) -> bool:
        if not self._shaking:
            return super()._prepare()
        self._shake()
        return self._prepared

    def _on_connected(self) -> None:
        # Of the TCP connection; the handshake comes next.
        try:
            if not isinstance(self.socket, ssl.SSLSocket):
                context = _context(self._options, server_side=False)
                self._unwatch()
                self.socket = context.wrap_socket(
                    self.socket, server_hostname=self._server_hostname, do_handshake_on_connect=False
                )
        except (OSError, ValueError) as error:
            self._fail_handshake(error)
            return
        self._begin_handshake()

    def _begin_handshake(self) -> None:
        self._shaking = True
        timeout = active().tls_handshake_timeout
        if self.socket.server_side and timeout:
            self._deadline = self._aio.call_later(timeout, self._expire, timeout)
        # The socket can be written to, so the handshake begins in the next turn.
        self._watch()

    def _shake(self) -> None:
        try:
            self.socket.do_handshake()
        except ssl.SSLWantReadError:
            self._shake_events = IOLoop.READ
        except ssl.SSLWantWriteError:
            self._shake_events = IOLoop.WRITE
        except ssl.SSLError as error:
            self._report(error)
            self._fail_handshake(error)
        except (OSError, ValueError, AttributeError) as error:
            # AttributeError: a socket that was reset before it was wrapped is none of TLS.
            self._fail_handshake(error)
        else:
            self._end_handshake()
            super()._on_connected()
            future, self._shaken = self._shaken, None
            if future is not None and not future.done():
                future.set_result(self)

    def _end_handshake(self) -> None:
        self._shaking = False
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _expire(self, timeout: float) -> None:
        self._fail_handshake(TimeoutError(f"no TLS handshake within {timeout:g} seconds"))

    def _report(self, error: ssl.SSLError) -> None:
        if error.args and error.args[0] in (ssl.SSL_ERROR_EOF, ssl.SSL_ERROR_ZERO_RETURN):
            # The peer has left, as peers do.
            return
        try:
            peer = self.socket.getpeername()
        except OSError:
            peer = "(not connected)"
        if active().name == TORNADO.name:
            gen_log.warning("SSL Error on %s %s: %s", self.socket.fileno(), peer, error)
        else:
            host = peer[0] if isinstance(peer, tuple) else peer
            _throttle.warning("SSL Error on %s %s: %s", self.socket.fileno(), peer, error, key=("tls", host))

    def _fail_handshake(self, error: Exception) -> None:
        # Who connects is told the error itself, which says what is wrong with the certificate.
        future, self._connected = self._connected, None
        if future is not None and not future.done():
            future.set_exception(error)
            future.exception()
        self.close(exc_info=error)

    def _wake(self) -> None:
        self._end_handshake()
        future, self._shaken = self._shaken, None
        if future is not None and not future.done():
            self._failed(future)
        super()._wake()


def _context(options: TLSOptions | None, server_side: bool) -> ssl.SSLContext:
    if options is not None:
        return ssl_options_to_context(options, server_side=server_side)
    if server_side:
        raise ValueError("a TLS server needs ssl_options with a certificate")
    return client_context()


def _is_connected(sock: socket_module.socket) -> bool:
    try:
        sock.getpeername()
    except OSError:
        return False
    return True


def doctests() -> unittest.TestSuite:
    """Returns the examples in this module's docstrings as a test suite."""
    # Test machinery, of no use to a server.
    import doctest

    return doctest.DocTestSuite(sys.modules[__name__])
