"""One request that libcurl is making, and what has come of the response."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import pycurl

from eyewall.client.curlbuffer import CurlBuffer
from eyewall.client.curlupload import CurlUpload
from eyewall.client.options import RequestOptions
from eyewall.client.request import NO_RESPONSE, HTTPClientError
from eyewall.http.errors import HTTPInputError
from eyewall.http.headers import HTTPHeaders

#: Of `time_info`, what libcurl measures: seconds from the start of the transfer.
_TIMES: Final = {
    "namelookup": pycurl.NAMELOOKUP_TIME,
    "connect": pycurl.CONNECT_TIME,
    "appconnect": pycurl.APPCONNECT_TIME,
    "pretransfer": pycurl.PRETRANSFER_TIME,
    "starttransfer": pycurl.STARTTRANSFER_TIME,
    "total": pycurl.TOTAL_TIME,
    "redirect": pycurl.REDIRECT_TIME,
}
#: Statuses whose response libcurl may follow by another request: the answer to a challenge.
_CHALLENGES: Final = (401, 407)


class CurlError(HTTPClientError):
    """A transfer that failed. `errno` is libcurl's code for why (`CURLE_…`). `message` is its text."""

    def __init__(self, errno: int, message: str) -> None:
        super().__init__(NO_RESPONSE, message)
        self.args = (errno, message)
        self.errno = errno


class CurlTransfer:
    """See the head of this file. `done` says when it is over, `opened` when the head of the response is there.

    `client`: whose `io_loop` it runs on; `buffer`: where content goes; `upload`: where it comes from.
    """

    def __init__(
        self, client: Any, curl: Any, options: RequestOptions, buffer: CurlBuffer, upload: CurlUpload | None
    ) -> None:
        loop: asyncio.AbstractEventLoop = client.io_loop.asyncio_loop
        self.curl = curl
        self.buffer = buffer
        self.upload = upload
        self.done: asyncio.Future[None] = loop.create_future()
        self.opened: asyncio.Future[None] = loop.create_future()
        self.status = 0
        self.headers = HTTPHeaders()
        self.reason: str | None = None
        self._client = client
        self._in_head = False
        self._follows = bool(options.follow_redirects)
        # What a proxy says before it opens a tunnel is no head of the response.
        self._tunnels = bool(options.proxy_host) and options.url.lower().startswith("https:")
        self._header_callback = options.header_callback
        curl.setopt(pycurl.HEADERFUNCTION, self._on_header)
        curl.setopt(pycurl.WRITEFUNCTION, self._on_content)
        if upload is not None:
            curl.setopt(pycurl.READFUNCTION, upload.read)
            curl.setopt(pycurl.SEEKFUNCTION, upload.seek)

    @property
    def url(self) -> str:
        """Where the response came from, after redirects."""
        url: str = self.curl.getinfo(pycurl.EFFECTIVE_URL)
        return url

    def times(self) -> dict[str, float]:
        """Returns how long the phases took, in seconds."""
        return {name: self.curl.getinfo(code) for name, code in _TIMES.items()}

    def end(self, error: BaseException | None) -> None:
        """It is over: well, or not. Only the first time counts."""
        for future in (self.opened, self.done):
            if future.done():
                continue
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)
                # Of the two, one may never be waited for.
                future.exception()

    def _on_header(self, line: bytes) -> int | None:
        """libcurl has a line of a head, or of trailers. Anything but None ends the transfer."""
        text = line.decode("latin-1")
        if self._header_callback is not None:
            # Not from within libcurl's work.
            self._client.io_loop.add_callback(self._header_callback, text)
        bare = text.rstrip("\r\n")
        if bare.startswith("HTTP/"):
            # A head that follows another one: an informational response, a redirect, a proxy's answer.
            self.headers = HTTPHeaders()
            _, _, status = bare.partition(" ")
            code, _, reason = status.partition(" ")
            self.status = int(code) if code.isascii() and code.isdigit() else 0
            self.reason = reason or None
            self._in_head = True
        elif not bare:
            if self._in_head and self._is_last():
                self._open()
            self._in_head = False
        elif self._in_head:
            try:
                self.headers.parse_line(text)
            except HTTPInputError:
                return -1
        return None

    def _is_last(self) -> bool:
        """Tells whether the head that has come is surely that of the response, and not of one on the way to it."""
        if self._tunnels:
            return False
        redirected = self._follows and 300 <= self.status < 400 and "Location" in self.headers
        return self.status >= 200 and not redirected and self.status not in _CHALLENGES

    def _on_content(self, chunk: bytes) -> int:
        # libcurl keeps the content of what it follows to itself.
        self._open()
        return self.buffer.write(chunk)

    def _open(self) -> None:
        if not self.opened.done():
            self.opened.set_result(None)
