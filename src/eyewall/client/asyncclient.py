"""`AsyncHTTPClient`: what programs know of every HTTP client, whichever makes the requests.

A client of a kind is made once for each event loop: to instantiate the class again returns the same one. A class
that makes requests implements `fetch_impl`; `AsyncHTTPClient.configure` chooses it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, ClassVar

from eyewall.base import probe
from eyewall.base.configurable import Configurable
from eyewall.client.options import RequestOptions
from eyewall.client.request import Guard, HTTPClientError, HTTPRequest, HTTPResponse
from eyewall.guard.profile import active
from eyewall.http.errors import HTTPInputError
from eyewall.http.headers import HTTPHeaders, InvalidHeader
from eyewall.loop.concurrent import future_set_exception_unless_cancelled, future_set_result_unless_cancelled
from eyewall.loop.ioloop import IOLoop

if TYPE_CHECKING:
    from eyewall.client.stream import StreamedResponse

_fetch_begin = probe.fetch_begin
#: Of an IOLoop, the attribute with its clients. There they die with it, which a table of loops would prevent:
#: a client refers to its loop.
_SHELF = "_eyewall_clients"


class AsyncHTTPClient(Configurable):
    """An HTTP client that does not block.

        response = await AsyncHTTPClient().fetch("http://localhost:8888/")

    `force_instance` makes a client of its own, which is to be closed. The other arguments are those of the class
    that was configured; `defaults` is a dict of options for requests that leave them open.
    """

    #: What makes the requests by default. `eyewall.client.simple`, which stands above this module, fills it in; the
    #: class is imported from there.
    _default_kind: ClassVar[type[AsyncHTTPClient]]

    def __new__(cls, force_instance: bool = False, **kwargs: Any) -> AsyncHTTPClient:
        io_loop = IOLoop.current()
        shelf: dict[type, AsyncHTTPClient] = io_loop.__dict__.setdefault(_SHELF, {})
        if not force_instance and cls in shelf:
            return shelf[cls]
        client: AsyncHTTPClient = super().__new__(cls, **kwargs)
        if not force_instance:
            shelf[cls] = client
        return client

    @classmethod
    def configurable_base(cls) -> type[Configurable]:
        """Returns the class that `configure` is about: this one."""
        return AsyncHTTPClient

    @classmethod
    def configurable_default(cls) -> type[Configurable]:
        """Returns what makes the requests where nothing was configured."""
        return AsyncHTTPClient._default_kind

    @classmethod
    def configure(cls, impl: str | type[Configurable] | None, **kwargs: Any) -> None:
        """Chooses the class that makes the requests, and arguments for it.

        `impl` is a class, its full name, or None for the default; `max_clients` is an argument that all have.
        """
        super().configure(impl, **kwargs)

    def initialize(self, defaults: dict[str, Any] | None = None) -> None:
        """Takes the `defaults`: options for requests that leave them open."""
        self.io_loop = IOLoop.current()
        self.defaults: dict[str, Any] = dict(HTTPRequest._DEFAULTS)
        if defaults is not None:
            self.defaults.update(defaults)
        self._closed = False

    def close(self) -> None:
        """Closes the client and its connections. Requests under way fail; it cannot be used afterwards.

        Only needed for clients that were made with `force_instance`, and before the loop is closed.
        """
        if self._closed:
            return
        self._closed = True
        shelf: dict[type, AsyncHTTPClient] = self.io_loop.__dict__.get(_SHELF, {})
        for kind, client in list(shelf.items()):
            if client is self:
                del shelf[kind]

    def fetch(
        self, request: str | HTTPRequest, raise_error: bool = True, **kwargs: Any
    ) -> asyncio.Future[HTTPResponse]:
        """Makes a request. Returns a future for its `HTTPResponse`.

        `request` is a URL, with the arguments of an `HTTPRequest` as `kwargs`, or an HTTPRequest. The future
        fails with an HTTPClientError for a status that is not 2xx, unless `raise_error` is false, and with
        what kept the response from coming in any case.

        Raises RuntimeError for a client that is closed, ValueError for `kwargs` beside an HTTPRequest.
        """
        wanted = self._options(request, kwargs)
        guard: Guard | None = wanted.guard
        if guard is None:
            return self._send(wanted, raise_error)
        loop: asyncio.AbstractEventLoop = self.io_loop.asyncio_loop  # type: ignore[attr-defined]
        return loop.create_task(self._guarded(guard, wanted, raise_error))

    async def _guarded(self, guard: Guard, wanted: RequestOptions, raise_error: bool) -> HTTPResponse:
        """Makes a request as often, and if, its guard says."""
        response = await guard.call(wanted, lambda: self._send(wanted, False))
        if raise_error:
            response.rethrow()
        return response

    def _send(self, wanted: RequestOptions, raise_error: bool) -> asyncio.Future[HTTPResponse]:
        loop: asyncio.AbstractEventLoop = self.io_loop.asyncio_loop  # type: ignore[attr-defined]
        future: asyncio.Future[HTTPResponse] = loop.create_future()

        def arrived(response: HTTPResponse) -> None:
            error = response.error
            if error is not None and (raise_error or not _says_status(error, response)):
                future_set_exception_unless_cancelled(future, error)
                if self._closed and not future.cancelled():
                    # Whoever closes the client need not wait for what it was doing.
                    future.exception()
            else:
                future_set_result_unless_cancelled(future, response)

        fire = _fetch_begin.fire
        if fire is not None:
            fire(wanted, future)
        self.fetch_impl(wanted, arrived)  # type: ignore[arg-type]
        if not future.done() and not active().client_finish_cancelled:
            future.add_done_callback(lambda done: self._abandon(wanted) if done.cancelled() else None)
        return future

    def stream(
        self, request: str | HTTPRequest, raise_error: bool = True, **kwargs: Any
    ) -> AbstractAsyncContextManager[StreamedResponse]:
        """Makes a request whose response is read while it arrives; `request`, `raise_error` and `kwargs` are
        those of `fetch`.

            async with client.stream("http://localhost:8888/big") as response:
                async for chunk in response:
                    ...

        The server has to wait while nobody reads. `request_timeout` is for the head of the response, and for
        each chunk. Raises what the future of `fetch` fails with.
        """
        raise NotImplementedError(f"{type(self).__name__} cannot stream responses")

    def fetch_impl(self, request: HTTPRequest, callback: Callable[[HTTPResponse], None]) -> None:
        """Makes `request`, and calls `callback` with the response, or with one whose `error` says what was wrong."""
        raise NotImplementedError(f"{type(self).__name__} makes no requests")

    def _options(self, request: str | HTTPRequest, kwargs: Mapping[str, Any]) -> RequestOptions:
        """Returns the request that the arguments of `fetch` are about, with the defaults of this client."""
        if self._closed:
            raise RuntimeError("fetch() called on closed AsyncHTTPClient")
        if not isinstance(request, HTTPRequest):
            arguments = dict(kwargs)
            guard: Guard | None = arguments.pop("guard", None)
            request = HTTPRequest(url=request, **arguments)
            if guard is not None:
                request.guard = guard
        elif kwargs:
            raise ValueError("with an HTTPRequest, its options are set there, not as arguments of fetch")
        # Checked here, so that what cannot be sent is known before anything is done. The application's own
        # headers are left as they are.
        try:
            request.headers = HTTPHeaders(request.headers)
        except HTTPInputError as error:
            raise InvalidHeader(str(error)) from None
        return RequestOptions(request, self.defaults)

    def _abandon(self, request: RequestOptions) -> None:
        """Nobody waits for the response to `request` any more."""


def _says_status(error: BaseException, response: HTTPResponse) -> bool:
    """Tells whether an error is nothing but the status of a response that came."""
    return isinstance(error, HTTPClientError) and error.response is response
