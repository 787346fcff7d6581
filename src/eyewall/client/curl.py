"""`CurlAsyncHTTPClient`: an HTTP client on libcurl, for what only libcurl can do. Needs pycurl (`eyewall[curl]`).

libcurl does the work and says which sockets it waits for and until when; the loop tells it when something has
happened there. Connections are libcurl's own, and kept by it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from io import BytesIO
from typing import Any, TypeVar

import pycurl

from eyewall.base.loggers import app_log
from eyewall.client.asyncclient import AsyncHTTPClient
from eyewall.client.curlbuffer import CurlBuffer, CurlPulledBuffer, CurlStreamingBuffer, unpause
from eyewall.client.curlsetup import CR_OR_LF_RE as CR_OR_LF_RE
from eyewall.client.curlsetup import curl_log as curl_log
from eyewall.client.curlsetup import set_up
from eyewall.client.curltransfer import CurlError as CurlError
from eyewall.client.curltransfer import CurlTransfer
from eyewall.client.curlupload import CurlUpload
from eyewall.client.errors import ClientClosed
from eyewall.client.options import RequestOptions
from eyewall.client.patience import check_deadline, explained
from eyewall.client.places import Places
from eyewall.client.request import NO_RESPONSE, HTTPRequest, HTTPResponse, HTTPTimeoutError
from eyewall.client.stream import StreamedResponse
from eyewall.guard.deadlines.deadline import within
from eyewall.guard.profile import active
from eyewall.loop.eager import start_task
from eyewall.loop.ioloop import IOLoop
from eyewall.loop.runner import is_coroutine_function

B = TypeVar("B", bound=CurlBuffer)

_MAX_BODY = 104857600
#: Seconds beyond `request_timeout` after which a transfer that libcurl has not ended is ended anyway.
_GRACE = 5.0


class CurlAsyncHTTPClient(AsyncHTTPClient):
    """Makes requests with libcurl, which needs the extra `curl`. Used as `AsyncHTTPClient`."""

    def initialize(  # type: ignore[override]
        self, max_clients: int = 10, defaults: dict[str, Any] | None = None, max_body_size: int = _MAX_BODY
    ) -> None:
        """`max_clients`: requests that are made at once; others wait. `max_body_size`: bytes of a response's
        content, decompressed, also where it is streamed. `defaults`: as for `AsyncHTTPClient`.
        """
        super().initialize(defaults=defaults)
        self.max_clients = max_clients
        self.max_body_size = max_body_size
        self._loop: asyncio.AbstractEventLoop = self.io_loop.asyncio_loop  # type: ignore[attr-defined]
        self._profile = active()
        self._places = Places(max_clients)
        self._tasks: dict[RequestOptions, asyncio.Task[None]] = {}
        self._transfers: dict[Any, CurlTransfer] = {}
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
            transfer.end(ClientClosed("the client was closed"))
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
        """See `AsyncHTTPClient.fetch_impl` for `request` and `callback`. Raises TypeError for a
        streaming_callback that is a coroutine.
        """
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
            await self._enter(key, options)
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

    async def _enter(self, key: object, options: RequestOptions) -> None:
        """Takes a place among `max_clients`, when there is one."""
        limits = (options.connect_timeout, options.request_timeout, self._profile.client_queue_timeout)
        patience = within(min((each for each in limits if each), default=None))
        check_deadline(options)
        await self._places.enter(key, options, patience, self._profile.client_queue)

    async def _transfer(self, options: RequestOptions) -> HTTPResponse:
        """Has libcurl make a request, and returns the response."""
        streaming = options.streaming_callback

        def buffer(curl: Any) -> CurlBuffer:
            return CurlBuffer(self) if streaming is None else CurlStreamingBuffer(self, curl, streaming)

        transfer, _ = self._begin(options, buffer)
        try:
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
            return HTTPResponse(
                options.request,
                transfer.curl.getinfo(pycurl.HTTP_CODE),
                transfer.headers,
                BytesIO(transfer.buffer.take()),
                effective_url=transfer.url,
                time_info=transfer.times(),
                reason=transfer.reason,
            )
        finally:
            self._release(transfer)

    def _begin(
        self, options: RequestOptions, make_buffer: Callable[[Any], B], streams: bool = False
    ) -> tuple[CurlTransfer, B]:
        """Hands a request to libcurl. The transfer is the caller's, to be released. Raises ValueError."""
        curl = self._free.pop() if self._free else pycurl.Curl()
        try:
            length = set_up(curl, options, self._profile.client_token, streams)
            upload = None
            if options.body_producer is not None:
                upload = CurlUpload(
                    self._loop,
                    options.body_producer,
                    length,
                    self._profile.write_high_water,
                    partial(unpause, self, curl),
                    lambda error: transfer.end(error),
                )
            buffer = make_buffer(curl)
            transfer = CurlTransfer(self, curl, options, buffer, upload)
            self._multi.add_handle(curl)
        except BaseException:
            curl.close()
            raise
        self._transfers[curl] = transfer
        return transfer, buffer

    def _release(self, transfer: CurlTransfer) -> None:
        """Takes a transfer away from libcurl, and clears its handle for the next one."""
        curl = transfer.curl
        if self._transfers.pop(curl, None) is None:
            return
        if transfer.upload is not None:
            transfer.upload.close()
        self._multi.remove_handle(curl)
        # The callbacks refer to the transfer and to this client.
        curl.reset()
        self._free.append(curl)

    def handle_callback_exception(self, callback: Callable[..., Any]) -> None:
        """Called in the handler of an exception that `callback`, of a request, has raised. Logs it."""
        app_log.error("Exception in callback %r", callback, exc_info=True)

    # -- stream -----------------------------------------------------------------------------------------

    def stream(
        self, request: str | HTTPRequest, raise_error: bool = True, **kwargs: Any
    ) -> AbstractAsyncContextManager[StreamedResponse]:
        """See `AsyncHTTPClient.stream`."""
        return self._stream(self._options(request, kwargs), raise_error)

    @asynccontextmanager
    async def _stream(
        self, options: RequestOptions, raise_error: bool
    ) -> AsyncGenerator[StreamedResponse, None]:
        limit = options.request_timeout or None
        key = object()
        transfer: CurlTransfer | None = None
        try:
            await self._enter(key, options)
            transfer, buffer = self._begin(options, lambda curl: CurlPulledBuffer(self, curl), streams=True)
            try:
                async with asyncio.timeout(limit):
                    await transfer.opened
            except TimeoutError:
                raise HTTPTimeoutError("Timeout during request") from None
            response = StreamedResponse(
                options.request,
                transfer.status,
                transfer.reason,
                transfer.headers,
                transfer.url,
                partial(buffer.piece, transfer.done),
                limit,
            )
            if raise_error and not 200 <= response.code < 300:
                (await response.whole()).rethrow()
            yield response
        finally:
            if transfer is not None:
                self._release(transfer)
            self._places.leave(key)

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
        if transfer is None:
            return
        if error is not None and transfer.buffer.body_too_large:
            error = CurlError(error.errno, f"the response is larger than max_body_size={self.max_body_size}")
        transfer.end(error)
