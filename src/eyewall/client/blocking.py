"""`HTTPClient`: requests that block the thread, for scripts and for programs without a loop."""

from __future__ import annotations

import asyncio
from typing import Any

from eyewall.client.request import HTTPRequest, HTTPResponse
from eyewall.client.simple import AsyncHTTPClient
from eyewall.loop.ioloop import IOLoop


class HTTPClient:
    """An HTTP client whose `fetch` returns the response. It has a loop of its own and is for one thread.

    `async_client_class` makes the requests, with `kwargs` as its arguments; None for the configured one. To be
    closed, or used in a `with` statement. It cannot be used in a thread whose loop runs.
    """

    def __init__(self, async_client_class: type[AsyncHTTPClient] | None = None, **kwargs: Any) -> None:
        # First, for `__del__`, should anything of the rest fail.
        self._closed = True
        self._io_loop = IOLoop(make_current=False)
        kind = AsyncHTTPClient if async_client_class is None else async_client_class

        async def make() -> AsyncHTTPClient:
            return kind(force_instance=True, **kwargs)

        try:
            self._async_client: AsyncHTTPClient = self._io_loop.run_sync(make)
        except BaseException:
            self._io_loop.close()
            raise
        self._closed = False

    def __del__(self) -> None:
        self.close()

    def __enter__(self) -> HTTPClient:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the client and its loop."""
        if self._closed:
            return
        self._closed = True

        async def end() -> None:
            self._async_client.close()
            # Connections are closed in the turn after it.
            await asyncio.sleep(0)

        try:
            asyncio.get_running_loop()
        except RuntimeError:
            self._io_loop.run_sync(end)
        else:
            # Forgotten by a program with a loop, which runs: ours cannot have its turn.
            self._async_client.close()
        self._io_loop.close()

    def fetch(self, request: str | HTTPRequest, **kwargs: Any) -> HTTPResponse:
        """Makes a request and returns the response; see `AsyncHTTPClient.fetch`. Raises what its future does."""
        response: HTTPResponse = self._io_loop.run_sync(lambda: self._async_client.fetch(request, **kwargs))
        return response
