"""What libcurl writes content to: kept for the response, or handed to a callback at the application's pace.

libcurl calls `write` from within its own work, where an application's code must not run: it might start another
request. So chunks for a callback are collected, and handed over by the loop; chunks for whoever reads are collected
until they are asked for. When too much is collected, the transfer pauses.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, ClassVar

import pycurl


def unpause(client: Any, curl: Any) -> None:
    """Lets a transfer of `client` go on that was paused, in either direction."""
    try:
        curl.pause(pycurl.PAUSE_CONT)
    except pycurl.error:
        # The transfer has failed meanwhile, which whoever waits for its end is told.
        return
    # Older versions of libcurl do not ask for it themselves.
    client._set_timeout(0)


class CurlBuffer:
    """Keeps the content of one response.

    `client` has `max_body_size`, the limit in bytes; beyond it `body_too_large` is set and libcurl told to stop.
    """

    def __init__(self, client: Any) -> None:
        self.client = client
        self.body_too_large = False
        self._received = 0
        self._chunks: list[bytes] = []

    def write(self, chunk: bytes) -> int:
        """Takes a chunk; returns how much of it was taken. None of it ends the transfer."""
        if not self._count(chunk):
            return 0
        self._chunks.append(chunk)
        return len(chunk)

    def take(self) -> bytes:
        """Returns what was kept, which is not kept any longer."""
        content = b"".join(self._chunks)
        self._chunks.clear()
        return content

    def flush(self) -> None:
        """Hands over what waits to be."""

    def _count(self, chunk: bytes) -> bool:
        if self._received + len(chunk) > self.client.max_body_size:
            self.body_too_large = True
            return False
        self._received += len(chunk)
        return True


class CurlPausingBuffer(CurlBuffer):
    """Pauses the transfer of `curl` where too much waits; `paused` says whether it is."""

    #: Bytes that wait at which the transfer pauses.
    max_buffer_size: ClassVar[int] = 512 * 1024

    def __init__(self, client: Any, curl: Any) -> None:
        super().__init__(client)
        self.paused = False
        self._curl = curl
        self._waiting = 0

    def write(self, chunk: bytes) -> int:
        """As `CurlBuffer.write`; a chunk that would be too much is refused for now, and comes again."""
        if self._waiting >= self.max_buffer_size:
            self.paused = True
            paused: int = pycurl.WRITEFUNC_PAUSE
            return paused
        taken = super().write(chunk)
        if taken:
            first = self._waiting == 0
            self._waiting += taken
            if first:
                self._arrived()
        return taken

    def take(self) -> bytes:
        """As `CurlBuffer.take`."""
        self._waiting = 0
        return super().take()

    def go_on(self) -> None:
        """Lets the transfer go on."""
        if self.paused:
            self.paused = False
            unpause(self.client, self._curl)

    def _arrived(self) -> None:
        """Something waits, where nothing did before."""


class CurlStreamingBuffer(CurlPausingBuffer):
    """Hands the content to `callback`."""

    def __init__(self, client: Any, curl: Any, callback: Callable[[bytes], Any]) -> None:
        super().__init__(client, curl)
        self._callback = callback

    def _arrived(self) -> None:
        self.client.io_loop.add_callback(self.flush)

    def flush(self) -> None:
        """Hands what waits to the callback, and lets the transfer go on."""
        content = self.take()
        if content:
            try:
                self._callback(content)
            except Exception:  # noqa: BLE001 - it is logged, and the transfer is none the worse for it
                self.client.handle_callback_exception(self._callback)
        self.go_on()


class CurlPulledBuffer(CurlPausingBuffer):
    """Keeps the content for whoever reads it, a piece at a time."""

    def __init__(self, client: Any, curl: Any) -> None:
        super().__init__(client, curl)
        self._news: asyncio.Future[None] | None = None

    def take(self) -> bytes:
        """As `CurlBuffer.take`; the transfer goes on."""
        content = super().take()
        self.go_on()
        return content

    async def piece(self, done: asyncio.Future[None]) -> bytes | None:
        """Returns what has come, when something has; None at the end, which `done` tells. Raises its exception."""
        while True:
            if content := self.take():
                return content
            if done.done():
                done.result()
                return None
            self._news = asyncio.get_running_loop().create_future()
            await asyncio.wait([self._news, done], return_when=asyncio.FIRST_COMPLETED)

    def _arrived(self) -> None:
        news, self._news = self._news, None
        if news is not None and not news.done():
            news.set_result(None)
