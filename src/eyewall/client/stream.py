"""A response that is read while it arrives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from io import BytesIO

from eyewall.client.fetching import Fetch
from eyewall.client.patience import explained
from eyewall.client.request import HTTPRequest, HTTPResponse
from eyewall.guard.deadline import within
from eyewall.http.headers import HTTPHeaders


class StreamedResponse:
    """What `AsyncHTTPClient.stream` gives: a response whose content is read by iterating over it, once.

    `code`, `reason`, `headers`, `effective_url` and `request` are those of an HTTPResponse. Chunks are bytes, as
    they arrive, decompressed; the content as a whole is bounded by `max_body_size`.
    """

    def __init__(self, fetch: Fetch, request: HTTPRequest, timeout: float | None) -> None:
        head = fetch.head
        if head is None:
            raise RuntimeError("a response that has not begun")
        self.request = request
        self.code: int = head.status
        self.reason: str = head.reason or "Unknown"
        self.headers: HTTPHeaders = fetch.headers
        self.effective_url: str = fetch.plan.url
        self._fetch = fetch
        self._timeout = timeout

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            async with asyncio.timeout(within(self._timeout)):
                chunk = await self._fetch.piece()
        except TimeoutError as late:
            raise explained(late, self.request, "Timeout during request: the server sends nothing") from None
        if chunk is None:
            raise StopAsyncIteration
        return chunk

    async def read(self) -> bytes:
        """Returns what is left of the content in one."""
        return b"".join([chunk async for chunk in self])

    async def whole(self) -> HTTPResponse:
        """Reads the content, and returns all of it as an `HTTPResponse`."""
        return HTTPResponse(
            self.request,
            self.code,
            self.headers,
            BytesIO(await self.read()),
            effective_url=self.effective_url,
            reason=self.reason,
        )
