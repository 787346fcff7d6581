"""`CurlAsyncHTTPClient`: an HTTP client on libcurl, for what only libcurl can do. Needs pycurl (`eyewall[curl]`).

libcurl does the work and says which sockets it waits for and until when; the loop tells it when something has
happened there. Connections are libcurl's own, and kept by it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pycurl

from eyewall.base.loggers import app_log
from eyewall.client.asyncclient import AsyncHTTPClient
from eyewall.client.curlbuffer import CurlBuffer, CurlStreamingBuffer
from eyewall.client.curlsetup import CR_OR_LF_RE as CR_OR_LF_RE
from eyewall.client.curlsetup import curl_log as curl_log
from eyewall.client.curlsetup import set_up
from eyewall.client.errors import ClientClosed
from eyewall.client.options import RequestOptions
from eyewall.client.patience import check_deadline, explained
from eyewall.client.places import Places
from eyewall.client.request import (
    NO_RESPONSE,
    HTTPClientError,
    HTTPRequest,
    HTTPResponse,
    HTTPTimeoutError,
)
from eyewall.guard.deadline import within
from eyewall.guard.profile import active
from eyewall.http.errors import HTTPInputError
from eyewall.http.headers import HTTPHeaders
from eyewall.loop.eager import start_task
from eyewall.loop.ioloop import IOLoop
from eyewall.loop.runner import is_coroutine_function

_MAX_BODY = 104857600
#: Seconds beyond `request_timeout` after which a transfer that libcurl has not ended is ended anyway.
_GRACE = 5.0
#: Of `time_info`, what libcurl measures: seconds from the start of the transfer.
_TIMES = {
    "namelookup": pycurl.NAMELOOKUP_TIME,
    "connect": pycurl.CONNECT_TIME,
    "appconnect": pycurl.APPCONNECT_TIME,
    "pretransfer": pycurl.PRETRANSFER_TIME,
    "starttransfer": pycurl.STARTTRANSFER_TIME,
    "total": pycurl.TOTAL_TIME,
    "redirect": pycurl.REDIRECT_TIME,
}


class CurlError(HTTPClientError):
    """A transfer that failed. `errno` is libcurl's code for why (CURLE_...)."""

    def __init__(self, errno: int, message: str) -> None:
        super().__init__(NO_RESPONSE, message)
        self.args = (errno, message)
        self.errno = errno


class _Transfer:
    """One request that libcurl is making, and what has come of the response. `done` says when it is over."""

    def __init__(self, client: CurlAsyncHTTPClient, curl: Any, options: RequestOptions) -> None:
        self.client = client
        self.curl = curl
        self.done: asyncio.Future[None] = client._loop.create_future()
        self.headers = HTTPHeaders()
        self.reason: str | None = None
        self._in_head = False
        self._header_callback = options.header_callback
        if options.streaming_callback is None:
            self.buffer = CurlBuffer(client)
        else:
            self.buffer = CurlStreamingBuffer(client, curl, options.streaming_callback)
        curl.setopt(pycurl.HEADERFUNCTION, self._on_header)
        curl.setopt(pycurl.WRITEFUNCTION, self.buffer.write)

    def _on_header(self, line: bytes) -> int | None:
        """libcurl has a line of a head, or of trailers. Anything but None ends the transfer."""
        text = line.decode("latin-1")
        if self._header_callback is not None:
            # Not from within libcurl's work.
            self.client.io_loop.add_callback(self._header_callback, text)
        bare = text.rstrip("\r\n")
        if bare.startswith("HTTP/"):
            # A head that follows another one: an informational response, a redirect, a proxy's answer.
            self.headers = HTTPHeaders()
            _, _, status = bare.partition(" ")
            self.reason = status.partition(" ")[2] or None
            self._in_head = True
        elif not bare:
            self._in_head = False
        elif self._in_head:
            try:
                self.headers.parse_line(text)
            except HTTPInputError:
                return -1
        return None


class CurlAsyncHTTPClient(AsyncHTTPClient):
    """Makes requests with libcurl. See the head of this file, and AsyncHTTPClient."""

    def initialize(  # type: ignore[override]
        self, max_clients: int = 10, defaults: dict[str, Any] | None = None, max_body_size: int = _MAX_BODY
    ) -> None:
        """`max_clients`: requests that are made at once; others wait. `max_body_size`: bytes of a response's
        content, decompressed, also where it is streamed.
        """
        super().initialize(defaults=defaults)
        self.max_clients = max_clients
        self.max_body_size = max_body_size
        self._loop: asyncio.AbstractEventLoop = self.io_loop.asyncio_loop  # type: ignore[attr-defined]
        self._profile = active()
        self._places = Places(max_clients)
        self._tasks: dict[RequestOptions, asyncio.Task[None]] = {}
        self._transfers: dict[Any, _Transfer] = {}
        self._free: list[Any] = []
        self._sockets: set[int] = set()
        self._timer: object | None = None
        self._multi: Any = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._set_timeout)
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)

    def close(self) -> None:
        """Closes the client and its connections."""
        if self._closed:
            return
        super().close()
        self._places.close()
        for transfer in list(self._transfers.values()):
            self._release(transfer)
            if not transfer.done.done():
                transfer.done.set_exception(ClientClosed("the client was closed"))
        self._cancel_timer()
        for handle in self._free:
            handle.close()
        self._free.clear()
        self._multi.close()
        for descriptor in self._sockets:
            self.io_loop.remove_handler(descriptor)
        self._sockets.clear()

    # -- requests ---------------------------------------------------------------------------------------

    def fetch_impl(self, request: HTTPRequest, callback: Callable[[HTTPResponse], None]) -> None:
        """See `AsyncHTTPClient.fetch_impl`. Raises TypeError for a streaming_callback that is a coroutine."""
        options: Any = request
        if not isinstance(options, RequestOptions):
            options = RequestOptions(request, self.defaults)
        streaming = options.streaming_callback
        if asyncio.iscoroutinefunction(streaming) or is_coroutine_function(streaming):
            raise TypeError("CurlAsyncHTTPClient takes no coroutine as streaming_callback")
        task = start_task(self._fetch(options, callback), self._loop)
        if not task.done():
            self._tasks[options] = task
            task.add_done_callback(lambda _: self._tasks.pop(options, None))

    def _abandon(self, request: RequestOptions) -> None:
        task = self._tasks.get(request)
        if task is not None:
            task.cancel()

    async def _fetch(self, options: RequestOptions, callback: Callable[[HTTPResponse], None]) -> None:
        """Makes one request, whatever happens to it, and calls `callback`."""
        began, started = self._loop.time(), time.time()
        key = object()
        try:
            limits = (options.connect_timeout, options.request_timeout, self._profile.client_queue_timeout)
            patience = within(min((each for each in limits if each), default=None))
            check_deadline(options)
            await self._places.enter(key, options, patience, self._profile.client_queue)
            queued = self._loop.time() - began
            response = await self._transfer(options)
            response.time_info["queue"] = queued
        except HTTPTimeoutError as late:
            response = HTTPResponse(options.request, NO_RESPONSE, error=explained(late, options, ""))
        except Exception as error:  # noqa: BLE001 - it is the caller's, who waits for the future
            response = HTTPResponse(options.request, NO_RESPONSE, error=error)
        finally:
            self._places.leave(key)
        response.start_time = started
        response.request_time = self._loop.time() - began
        # Behind the callbacks for the head, which the loop has yet to call.
        self.io_loop.add_callback(callback, response)

    async def _transfer(self, options: RequestOptions) -> HTTPResponse:
        """Has libcurl make a request, and returns the response."""
        curl = self._free.pop() if self._free else pycurl.Curl()
        transfer = None
        try:
            set_up(curl, options, self._profile.client_token)
            transfer = _Transfer(self, curl, options)
            self._transfers[curl] = transfer
            self._multi.add_handle(curl)
            limit = options.request_timeout or None
            try:
                # libcurl knows the request's own timeout.
                async with asyncio.timeout(within(None if limit is None else limit + _GRACE)):
                    await transfer.done
            except TimeoutError:
                check_deadline(options)
                raise CurlError(
                    pycurl.E_OPERATION_TIMEDOUT, "libcurl did not end the request in time"
                ) from None
            transfer.buffer.flush()
            times = {name: curl.getinfo(code) for name, code in _TIMES.items()}
            return HTTPResponse(
                options.request,
                curl.getinfo(pycurl.HTTP_CODE),
                transfer.headers,
                BytesIO(transfer.buffer.take()),
                effective_url=curl.getinfo(pycurl.EFFECTIVE_URL),
                time_info=times,
                reason=transfer.reason,
            )
        finally:
            if transfer is None:
                curl.close()
            else:
                self._release(transfer)

    def _release(self, transfer: _Transfer) -> None:
        """Takes a transfer away from libcurl, and clears its handle for the next one."""
        curl = transfer.curl
        if self._transfers.pop(curl, None) is None:
            return
        self._multi.remove_handle(curl)
        # The callbacks refer to the transfer and to this client.
        curl.reset()
        self._free.append(curl)

    def handle_callback_exception(self, callback: Callable[..., Any]) -> None:
        """Called in the handler of an exception that `callback`, of a request, has raised. Logs it."""
        app_log.error("Exception in callback %r", callback, exc_info=True)

    # -- libcurl and the loop ---------------------------------------------------------------------------

    def _watch(self, event: int, descriptor: int, multi: Any, data: bytes) -> None:
        """libcurl wants to hear of a socket, of other events on it, or no more."""
        events = {
            pycurl.POLL_IN: IOLoop.READ,
            pycurl.POLL_OUT: IOLoop.WRITE,
            pycurl.POLL_INOUT: IOLoop.READ | IOLoop.WRITE,
        }.get(event)
        if descriptor in self._sockets:
            # Taken anew each time: the number may be another socket's by now.
            self._sockets.discard(descriptor)
            self.io_loop.remove_handler(descriptor)
        if events is not None:
            self._sockets.add(descriptor)
            self.io_loop.add_handler(descriptor, self._on_socket, events)

    def _on_socket(self, descriptor: int, events: int) -> None:
        action = 0
        if events & IOLoop.READ:
            action |= pycurl.CSELECT_IN
        if events & IOLoop.WRITE:
            action |= pycurl.CSELECT_OUT
        if events & IOLoop.ERROR:
            action |= pycurl.CSELECT_ERR
        self._act(descriptor, action)

    def _set_timeout(self, msecs: int) -> None:
        """libcurl wants to be called in so many milliseconds; -1 for never."""
        self._cancel_timer()
        if msecs >= 0 and not self._closed:
            self._timer = self.io_loop.call_later(msecs / 1000.0, self._on_timeout)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self.io_loop.remove_timeout(self._timer)
            self._timer = None

    def _on_timeout(self) -> None:
        self._timer = None
        self._act(pycurl.SOCKET_TIMEOUT, 0)

    def _act(self, descriptor: int, action: int) -> None:
        """Lets libcurl work, and tells the transfers that are over."""
        if self._closed:
            return
        self._multi.socket_action(descriptor, action)
        left = 1
        while left:
            left, succeeded, failed = self._multi.info_read()
            for curl in succeeded:
                self._ended(curl, None)
            for curl, errno, message in failed:
                self._ended(curl, CurlError(errno, message))

    def _ended(self, curl: Any, error: CurlError | None) -> None:
        transfer = self._transfers.get(curl)
        if transfer is None or transfer.done.done():
            return
        if error is None:
            transfer.done.set_result(None)
            return
        if transfer.buffer.body_too_large:
            error = CurlError(error.errno, f"the response is larger than max_body_size={self.max_body_size}")
        transfer.done.set_exception(error)
