"""One connection of a client: the driver that moves bytes between a transport and the HTTP/1 engine.

Whoever makes a request pulls events (`next_event`), as the engine gives them: nothing is taken from the engine that
nobody asked for, and when too much has come that nobody takes, reading pauses. That is all the backpressure there is.

A connection without a request is *idle*. It is on the deadline wheel then, and whatever the server does in that time,
sending or closing, makes it useless.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable
from typing import Any

from eyewall.client.errors import ServerDisconnected
from eyewall.client.request import HTTPStreamClosedError
from eyewall.guard.profile import Profile
from eyewall.guard.registry import Entry, client_connections
from eyewall.guard.wheel import GONE, NONE, DeadlineWheel
from eyewall.http.errors import RemoteProtocolError
from eyewall.http.h1.engine import END, NEED_DATA, H1Engine
from eyewall.net.transport import FlowControl


class ClientConnection(FlowControl):
    """A connection to a server, or to a proxy. `on_lost` is called with it, once, when it is gone."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        wheel: DeadlineWheel,
        profile: Profile,
        on_lost: Callable[[ClientConnection], object],
    ) -> None:
        super().__init__(loop, wheel, profile)
        self.engine = H1Engine(profile, client=True)
        #: When it is closed if no request comes, in the time of the wheel.
        self.deadline = NONE
        #: Requests that were made on it.
        self.served = 0
        #: Bytes of the response to the current request that have come.
        self.received = 0
        #: When it was made and when bytes came last, and how many came, for `guard.registry`.
        self.opened = 0.0
        self.active = 0.0
        self.bytes_in = 0
        #: What server it leads to.
        self.server = ""
        self._on_lost = on_lost
        self._backlog_bytes = profile.client_backlog_bytes
        self._idle = False
        self._on_wheel = False
        self._eof = False
        self._failure: BaseException | None = None
        self._news: asyncio.Future[None] | None = None
        self._reading = True

    # -- the transport calls ----------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The server is reached; with TLS, the handshake is done."""
        self.attach(transport)  # type: ignore[arg-type]
        self.opened = self.active = self.loop.time()
        client_connections.add(self)

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        if self._idle:
            # An answer to nothing: what follows it could be taken for the answer to the next request.
            self.abort()
            return
        self.active = self.loop.time()
        self.received += len(data)
        self.bytes_in += len(data)
        self.engine.feed(data)
        if self._news is not None:
            self._tell()
        elif self._reading and self.engine.buffered() >= self._backlog_bytes and self.transport is not None:
            self._reading = False
            self.transport.pause_reading()

    def eof_received(self) -> None:
        """The server sends no more."""
        self._eof = True
        self._tell()

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is gone."""
        self.wheel.discard(self)
        client_connections.discard(self)
        self.lost(error)
        self._tell()
        self._on_lost(self)

    def stalled(self, timeout: float) -> None:
        """The server has taken no byte for `timeout` seconds while some were waiting for it: aborts."""
        self.abort(TimeoutError(f"the server took none of the bytes sent to it for {timeout:g} s"))

    def _live_entry(self) -> Entry:
        now = self.loop.time()
        peer = self.transport.get_extra_info("peername") if self.transport is not None else None
        return Entry(
            kind="client_connection",
            subject=self,
            peer=str(peer[0]) if isinstance(peer, tuple) and peer else "",
            route=self.server,
            label=f"{'idle' if self._idle else 'busy'}, {self.served} request{'s' * (self.served != 1)}",
            age=now - self.opened,
            idle=now - self.active,
            bytes_in=self.bytes_in,
            bytes_out=self.written,
            end=lambda at_once: self.abort() if at_once or not self._idle else self.close(),
        )

    # -- between requests -------------------------------------------------------------------------------

    def usable(self) -> bool:
        """Tells whether a request may be made on it, as far as anybody knows.

        What the loop has yet to notice is known as well: a server that has closed it in this moment.
        """
        transport = self.transport
        if self.closed or self._eof or transport is None or transport.is_closing():
            return False
        sock = transport.get_extra_info("socket")
        return sock is None or not _has_news(sock.fileno())

    def park(self, timeout: float) -> None:
        """The connection is idle, and closes after `timeout` seconds if that does not change."""
        self._idle = True
        self._resume()
        if not self._on_wheel:
            # Added first: a wheel that rested knows the time from then on.
            self._on_wheel = True
            self.wheel.add(self)
        self.deadline = self.wheel.now + timeout

    def deadline_passed(self, now: float) -> None:
        """It was idle for too long."""
        self.deadline = GONE
        self._on_wheel = False
        self.close()

    def begin(self, method: str) -> None:
        """A request is about to be sent. Ends being idle."""
        self._idle = False
        self.deadline = NONE
        self.received = 0
        if self.served:
            self.engine.start_next()
        self.served += 1
        self.engine.expect(method)

    # -- the response -----------------------------------------------------------------------------------

    async def next_event(self) -> int:
        """Returns the next event of the response: HEAD, DATA or END.

        Raises RemoteProtocolError where the server breaks a rule, ServerDisconnected where it closed before a
        byte of the response had come, HTTPStreamClosedError where it closed later, and what `fail` was
        called with.
        """
        engine = self.engine
        while True:
            if self._failure is not None:
                raise self._failure
            event = engine.next_event()
            if event != NEED_DATA:
                return event
            if self.closed or self._eof:
                return self._end()
            self._news = self.loop.create_future()
            self._resume()
            await self._news

    def fail(self, error: BaseException) -> None:
        """Makes whoever waits for an event, now or later, raise `error`."""
        if self._failure is None:
            self._failure = error
        self._tell()

    def _end(self) -> int:
        """The server sends no more: returns END where that is the end of the response."""
        if self.error is None:
            try:
                if self.engine.feed_eof() == END:
                    return END
            except RemoteProtocolError:
                # Cut off. That it was the server's doing, the error below says too.
                pass
        if self.received == 0:
            raise ServerDisconnected("Connection closed") from self.error
        raise HTTPStreamClosedError("Connection closed") from self.error

    def _tell(self) -> None:
        news = self._news
        if news is not None:
            self._news = None
            if not news.done():
                news.set_result(None)

    def _resume(self) -> None:
        if not self._reading:
            self._reading = True
            transport: Any = self.transport
            if transport is not None and not transport.is_closing():
                transport.resume_reading()


def _has_news(descriptor: int) -> bool:
    """Tells whether a socket has something to be read, which may be its end."""
    if descriptor < 0:
        return True
    if not hasattr(select, "poll"):
        return bool(select.select([descriptor], [], [], 0)[0])
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))
