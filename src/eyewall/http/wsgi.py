"""Serving a WSGI application (PEP 3333).

A WSGI application blocks. Without an executor it blocks the loop, one request after the other; with one,
every step of it runs in a thread of the executor: the call, each `next` of what it returned, and its
`close`. The client's pace holds the application back: the next piece is asked for when the last one was
taken.
"""

from __future__ import annotations

import asyncio
import contextvars
import io
import re
import sys
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from eyewall.base import probe
from eyewall.base.clock import http_date
from eyewall.base.loggers import app_log
from eyewall.base.percent import percent_decode
from eyewall.guard.profile import active
from eyewall.http.accesslog import log_request
from eyewall.http.applications import Served, name_of
from eyewall.http.errors import HTTPOutputError, LocalProtocolError, quoted
from eyewall.http.headers import HTTPHeaders
from eyewall.http.request import HTTPServerRequest
from eyewall.http.startline import ResponseStartLine
from eyewall.http.url import split_host_and_port
from eyewall.net.errors import StreamClosedError

if TYPE_CHECKING:
    from concurrent.futures import Executor

T = TypeVar("T")

WSGIApplication = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

_application_end = probe.application_end

_STATUS = re.compile("([1-9][0-9]{2}) (.*)", re.DOTALL)
#: Framing is the server's business (PEP 3333, "Other HTTP Features").
_HOP_BY_HOP = frozenset(
    (
        "Connection",
        "Keep-Alive",
        "Proxy-Authenticate",
        "Proxy-Authorization",
        "Te",
        "Trailer",
        "Trailers",
        "Transfer-Encoding",
        "Upgrade",
    )
)
_PORTS = {"http": 80, "https": 443}
_ERROR_BODY = b"500: Internal Server Error"
_OVER = object()


def to_wsgi_str(s: bytes) -> str:
    """Returns bytes as WSGI wants them: a str of characters up to U+00FF, one for each byte."""
    return s.decode("latin-1")


class _Response:
    """What the application says in `start_response`."""

    def __init__(self) -> None:
        self.start_line: ResponseStartLine | None = None
        self.headers = HTTPHeaders()
        self.written: list[bytes] = []
        self.sent = False

    def start(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], None]:
        """Is `start_response`. What the callable that it returns takes goes out before the next piece."""
        if exc_info is not None:
            try:
                if self.sent:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None
        elif self.start_line is not None:
            raise LocalProtocolError("start_response was called twice")
        match = _STATUS.fullmatch(status)
        if match is None:
            raise LocalProtocolError(f"not a WSGI status: {quoted(status)}")
        fields = HTTPHeaders()
        for name, value in headers:
            fields.add(name, value.strip(" \t"))
        for name in fields:
            if name in _HOP_BY_HOP:
                raise LocalProtocolError(f"a WSGI application may not set {name}")
        self.start_line = ResponseStartLine("HTTP/1.1", int(match[1]), match[2])
        self.headers = fields
        return self.written.append

    def take(self, piece: bytes) -> bytes:
        """Returns `piece` with what was written before it."""
        if not self.written:
            return piece
        piece = b"".join([*self.written, piece])
        self.written.clear()
        return piece


class _Served(Served):
    """One request, which may have come on whatever connection a program has."""

    def __init__(self, request: HTTPServerRequest, container: WSGIContainer) -> None:
        self.exchange = request.connection
        self.request = request
        self.name = container.name
        self.handed = time.monotonic()
        self.threaded = container.executor is not None

    @property
    def method(self) -> str:
        return self.request.method or ""

    @property
    def path(self) -> str:
        return self.request.path


class WSGIContainer:
    """Makes a WSGI application, `wsgi_application`, something that an `HTTPServer`, a route or a
    `FallbackHandler` can serve.

    `executor` runs the application in its threads; give it as many as requests are to be served at once.
    Without one the application runs on the loop's thread, and nothing else does meanwhile.
    """

    def __init__(self, wsgi_application: WSGIApplication, executor: Executor | None = None) -> None:
        self.wsgi_application = wsgi_application
        self.executor = executor
        self.name = name_of(wsgi_application)

    def __call__(self, request: HTTPServerRequest) -> None:
        """Serves a request that has come whole. Its task ends with the response."""
        served = _Served(request, self)
        # Its content has come since.
        served.receiving = served.before = max(0.0, time.time() - request._start_time)
        served.start(self._serve(request, served))

    async def handle_request(self, request: HTTPServerRequest) -> None:
        """Serves a request. What the application raises is logged and answered with 500."""
        await self._serve(request, _Served(request, self))

    async def _serve(self, request: HTTPServerRequest, served: Served) -> None:
        response = _Response()
        served.scope = environ = self.environ(request)
        status = 500
        try:
            await self._respond(request, environ, response, served)
        except StreamClosedError:
            # The client has left; nobody waits for the rest.
            pass
        except Exception:  # noqa: BLE001 - whatever an application raises must not end the server
            app_log.error(
                "Uncaught exception in a WSGI application: %s %s", request.method, request.uri, exc_info=True
            )
            if response.sent:
                # What was announced cannot be kept, and the client must see that.
                _break_off(request)
            else:
                await self._fail(request)
        if response.sent and response.start_line is not None:
            status = response.start_line.code
        log_request(status, request.method, request.uri, request.remote_ip, request.request_time())
        if _application_end.fire is not None:
            _application_end.fire(served, status)

    async def _respond(
        self, request: HTTPServerRequest, environ: dict[str, Any], response: _Response, served: Served
    ) -> None:
        pieces = await self._run(lambda: self.wsgi_application(environ, response.start), served)
        try:
            if isinstance(pieces, list | tuple):
                await self._send(request, response, b"".join(pieces), whole=True)
            else:
                await self._stream(request, response, pieces, served)
            if not response.sent:
                await self._send(request, response, b"", whole=True)
        finally:
            # Before the client sees the end: whoever waits for that may rely on what the application does last.
            close = getattr(pieces, "close", None)
            if close is not None:
                await self._run(close, served)
        request.connection.finish()

    async def _stream(
        self, request: HTTPServerRequest, response: _Response, pieces: Iterable[bytes], served: Served
    ) -> None:
        iterator = await self._run(lambda: iter(pieces), served)
        while True:
            piece: Any = await self._run(lambda: next(iterator, _OVER), served)
            if piece is _OVER:
                if response.written:
                    await self._send(request, response, b"")
                return
            if piece or response.written:
                await self._send(request, response, piece)

    async def _send(
        self, request: HTTPServerRequest, response: _Response, piece: bytes, *, whole: bool = False
    ) -> None:
        """Writes a piece of the body, the head before the first one; `whole`: there is no other piece."""
        piece = response.take(piece)
        if response.sent:
            await request.connection.write(piece)
            return
        if response.start_line is None:
            raise LocalProtocolError("the WSGI application has not called start_response")
        headers = response.headers
        code = response.start_line.code
        if whole and code != 304 and "Content-Length" not in headers:
            headers["Content-Length"] = str(len(piece))
        if code != 304:
            headers.setdefault("Content-Type", "text/html; charset=UTF-8")
        _add_usual(headers)
        waiting = request.connection.write_headers(response.start_line, headers, piece)
        response.sent = True
        await waiting

    async def _fail(self, request: HTTPServerRequest) -> None:
        headers = HTTPHeaders({"Content-Type": "text/plain", "Content-Length": str(len(_ERROR_BODY))})
        _add_usual(headers)
        line = ResponseStartLine("HTTP/1.1", 500, "Internal Server Error")
        try:
            await request.connection.write_headers(line, headers, _ERROR_BODY)
            request.connection.finish()
        except (StreamClosedError, HTTPOutputError):
            _break_off(request)

    async def _run(self, step: Callable[[], T], served: Served) -> T:
        """Runs a step of the application where it may block, in the context of the request."""
        if self.executor is None:
            return step()
        context = contextvars.copy_context()
        if served.steps is not None:
            step = _measured(step, served)
        return await asyncio.get_running_loop().run_in_executor(self.executor, context.run, step)

    def environ(self, request: HTTPServerRequest) -> dict[str, Any]:
        """Returns the WSGI environment of a request.

        Headers whose name has an underscore are left out, because `X_Real_Ip` would pass for `X-Real-Ip`
        there, and so is `Proxy`, which `HTTP_PROXY` would make a setting of.
        """
        host, port = split_host_and_port(request.host.lower())
        environ: dict[str, Any] = {
            "REQUEST_METHOD": request.method,
            "SCRIPT_NAME": "",
            "PATH_INFO": to_wsgi_str(percent_decode(request.path.encode("latin-1"))),
            "QUERY_STRING": request.query,
            "REMOTE_ADDR": request.remote_ip or "",
            "SERVER_NAME": host,
            "SERVER_PORT": str(port or _PORTS.get(request.protocol, 80)),
            "SERVER_PROTOCOL": request.version,
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": request.protocol,
            "wsgi.input": io.BytesIO(request.body),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": self.executor is not None,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
        }
        for name, value in request.headers.items():
            if name in ("Content-Type", "Content-Length"):
                environ[name.upper().replace("-", "_")] = value
            elif "_" not in name and name != "Proxy":
                environ["HTTP_" + name.upper().replace("-", "_")] = value
        return environ


def _measured(step: Callable[[], T], served: Served) -> Callable[[], T]:
    """Has a step that runs in a thread say how long it waited for that, and how long the thread was on a processor."""
    submitted = time.monotonic()

    def run() -> T:
        served.delayed += time.monotonic() - submitted
        began = time.thread_time()
        try:
            return step()
        finally:
            served.steps.worked(time.thread_time() - began)

    return run


def _add_usual(headers: HTTPHeaders) -> None:
    headers.setdefault("Date", http_date(time.time()))
    token = active().server_token
    if token:
        headers.setdefault("Server", token)


def _break_off(request: HTTPServerRequest) -> None:
    carrier = getattr(request.connection, "carrier", None)
    if carrier is not None:
        carrier.break_off()
