# cython: auto_pickle=True
"""What every request has, whether anybody asks or not.

A compiled class, the base of the ordinary `HTTPServerRequest`: the server sets these attributes for each request,
and reads them for most responses.
"""

from __future__ import annotations

from typing import Any

from eyewall.http.h1.head import Head
from eyewall.http.headers import HTTPHeaders


class RequestCore:
    """`method`, `body`, `connection`; `headers`, made from the head when first asked for, or assigned."""

    def __init__(self) -> None:
        self.method = ""
        self.body = b""
        self.connection: Any = None
        self._head: Head | None = None
        self._made_headers: HTTPHeaders | None = None
        self._form_fields = 0
        self._start_time = 0.0
        #: When the content had come, where there was some to wait for and somebody wants to know; else 0.
        self._ready_time = 0.0

    def take(self, exchange: Any, head: Head, form_fields: int, now: float) -> None:
        """Fills a request that came over a connection: of `exchange`, with `head`. `form_fields`: the most
        fields that a form may have. `now`: when its head had come, in seconds since the epoch.
        """
        self.method = head.method
        self.body = b""
        self.connection = exchange
        self._head = head
        self._made_headers = None
        self._form_fields = form_fields
        self._start_time = now
        self._ready_time = 0.0

    @property
    def headers(self) -> HTTPHeaders:
        """The header fields."""
        headers = self._made_headers
        if headers is None:
            head = self._head
            headers = HTTPHeaders.from_fields(head.fields()) if head is not None else HTTPHeaders()
            self._made_headers = headers
        return headers

    @headers.setter
    def headers(self, value: HTTPHeaders) -> None:
        self._made_headers = value

    def find_header(self, name: bytes) -> str | None:
        """Returns the value of the header with this lower-case name, or None, without taking the head apart."""
        headers = self._made_headers
        if headers is not None:
            return headers.get(name.decode("ascii"))
        head = self._head
        return head.find(name) if head is not None else None
