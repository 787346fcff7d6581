"""`TransportStream`: an `IOStream` over an asyncio transport, for programs that take a connection from its driver.

A server reads its connections with a driver of its own, not with a stream. Where a program asks for the stream of
such a connection, it gets one of these. At first it is a *guest*: what is written to it goes out between what the
driver writes, and it is told of the end. As soon as somebody reads from it, or takes it over (`claim`), it becomes
the protocol of the transport, with the bytes that the driver had read and not used; the driver is out of it then.
"""

from __future__ import annotations

import asyncio
import os
import socket as socket_module
from collections.abc import Callable
from typing import Any

from eyewall.base.loggers import gen_log
from eyewall.guard.profile import Profile
from eyewall.guard.wheel import DeadlineWheel
from eyewall.loop.ioloop import IOLoop
from eyewall.net.basestream import BaseIOStream
from eyewall.net.errors import StreamBufferFullError, StreamClosedError, UnsatisfiableReadError
from eyewall.net.iostream import IOStream, SSLIOStream, TLSOptions
from eyewall.net.sendqueue import Buffer, flat
from eyewall.net.transport import FlowControl


class SocketView:
    """The socket of a transport, and with TLS what is to be known of that, as an `ssl.SSLSocket` has both."""

    def __init__(self, transport: asyncio.BaseTransport) -> None:
        self._socket = transport.get_extra_info("socket")
        self._tls = transport.get_extra_info("ssl_object")

    def __getattr__(self, name: str) -> Any:
        if self._tls is not None and hasattr(self._tls, name):
            return getattr(self._tls, name)
        return getattr(self._socket, name)


class TransportStream(IOStream):
    """A stream over the transport of `flow`, which is that of a driver; closed where it has none any more.

    `hand_over(protocol)` is called when the stream takes the transport over: it makes `protocol` the transport's
    and returns what was read already. Further arguments are those of `BaseIOStream`.
    """

    def __init__(
        self,
        flow: FlowControl,
        hand_over: Callable[[StreamProtocol], bytes],
        profile: Profile,
        **options: Any,
    ) -> None:
        # Not the one of IOStream, which begins with a socket of its own.
        BaseIOStream.__init__(self, **options)
        self.socket: Any = None
        self._connected = None
        self._server_hostname = None
        self._flow: FlowControl | None = flow
        self._hand_over: Callable[[StreamProtocol], bytes] | None = hand_over
        self._profile = profile
        self._paused = False
        if flow.transport is not None:
            self.socket = SocketView(flow.transport)
        else:
            self.driver_lost(flow.error)

    # -- the transport ----------------------------------------------------------------------------------

    def claim(self) -> None:
        """Takes the transport over. Raises StreamClosedError where it is gone."""
        flow = self._driven()
        hand_over, self._hand_over = self._hand_over, None
        if hand_over is None:
            return
        transport = flow.transport
        if transport is None:
            raise StreamClosedError(flow.error)
        protocol = StreamProtocol(self, flow.loop, flow.wheel, self._profile)
        protocol.attach(transport)
        self._inbox += hand_over(protocol)
        self._flow = protocol
        self._watch()

    def driver_lost(self, error: BaseException | None) -> None:
        """The connection is gone; whoever drives it says so."""
        if not self._closed:
            self.close(exc_info=error or False)
        # Neither is of use any more, and both refer to this stream.
        self._flow = None
        self._hand_over = None

    def _driven(self) -> FlowControl:
        if self._flow is None:
            raise StreamClosedError(real_error=self.error)
        return self._flow

    def take(self, data: bytes) -> None:
        """Bytes came."""
        if self._closed:
            return
        self._inbox += data
        try:
            self._answer(settled=True)
        except UnsatisfiableReadError as error:
            self._give_up(error)
            return
        if self._request is not None and len(self._inbox) > self.max_buffer_size:
            gen_log.error("Reached maximum read buffer size")
            self.close(exc_info=StreamBufferFullError("Reached maximum read buffer size"))
            return
        self._watch()

    def take_end(self) -> None:
        """The peer sends no more."""
        if not self._closed:
            self._ended()

    # -- in place of a descriptor -----------------------------------------------------------------------

    def close_fd(self) -> None:
        """Closes the connection, when what was written has gone out."""
        if self._flow is not None:
            self._flow.close()

    def _receive(self) -> None:
        """Nothing is fetched: what comes is brought."""
        self.claim()
        self._answer(settled=True)

    def _watch(self) -> None:
        # A guest leaves reading to the driver, which also notices the end.
        if self._closed or self._flow is None or self._hand_over is not None:
            return
        transport = self._flow.transport
        if transport is None or transport.is_closing():
            return
        pause = not self._interest() & IOLoop.READ
        if pause != self._paused:
            self._paused = pause
            if pause:
                transport.pause_reading()
            else:
                transport.resume_reading()

    def write(self, data: Buffer) -> asyncio.Future[None]:
        """See `BaseIOStream.write`; the future is done when little enough waits for the peer."""
        self._check_open()
        flow = self._driven()
        view = flat(data)
        limit = self.max_write_buffer_size
        if limit is not None and flow.waiting() + len(view) > limit:
            raise StreamBufferFullError(f"Reached maximum write buffer size: {limit} bytes")
        if len(view):
            flow.write(data if isinstance(data, bytes) else bytes(view))
        return flow.drained()

    def writing(self) -> bool:
        """Whether bytes wait to be written."""
        return self.unsent() > 0

    def unsent(self) -> int:
        """Returns how many bytes wait to be written."""
        return 0 if self._flow is None else self._flow.waiting()

    def connect(self, address: Any, server_hostname: str | None = None) -> Any:
        """Raises ValueError: it is connected."""
        raise ValueError("this stream is connected already")

    def start_tls(
        self,
        server_side: bool,
        ssl_options: TLSOptions | None = None,
        server_hostname: str | None = None,
    ) -> asyncio.Future[SSLIOStream]:
        """See `IOStream.start_tls`. Raises ValueError also where the connection has TLS already."""
        self._check_open()
        self._drop_cancelled()
        self.claim()
        flow = self._driven()
        transport = flow.transport
        if self._request is not None or self._inbox or transport is None or flow.waiting():
            raise ValueError("IOStream is not idle; cannot convert to SSL")
        if transport.get_extra_info("sslcontext") is not None:
            raise ValueError("the connection has TLS already")
        # The transport closes its own descriptor, and the connection lives on with ours.
        sock = socket_module.socket(fileno=os.dup(transport.get_extra_info("socket").fileno()))
        stream = IOStream(
            sock,
            max_buffer_size=self.max_buffer_size,
            read_chunk_size=self.read_chunk_size,
            max_write_buffer_size=self.max_write_buffer_size,
        )
        callback, self._close_callback = self._close_callback, None
        stream.set_close_callback(callback)
        self._closed = True
        flow.abort()
        return stream.start_tls(server_side, ssl_options, server_hostname)


class StreamProtocol(FlowControl):
    """The asyncio protocol of a transport that a stream has taken over."""

    def __init__(
        self,
        stream: TransportStream,
        loop: asyncio.AbstractEventLoop,
        wheel: DeadlineWheel,
        profile: Profile,
    ) -> None:
        super().__init__(loop, wheel, profile)
        self.stream: TransportStream | None = stream
        #: Called when the connection is lost, by whoever keeps count of connections.
        self.release: Callable[[], object] | None = None

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        if self.stream is not None:
            self.stream.take(data)

    def eof_received(self) -> bool:
        """The peer sends no more."""
        if self.stream is not None:
            self.stream.take_end()
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is gone."""
        self.lost(error)
        if self.release is not None:
            self.release()
        stream, self.stream = self.stream, None
        if stream is not None:
            stream.driver_lost(error)

    def go_away(self) -> None:
        """The server drains; what the program has begun with the connection goes on until it is broken off."""
