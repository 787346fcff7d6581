"""What libcurl writes content to: kept for the response, or handed to a callback at the application's pace.

libcurl calls `write` from within its own work, where an application's code must not run: it might start another
request. So chunks for a callback are collected, and handed over by the loop. When too much is collected, the
transfer pauses until the callback has had it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import pycurl


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


class CurlStreamingBuffer(CurlBuffer):
    """Hands the content to `callback`. `curl` is what is paused, `paused` says whether it is."""

    #: Bytes that wait for the callback at which the transfer pauses.
    max_buffer_size: ClassVar[int] = 512 * 1024

    def __init__(self, client: Any, curl: Any, callback: Callable[[bytes], Any]) -> None:
        super().__init__(client)
        self.paused = False
        self._curl = curl
        self._callback = callback
        self._waiting = 0

    def write(self, chunk: bytes) -> int:
        """As `CurlBuffer.write`; a chunk that would be too much is refused for now, and comes again."""
        if self._waiting >= self.max_buffer_size:
            self.paused = True
            paused: int = pycurl.WRITEFUNC_PAUSE
            return paused
        taken = super().write(chunk)
        if taken:
            if self._waiting == 0:
                self.client.io_loop.add_callback(self.flush)
            self._waiting += taken
        return taken

    def flush(self) -> None:
        """Hands what waits to the callback, and lets the transfer go on."""
        if self._waiting:
            self._waiting = 0
            try:
                self._callback(self.take())
            except Exception:  # noqa: BLE001 - it is logged, and the transfer is none the worse for it
                self.client.handle_callback_exception(self._callback)
        if self.paused:
            self.paused = False
            try:
                self._curl.pause(pycurl.PAUSE_CONT)
            except pycurl.error:
                # The transfer has failed meanwhile, which whoever waits for its end is told.
                return
            # Older versions of libcurl do not ask for it themselves.
            self.client._set_timeout(0)
