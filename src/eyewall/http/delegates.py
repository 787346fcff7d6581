"""Tornado's interfaces for applications that take requests apart themselves, and the way they are served.

`HTTPServerConnectionDelegate` begins requests, `HTTPMessageDelegate` takes one, `HTTPConnection` answers it (here
an `Exchange`). A delegate is served through the same sinks as everything else: `DelegateApp` is the adapter.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from eyewall.http.errors import HTTPInputError, RemoteProtocolError
from eyewall.http.headers import HTTPHeaders
from eyewall.http.request import HTTPServerRequest
from eyewall.http.startline import RequestStartLine, ResponseStartLine

if TYPE_CHECKING:
    from eyewall.http.exchange import Exchange


class HTTPMessageDelegate:
    """Takes one message."""

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        """The head has come: `start_line` and `headers`. An awaitable holds the content back until it is done."""
        return None

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        """Content has come, `chunk`. An awaitable pauses reading until it is done."""
        return None

    def finish(self) -> None:
        """The message is complete."""

    def on_connection_close(self) -> None:
        """The connection was closed before the exchange was over; `finish` does not follow."""


class HTTPServerConnectionDelegate:
    """Takes the requests of connections."""

    def start_request(self, server_conn: object, request_conn: HTTPConnection) -> HTTPMessageDelegate:
        """A request begins on the connection `server_conn`; what is returned takes it, and answers it on
        `request_conn`.
        """
        raise NotImplementedError

    def on_close(self, server_conn: object) -> None:
        """The connection `server_conn`, as `start_request` had it, is closed."""


class HTTPConnection:
    """Answers one message; `Exchange` is one."""

    def write_headers(
        self,
        start_line: RequestStartLine | ResponseStartLine,
        headers: HTTPHeaders,
        chunk: bytes | None = None,
    ) -> asyncio.Future[None]:
        """Writes a head, `start_line` and `headers`, and the first piece of content, `chunk`. The future is
        done when more should be written.
        """
        raise NotImplementedError

    def write(self, chunk: bytes) -> asyncio.Future[None]:
        """Writes `chunk`, a piece of content. The future is done when more should be written."""
        raise NotImplementedError

    def finish(self) -> None:
        """Ends the message."""
        raise NotImplementedError


class DelegateApp:
    """Serves a `HTTPServerConnectionDelegate`: an `App` of `http.interfaces`."""

    def __init__(self, delegate: HTTPServerConnectionDelegate) -> None:
        self.delegate = delegate

    def begin(self, exchange: Exchange) -> DelegateSink:
        """Starts a request of the delegate."""
        message = self.delegate.start_request(exchange.carrier, exchange)  # type: ignore[arg-type]
        return self.sink(message, exchange)

    @staticmethod
    def sink(message: HTTPMessageDelegate, exchange: Exchange) -> DelegateSink:
        """Gives `message` the head of the exchange, and returns what takes the rest."""
        head = exchange.head
        request_line = RequestStartLine(head.method, head.target, "HTTP/1.1" if head.minor else "HTTP/1.0")
        sink = DelegateSink(message, exchange)
        try:
            sink.take_head(request_line, HTTPHeaders.from_fields(head.fields()))
        except Exception:
            # There is no sink yet that could be told.
            sink.closed()
            raise
        return sink

    def on_close(self, connection: object) -> None:
        """Tells the delegate that a connection is closed."""
        self.delegate.on_close(connection)


class DelegateSink:
    """Gives an `HTTPMessageDelegate` what a connection reads, in order, each when the one before is done.

    A delegate may have an attribute `ready`, as a sink has: a future that is done when it knows whether it wants the
    content.
    """

    def __init__(self, delegate: HTTPMessageDelegate, exchange: Exchange) -> None:
        self._delegate = delegate
        self._exchange = exchange
        # Done when the delegate has dealt with the head; None where it did so at once.
        self._deciding: asyncio.Future[None] | None = None

    @property
    def within(self) -> HTTPMessageDelegate:
        """The delegate, which may be able to say whom it serves."""
        return self._delegate

    @property
    def ready(self) -> asyncio.Future[None] | None:
        """Done when it is decided whether the content is wanted; None where it is."""
        deciding = self._deciding
        if deciding is not None and not deciding.done():
            return deciding
        found = getattr(self._delegate, "ready", None)
        return found if asyncio.isfuture(found) else None

    def take_head(self, start_line: RequestStartLine, headers: HTTPHeaders) -> None:
        """Passes the head on; what follows waits for the delegate's answer."""
        wait = _refusing(self._delegate.headers_received, start_line, headers)
        if wait is not None:
            self._deciding = asyncio.ensure_future(_refusing_later(wait))

    def data(self, chunk: bytes) -> Awaitable[None] | None:
        """Content has come."""
        if self._exchange.over:
            # The rest of a piece that was cut up, after an answer: as with other content, nobody wants it.
            return None
        if self._deciding is not None and not self._deciding.done():
            return self._data_later(chunk, self._deciding)
        self._check_ready()
        wait: Awaitable[None] | None = _refusing(self._delegate.data_received, chunk)
        return None if wait is None else _refusing_later(wait)

    async def _data_later(self, chunk: bytes, ready: asyncio.Future[None]) -> None:
        await asyncio.shield(ready)
        wait = None if self._exchange.over else _refusing(self._delegate.data_received, chunk)
        if wait is not None:
            await _refusing_later(wait)

    def end(self) -> None:
        """The request is complete."""
        if self._deciding is not None and not self._deciding.done():
            self._deciding.add_done_callback(self._end_later)
        else:
            self._check_ready()
            _refusing(self._delegate.finish)

    def _end_later(self, ready: asyncio.Future[None]) -> None:
        exchange = self._exchange
        if exchange.over or ready.cancelled():
            return
        try:
            self._check_ready()
            _refusing(self._delegate.finish)
        except Exception as error:  # noqa: BLE001 - whatever a delegate raises, its request must be answered
            exchange.carrier.fail(error, exchange)

    def _check_ready(self) -> None:
        if self._deciding is not None:
            ready, self._deciding = self._deciding, None
            ready.result()

    def closed(self) -> None:
        """The connection ended before the exchange was over."""
        ready = self._deciding
        if ready is not None and not ready.cancel() and not ready.cancelled():
            # It can't be told to anybody any more.
            ready.exception()
        self._delegate.on_connection_close()


def _refusing(call: Callable[..., Any], *args: Any) -> Any:
    """Calls; a delegate's HTTPInputError says that the client's request is malformed."""
    try:
        return call(*args)
    except RemoteProtocolError:
        raise
    except HTTPInputError as error:
        raise RemoteProtocolError(400, str(error)) from error


async def _refusing_later(wait: Awaitable[None]) -> None:
    """Awaits, to the same effect."""
    try:
        await wait
    except RemoteProtocolError:
        raise
    except HTTPInputError as error:
        raise RemoteProtocolError(400, str(error)) from error


class CallbackApp:
    """Serves a function that is called with each whole request and answers on `request.connection`."""

    def __init__(self, callback: Callable[[HTTPServerRequest], object], form_fields: int) -> None:
        self._callback = callback
        self._form_fields = form_fields

    def begin(self, exchange: Exchange) -> CallbackSink:
        """Collects the request's content."""
        return CallbackSink(self._callback, HTTPServerRequest.of(exchange, self._form_fields))


class CallbackDelegate(HTTPMessageDelegate):
    """Collects a request for a function, which answers it on `connection`; for what routes requests by delegates."""

    def __init__(self, callback: Callable[[HTTPServerRequest], object], connection: HTTPConnection) -> None:
        self._callback = callback
        self._connection = connection
        self._request: HTTPServerRequest | None = None
        self._pieces: list[bytes] = []

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        """The head has come."""
        if isinstance(start_line, RequestStartLine):
            self._request = HTTPServerRequest(
                connection=self._connection, start_line=start_line, headers=headers
            )
        return None

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        """Content has come."""
        self._pieces.append(chunk)
        return None

    def finish(self) -> None:
        """The request is complete."""
        if self._request is not None:
            self._request.body = b"".join(self._pieces)
            CallbackSink(self._callback, self._request).end()


#: Callbacks that are running: a loop refers to its tasks weakly.
_calls: set[asyncio.Task[object]] = set()


class CallbackSink:
    """Collects one request for a callback."""

    def __init__(self, callback: Callable[[HTTPServerRequest], object], request: HTTPServerRequest) -> None:
        self._callback = callback
        self._request = request
        self._pieces: list[bytes] = []

    def data(self, chunk: bytes) -> None:
        """Content has come."""
        self._pieces.append(chunk)

    def end(self) -> None:
        """The request is complete."""
        if self._pieces:
            self._request.body = b"".join(self._pieces)
        result = self._callback(self._request)
        if asyncio.iscoroutine(result):
            task = asyncio.ensure_future(result)
            _calls.add(task)
            task.add_done_callback(self._called)

    def _called(self, task: asyncio.Task[object]) -> None:
        """A callback that was a coroutine has ended; what it raised is answered, unless it has answered itself."""
        _calls.discard(task)
        exchange: Exchange = self._request.connection
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if error is not None:
            exchange.carrier.fail(error, exchange)

    def closed(self) -> None:
        """The client has left; there is nobody to tell."""
