"""`SimpleAsyncHTTPClient`: the HTTP client that needs nothing but Eyewall. HTTP/1.1, on a pool of connections."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import cached_property
from io import BytesIO
from typing import TYPE_CHECKING, Any

from eyewall.base.loggers import app_log, gen_log
from eyewall.client.asyncclient import AsyncHTTPClient as AsyncHTTPClient
from eyewall.client.errors import CallbackFailed, ClientClosed
from eyewall.client.fetching import Fetch, Surroundings
from eyewall.client.options import RequestOptions
from eyewall.client.patience import check_deadline, explained
from eyewall.client.places import Places
from eyewall.client.plan import Plan
from eyewall.client.pool import Pool
from eyewall.client.request import NO_RESPONSE, Guard, HTTPRequest, HTTPResponse, HTTPTimeoutError
from eyewall.client.stream import StreamedResponse
from eyewall.guard.deadlines.deadline import within
from eyewall.guard.profile import Profile, active
from eyewall.http.h1.head import Head
from eyewall.loop.eager import start_task
from eyewall.net.resolver import OverrideResolver, Resolver

if TYPE_CHECKING:
    from eyewall.net.tcpclient import TCPClient

_MAX_BUFFER = 104857600


class SimpleAsyncHTTPClient(AsyncHTTPClient):
    """Makes requests over HTTP/1.1, plain or with TLS, directly or through a proxy.

    Connections are kept for later requests (`pool`); how many and how long says the profile that is active when the
    client is made, `profile`.
    """

    def initialize(  # type: ignore[override]
        self,
        max_clients: int = 10,
        hostname_mapping: Mapping[Any, Any] | None = None,
        max_buffer_size: int = _MAX_BUFFER,
        resolver: Resolver | None = None,
        defaults: dict[str, Any] | None = None,
        max_header_size: int | None = None,
        max_body_size: int | None = None,
    ) -> None:
        """`max_clients`: requests that are made at once; others wait. `hostname_mapping`: see OverrideResolver.

        `max_header_size`: bytes of a response's head, None for the profile's limit. `max_body_size`: bytes of
        its content, decompressed, also where it is streamed; None for `max_buffer_size`. `resolver`: for host
        names; it is not closed with the client. `defaults`: as for `AsyncHTTPClient`.
        """
        super().initialize(defaults=defaults)
        self.max_clients = max_clients
        self.max_buffer_size = max_buffer_size
        self.max_header_size = max_header_size
        self.max_body_size = max_body_size or max_buffer_size
        self.own_resolver = resolver is None
        self.resolver: Resolver = Resolver() if resolver is None else resolver
        if hostname_mapping is not None:
            self.resolver = OverrideResolver(resolver=self.resolver, mapping=hostname_mapping)
        self._places = Places(max_clients)
        #: Requests that are being made, and those that wait: see `Places`.
        self.active = self._places.active
        self.queue = self._places.queue
        self.waiting = self._places.waiting
        loop: asyncio.AbstractEventLoop = self.io_loop.asyncio_loop  # type: ignore[attr-defined]
        self._tasks: dict[RequestOptions, asyncio.Task[None]] = {}
        self._shared = Surroundings(self._limits(active()), self.resolver, loop)

    @property
    def profile(self) -> Profile:
        """The limits of this client. A profile may be assigned; connections that are open keep theirs."""
        return self._shared.profile

    @profile.setter
    def profile(self, profile: Profile) -> None:
        self._shared.profile = self._shared.pool.profile = self._limits(profile)

    @property
    def pool(self) -> Pool:
        """The connections; `pool.metrics` counts what happens to them."""
        return self._shared.pool

    @cached_property
    def tcp_client(self) -> TCPClient:
        """Connects streams to hosts as this client resolves them: for programs that take it from here."""
        # Streams are a lot to load for a client that uses none.
        from eyewall.net.tcpclient import TCPClient

        return TCPClient(resolver=self.resolver)

    def _limits(self, profile: Profile) -> Profile:
        changes: dict[str, Any] = {"body_bytes": self.max_body_size}
        if self.max_header_size is not None:
            changes["head_bytes"] = self.max_header_size
        return profile.replace(**changes)

    def close(self) -> None:
        """Closes the client, its connections, and its resolver if it came with it."""
        if self._closed:
            return
        super().close()
        self._places.close()
        self._shared.pool.close()
        self._shared.contexts.clear()
        self._shared.nonces.clear()
        for task in list(self._tasks.values()):
            task.cancel()
        if self.own_resolver:
            self.resolver.close()

    # -- fetch ------------------------------------------------------------------------------------------

    def fetch_impl(self, request: HTTPRequest, callback: Callable[[HTTPResponse], None]) -> None:
        """See `AsyncHTTPClient.fetch_impl`."""
        options: Any = request
        if not isinstance(options, RequestOptions):
            options = RequestOptions(request, self.defaults)
        task = start_task(self._fetch(options, callback), self._shared.loop)
        if not task.done():
            self._tasks[options] = task
            task.add_done_callback(lambda _: self._tasks.pop(options, None))

    def _abandon(self, request: RequestOptions) -> None:
        task = self._tasks.get(request)
        if task is not None:
            task.cancel()

    async def _fetch(self, options: RequestOptions, callback: Callable[[HTTPResponse], None]) -> None:
        """Makes one request, whatever happens to it, and calls `callback`."""
        began = self._shared.loop.time()
        started = time.time()
        fetch: Fetch | None = None
        key = object()
        error: BaseException | None = None
        try:
            plan = Plan(options, not self.own_resolver)
            check_deadline(options)
            await self._enter(key, options)
            fetch = Fetch(self._shared, plan)
            fetch.times["queue"] = self._shared.loop.time() - began
            async with asyncio.timeout(within(options.request_timeout or None)):
                response = await self._respond(fetch, options)
        except asyncio.CancelledError as cancelled:
            if not self._closed:
                # By `_abandon`: nobody is there to be told.
                raise
            error = ClientClosed("the client was closed")
            error.__cause__ = cancelled
        except (TimeoutError, HTTPTimeoutError) as late:
            error = explained(late, options, "Timeout during request")
        except Exception as failure:  # noqa: BLE001 - it is the caller's, who waits for the future
            error = failure
        finally:
            self._places.leave(key)
        if error is None:
            response.request_time = self._shared.loop.time() - began
            response.start_time = started
            callback(response)
            return
        callback(
            HTTPResponse(
                options.request,
                NO_RESPONSE,
                error=error,
                effective_url=options.url if fetch is None else fetch.plan.url,
                request_time=self._shared.loop.time() - began,
                time_info=None if fetch is None else fetch.times,
                start_time=started,
            )
        )

    async def _enter(self, key: object, options: RequestOptions) -> None:
        """Takes a place among `max_clients`, when there is one."""
        if len(self.active) >= self.max_clients:
            active, queued = len(self.active), len(self.queue) + 1
            gen_log.debug("max_clients limit reached: %d requests under way, %d wait", active, queued)
        profile = self._shared.profile
        limits = (options.connect_timeout, options.request_timeout, profile.client_queue_timeout)
        patience = within(min((each for each in limits if each), default=None))
        await self._places.enter(key, options, patience, profile.client_queue)

    async def _respond(self, fetch: Fetch, options: RequestOptions) -> HTTPResponse:
        """Makes the request and reads the response, for a program or for its callbacks."""
        try:
            head = await fetch.open()
            if options.header_callback is not None:
                for line in header_lines(head):
                    await _call(options.header_callback, line)
            if options.streaming_callback is None:
                content = await fetch.content()
            else:
                content = b""
                while (piece := await fetch.piece()) is not None:
                    await _call(options.streaming_callback, piece)
        finally:
            fetch.end()
        return HTTPResponse(
            options.request,
            head.status,
            fetch.headers,
            BytesIO(content),
            effective_url=fetch.plan.url,
            time_info=fetch.times,
            reason=head.reason or None,
        )

    # -- stream -----------------------------------------------------------------------------------------

    def stream(
        self, request: str | HTTPRequest, raise_error: bool = True, **kwargs: Any
    ) -> AbstractAsyncContextManager[StreamedResponse]:
        """See `AsyncHTTPClient.stream`."""
        options = self._options(request, kwargs)
        guard: Guard | None = options.guard
        stream = self._stream(options, raise_error)
        return stream if guard is None else guard.around(options, stream)

    @asynccontextmanager
    async def _stream(
        self, options: RequestOptions, raise_error: bool
    ) -> AsyncGenerator[StreamedResponse, None]:
        limit = options.request_timeout or None
        key = object()
        fetch = Fetch(self._shared, Plan(options, not self.own_resolver))
        try:
            check_deadline(options)
            try:
                await self._enter(key, options)
                async with asyncio.timeout(within(limit)):
                    head = await fetch.open()
            except (TimeoutError, HTTPTimeoutError) as late:
                raise explained(late, options, "Timeout during request") from None
            if options.header_callback is not None:
                for line in header_lines(head):
                    await _call(options.header_callback, line)
            response = StreamedResponse(
                options.request, head.status, head.reason, fetch.headers, fetch.plan.url, fetch.piece, limit
            )
            if raise_error and not 200 <= response.code < 300:
                (await response.whole()).rethrow()
            yield response
        finally:
            fetch.end()
            self._places.leave(key)


AsyncHTTPClient._default_kind = SimpleAsyncHTTPClient


def header_lines(head: Head) -> list[str]:
    """Returns the lines of a head, each with its CRLF: what a `header_callback` gets."""
    fields = head.block[head.start : head.end]
    lines = [f"HTTP/1.{head.minor} {head.status} {head.reason}"]
    lines += [line.rstrip(b"\r").decode("latin-1") for line in fields.split(b"\n")[:-1]]
    return [f"{line}\r\n" for line in (*lines, "")]


async def _call(callback: Callable[[Any], Any], value: Any) -> None:
    """Calls what a request came with, and waits for what it returns. Raises CallbackFailed."""
    try:
        result = callback(value)
        if result is not None and hasattr(result, "__await__"):
            await result
    except BaseException as error:
        task = asyncio.current_task()
        if not isinstance(error, Exception) and not isinstance(error, asyncio.CancelledError):
            raise
        if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
            raise
        app_log.error("Uncaught exception in a callback of an HTTP request", exc_info=error)
        raise CallbackFailed("a callback of the request failed") from error
