"""A response that is read while it arrives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from io import BytesIO

from eyewall.client.patience import explained
from eyewall.client.request import HTTPRequest, HTTPResponse
from eyewall.guard.deadlines.deadline import within
from eyewall.http.headers import HTTPHeaders


class StreamedResponse:
    """What `AsyncHTTPClient.stream` gives: a response whose content is read by iterating over it, once.

    `code`, `reason`, `headers`, `effective_url` and `request` are those of an HTTPResponse. Chunks are bytes, as
    they arrive, decompressed; the content as a whole is bounded by `max_body_size`.

    `piece` returns the next one, None at the end; `timeout`: seconds for each, None for no limit.
    """

    def __init__(
        self,
        request: HTTPRequest,
        code: int,
        reason: str | None,
        headers: HTTPHeaders,
        effective_url: str,
        piece: Callable[[], Awaitable[bytes | None]],
        timeout: float | None,
    ) -> None:
        self.request = request
        self.code = code
        self.reason = reason or "Unknown"
        self.headers = headers
        self.effective_url = effective_url
        self._piece = piece
        self._timeout = timeout

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            async with asyncio.timeout(within(self._timeout)):
                chunk = await self._piece()
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
