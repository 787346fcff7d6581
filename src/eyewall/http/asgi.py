"""Serving an ASGI 3 application: an `App` of `http.interfaces`, for HTTP and lifespan.

Each request is a task. Content waits for `receive` up to a window, then the client waits; `send` waits for a
client that reads slowly. A response that is sent in one `http.response.body` goes out in one write.

WebSockets are of a layer above: what serves them is handed in (`websocket.asgi`).

What goes wrong: an application that raises, or returns too early, is logged and answered with 500, or where
the response had begun with a broken connection. After the client has left, `receive` says
`http.disconnect` and `send` raises an OSError (ASGI spec 2.4).
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import TYPE_CHECKING, Any

from eyewall.base import probe
from eyewall.base.clock import http_date_bytes
from eyewall.base.errors import EyewallError
from eyewall.base.loggers import app_log, gen_log
from eyewall.base.percent import percent_decode
from eyewall.guard.profile import active
from eyewall.http.accesslog import log_request
from eyewall.http.applications import Served, name_of, running
from eyewall.http.errors import LocalProtocolError, quoted
from eyewall.http.headers import HTTPHeaders
from eyewall.http.proxy import forwarded
from eyewall.http.startline import responses
from eyewall.net.errors import StreamClosedError

if TYPE_CHECKING:
    from eyewall.http.exchange import Exchange

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApplication = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

#: Content of a request that waits for `receive`, in bytes; beyond it, reading pauses.
RECEIVE_WINDOW_BYTES = 64 * 1024

_application_end = probe.application_end

_NAME = re.compile(b"[!#$%&'*+\\-.^_`|~0-9A-Za-z]+")
_CONTROL = re.compile(b"[\x00-\x08\x0a-\x1f\x7f]")
_VERSIONS = {"version": "3.0", "spec_version": "2.4"}


class LifespanError(EyewallError):
    """The application said that its start or its end failed."""


class ASGIContainer:
    """Makes an ASGI application something that an `HTTPServer` can serve.

    `root_path` is where the application is mounted. `websockets` serves requests that ask for a WebSocket:
    `eyewall.websocket.WebSocketCycle`; without it they are requests as any other. `startup` and `shutdown` run
    the application's lifespan around serving; an application without one is fine.
    """

    def __init__(
        self,
        application: ASGIApplication,
        *,
        root_path: str = "",
        websockets: Callable[[ASGIContainer, Exchange], RequestCycle] | None = None,
    ) -> None:
        self.application = application
        self.root_path = root_path
        self.websockets = websockets
        #: What the application puts here in its lifespan, every request finds in a copy.
        self.state: dict[str, Any] = {}
        self.name = name_of(application)
        self._lifespan: _Lifespan | None = None

    def begin(self, exchange: Exchange) -> RequestCycle:
        """Starts the application on the request of `exchange`, whose head has come."""
        kind = (
            RequestCycle if self.websockets is None or not _asks_for_websocket(exchange) else self.websockets
        )
        cycle = kind(self, exchange)
        cycle.start(cycle.run())
        return cycle

    @property
    def tasks(self) -> list[asyncio.Task[None]]:
        """The requests that the application is at work on, also those that are answered already."""
        return [
            task
            for task, served in running().items()
            if isinstance(served, RequestCycle) and served._container is self
        ]

    async def startup(self) -> None:
        """Tells the application to start, and waits until it has. Raises LifespanError where it could not."""
        self._lifespan = _Lifespan(self)
        await self._lifespan.pass_through("startup")

    async def shutdown(self) -> None:
        """Tells the application to stop, and waits until it has. Raises LifespanError where that failed."""
        lifespan, self._lifespan = self._lifespan, None
        if lifespan is not None:
            await lifespan.pass_through("shutdown")
            await lifespan.ended()


def _asks_for_websocket(exchange: Exchange) -> bool:
    head = exchange.head
    return head.upgrade and head.method == "GET" and (head.find(b"upgrade") or "").lower() == "websocket"


class RequestCycle(Served):
    """One request on its way through an application: what the connection and the application both hold."""

    def __init__(self, container: ASGIContainer, exchange: Exchange) -> None:
        self.exchange = exchange
        self.name = container.name
        self._container = container
        self._exchange = exchange
        self.handed = time.monotonic()
        self._chunks: list[bytes] = []
        self._waiting_bytes = 0
        # All content has come; the application was told so; the client has left; the response is complete.
        self._complete = False
        self._told = False
        self._gone = False
        self._done = False
        self._news: asyncio.Future[None] | None = None
        self._taken: asyncio.Future[None] | None = None
        # What `http.response.start` said, until the head is written.
        self._status = 0
        self._block = b""
        self._length = -1

    # -- the connection's side --------------------------------------------------------------------------

    def data(self, chunk: bytes) -> Awaitable[None] | None:
        """Content has come."""
        if self._done:
            return None
        self._chunks.append(chunk)
        self._waiting_bytes += len(chunk)
        self._wake()
        if self._waiting_bytes <= RECEIVE_WINDOW_BYTES:
            return None
        self._taken = asyncio.get_running_loop().create_future()
        return self._taken

    def end(self) -> None:
        """The request is complete."""
        self._complete = True
        self._wake()

    def closed(self) -> None:
        """The client has left."""
        self._gone = True
        self._wake()
        self._let_go()

    def _wake(self) -> None:
        news, self._news = self._news, None
        if news is not None and not news.done():
            news.set_result(None)

    def _let_go(self) -> None:
        taken, self._taken = self._taken, None
        if taken is not None and not taken.done():
            taken.set_result(None)

    async def _news_come(self) -> None:
        """Waits until there is something new to be told."""
        if self._news is None:
            self._news = asyncio.get_running_loop().create_future()
        # Several tasks of one application may wait here.
        await asyncio.shield(self._news)

    # -- the application's side -------------------------------------------------------------------------

    async def receive(self) -> Message:
        """Returns the next content, or `http.disconnect` once the client has left or the response is done."""
        while True:
            if self._gone or self._done:
                return {"type": "http.disconnect"}
            if self._chunks or (self._complete and not self._told):
                body = b"".join(self._chunks)
                self._chunks.clear()
                self._waiting_bytes = 0
                self._let_go()
                self._told = self._complete
                return {"type": "http.request", "body": body, "more_body": not self._complete}
            if self._complete:
                await self._news_come()
                continue
            waits = time.monotonic()
            try:
                await self._news_come()
            finally:
                self.receiving += time.monotonic() - waits

    async def send(self, message: Message) -> None:
        """Takes a part of the response.

        Raises StreamClosedError, an OSError, once the client has left, and LocalProtocolError for a message
        that is malformed or out of order.
        """
        kind = message["type"]
        if self._done:
            raise LocalProtocolError(f"ASGI message {quoted(kind)} after the end of the response")
        if self._gone:
            raise StreamClosedError()
        if kind == "http.response.start":
            if self._status:
                raise LocalProtocolError("http.response.start was sent twice")
            self._start(int(message["status"]), message.get("headers", ()))
        elif kind == "http.response.body":
            if not self._status:
                raise LocalProtocolError("http.response.body was sent before http.response.start")
            await self._body(message.get("body", b""), message.get("more_body", False))
        else:
            raise LocalProtocolError(f"unknown ASGI message {quoted(kind)}")

    def _start(self, status: int, headers: Iterable[Iterable[bytes]]) -> None:
        if not 200 <= status <= 999:
            raise LocalProtocolError(f"not the status of a final response: {status}")
        block, length, close = encode_headers(headers)
        if close:
            self._exchange.close_after = True
        self._status, self._block, self._length = status, block, length

    async def _body(self, body: bytes, more: bool) -> None:
        exchange = self._exchange
        reason = responses.get(self._status, "Unknown")
        if exchange.started:
            waiting = exchange.write(body)
        elif not more:
            self._respond(reason, body)
            return
        else:
            waiting = exchange.start(self._status, reason, self._block, self._length, body)
        if not more:
            exchange.finish()
            self._end()
        await waiting

    def _respond(self, reason: str, body: bytes) -> None:
        status, length = self._status, self._length
        bodiless = self._exchange.head.method == "HEAD" or status in (204, 304)
        if length >= 0 and length != len(body) and not bodiless:
            raise LocalProtocolError(f"Content-Length {length}, but {len(body)} bytes of body")
        if length < 0 and not bodiless:
            length = len(body)
        self._exchange.respond(status, reason, self._block, body, -1 if status == 204 else length)
        self._end()

    def _end(self) -> None:
        self._done = True
        self._chunks.clear()
        self._wake()
        self._let_go()

    # -- the run ----------------------------------------------------------------------------------------

    def over(self, task: asyncio.Task[None]) -> None:
        """Its `task` has ended. Where somebody has cancelled it, perhaps before its first step, the client still waits
        for an answer."""
        super().over(task)
        if task.cancelled():
            self._give_up()

    async def run(self) -> None:
        """Runs the application on this request, and logs what became of it."""
        head = self._exchange.head
        remote_ip, scope = self._scope()
        self.scope = scope
        try:
            await self._container.application(scope, self.receive, self.send)
        except Exception as error:  # noqa: BLE001 - whatever an application raises must not end the server
            if not (self._gone and isinstance(error, OSError)):
                app_log.error(
                    "Uncaught exception in an ASGI application: %s %s",
                    head.method,
                    head.target,
                    exc_info=True,
                )
            self._give_up()
        else:
            self._returned()
        finally:
            self._log(remote_ip)
            if _application_end.fire is not None and not self.websocket:
                _application_end.fire(self, self._status or 500)

    def _log(self, remote_ip: str) -> None:
        head = self._exchange.head
        status = self._status or 500
        log_request(status, head.method, head.target, remote_ip, time.monotonic() - self.handed)

    def _returned(self) -> None:
        """The application is through."""
        if not self._done and not self._gone:
            head = self._exchange.head
            app_log.error("ASGI application ended without a response: %s %s", head.method, head.target)
            self._give_up()

    def _give_up(self) -> None:
        """Ends what the application has not ended."""
        if self._done or self._gone:
            return
        if self._exchange.started:
            # What was announced cannot be kept, and the client must see that.
            self._exchange.carrier.break_off()
            return
        self._status = 0
        self._start(500, ((b"Content-Type", b"text/plain"),))
        self._length = -1
        self._respond(responses[500], b"500: Internal Server Error")

    def _scope(self) -> tuple[str, dict[str, Any]]:
        head = self._exchange.head
        carrier: Any = self._exchange.carrier
        fields = head.fields()
        remote_ip, scheme = carrier.remote_ip, carrier.protocol
        peer = carrier.transport.get_extra_info("peername") if carrier.transport is not None else None
        local = carrier.transport.get_extra_info("sockname") if carrier.transport is not None else None
        port = peer[1] if isinstance(peer, tuple) else 0
        trust = carrier.server.trust
        if trust is not None:
            stated_ip, scheme = forwarded(HTTPHeaders.from_fields(fields), remote_ip, scheme, trust)
            if stated_ip != remote_ip:
                # The port is the proxy's.
                remote_ip, port = stated_ip, 0
        raw_path = head.path.encode("latin-1")
        return remote_ip, {
            "type": "http",
            "asgi": _VERSIONS,
            "http_version": "1.1" if head.minor else "1.0",
            "method": head.method,
            "scheme": scheme,
            "path": percent_decode(raw_path).decode("utf-8", "replace"),
            "raw_path": raw_path,
            "query_string": head.query.encode("latin-1"),
            "root_path": self._container.root_path,
            "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in fields],
            "client": (remote_ip, port),
            "server": local[:2] if isinstance(local, tuple) else (local, None),
            "state": self._container.state.copy(),
            "extensions": {},
        }


def encode_headers(headers: Iterable[Iterable[bytes]]) -> tuple[bytes, int, bool]:
    """Returns header fields as they stand in HTTP/1, with Date and Server; their Content-Length, or -1; and whether
    they ask for the connection to be closed. Raises LocalProtocolError for what can't be sent."""
    lines: list[bytes] = []
    length = -1
    close = dated = named = False
    for name, value in headers:
        lower = name.lower()
        if _NAME.fullmatch(name) is None or _CONTROL.search(value) is not None:
            raise LocalProtocolError(f"malformed header {quoted(name)}")
        if lower == b"content-length":
            if not value.isdigit() or length >= 0:
                raise LocalProtocolError(f"malformed Content-Length {quoted(value)}")
            length = int(value)
            continue
        if lower in (b"connection", b"transfer-encoding", b"keep-alive", b"upgrade"):
            # Framing is the server's business; of it all, only the wish to close is granted.
            close = close or (lower == b"connection" and b"close" in value.lower())
            continue
        dated = dated or lower == b"date"
        named = named or lower == b"server"
        lines.append(b"%b: %b\r\n" % (bytes(name), bytes(value)))
    if not dated:
        lines.append(b"Date: %b\r\n" % http_date_bytes(time.time()))
    token = active().server_token
    if token and not named:
        lines.append(b"Server: %b\r\n" % token.encode("latin-1"))
    return b"".join(lines), length, close


class _Lifespan:
    """The one task of an application that lasts as long as the server."""

    def __init__(self, container: ASGIContainer) -> None:
        self._inbox: asyncio.Queue[Message] = asyncio.Queue(maxsize=2)
        self._answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        scope = {"type": "lifespan", "asgi": _VERSIONS, "state": container.state}
        self._task = asyncio.ensure_future(container.application(scope, self._inbox.get, self._send))

    async def _send(self, message: Message) -> None:
        if self._answer.done():
            raise LocalProtocolError(f"unexpected ASGI message {quoted(message['type'])}")
        self._answer.set_result(message)

    async def pass_through(self, phase: str) -> None:
        """Asks for `phase` and waits for the answer, or for the end of an application that knows none."""
        if self._task.done():
            return
        self._answer = asyncio.get_running_loop().create_future()
        self._inbox.put_nowait({"type": f"lifespan.{phase}"})
        await asyncio.wait((self._task, self._answer), return_when=asyncio.FIRST_COMPLETED)
        if not self._answer.done():
            if not self._task.cancelled() and (error := self._task.exception()) is not None:
                # The specification has applications without lifespan raise.
                gen_log.debug("ASGI application has no lifespan: %r", error)
            return
        answer = self._answer.result()
        if answer["type"] == f"lifespan.{phase}.failed":
            raise LifespanError(f"{phase} of the ASGI application failed: {answer.get('message', '')}")
        if answer["type"] != f"lifespan.{phase}.complete":
            raise LocalProtocolError(f"unexpected ASGI message {quoted(answer['type'])}")

    async def ended(self) -> None:
        """Waits until the task is over. What it raises after its shutdown is logged."""
        await asyncio.wait((self._task,))
        if not self._task.cancelled() and (error := self._task.exception()) is not None:
            gen_log.debug("lifespan of an ASGI application ended with %r", error)
