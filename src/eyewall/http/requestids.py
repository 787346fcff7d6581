"""Request ids: every request has one, the log lines on its behalf carry it, and its response names it.

`IdentifyingApp` stands between a connection and any `App`. The id is the client's X-Request-ID, or its
proxy's, where that is harmless; otherwise it is made here, from a random part that is the process's own and a
counter that is scrambled, so that ids are unique and don't tell how many requests there were. They are no
secrets.

What an application does on behalf of a request begins in `begin`, `data`, `end` or `closed`; the context
variable is set around those, and tasks that start there take it along.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

from eyewall.base.context import request_id
from eyewall.http.exchange import Exchange

if TYPE_CHECKING:
    from eyewall.http.interfaces import App
    from eyewall.http.sink import Sink

#: What can stand in a header, a log line, JSON, a URL and a file name without being quoted.
_HARMLESS = re.compile(r"[A-Za-z0-9._~:=+@-]+", re.ASCII)
_MASK = (1 << 48) - 1

_set = request_id.set
_reset = request_id.reset
_prefix = ""
_factor = 1
_count = 0


def _begin_process() -> None:
    """Makes the ids of this process different from all others'."""
    global _prefix, _factor, _count
    _prefix = os.urandom(6).hex()
    # An odd factor maps the counter to itself in another order.
    _factor = int.from_bytes(os.urandom(6), "big") | 1
    _count = 0


_begin_process()
os.register_at_fork(after_in_child=_begin_process)


def new_request_id() -> str:
    """Returns an id that no other request has: 24 hexadecimal digits."""
    global _count
    _count += 1
    number = (_count * _factor) & _MASK
    return f"{_prefix}{number:012x}"


class IdentifyingApp:
    """Serves with `app`, and gives every request an id.

    `longest`: how long one that is taken over may be, in characters.
    """

    __slots__ = ("_app", "_longest", "on_close")

    def __init__(self, app: App, longest: int) -> None:
        self._app = app
        self._longest = longest
        #: What a server calls when a connection is lost, if the application wants to know.
        self.on_close = getattr(app, "on_close", None)

    def begin(self, exchange: Exchange) -> Sink:
        """The head of a request is complete."""
        name = exchange.head.find(b"x-request-id")
        if name is None or len(name) > self._longest or _HARMLESS.fullmatch(name) is None:
            name = new_request_id()
        exchange.request_id = name
        token = _set(name)
        try:
            sink = self._app.begin(exchange)
        finally:
            _reset(token)
        return IdentifiedSink(sink, name)


class IdentifiedSink:
    """Takes the rest of one request, with its id in the context."""

    __slots__ = ("_name", "_sink")

    def __init__(self, sink: Sink, name: str) -> None:
        self._sink = sink
        self._name = name

    @property
    def within(self) -> Sink:
        """The sink beneath."""
        return self._sink

    @property
    def ready(self) -> Any:
        """Of the sink beneath: done when it wants content."""
        return getattr(self._sink, "ready", None)

    @property
    def whole(self) -> bool:
        """Of the sink beneath: true when it wants content in one piece."""
        return getattr(self._sink, "whole", False)

    def describe(self) -> str:
        """What the sink beneath says of its request."""
        describe = getattr(self._sink, "describe", None)
        return describe() if describe is not None else ""

    def data(self, chunk: bytes) -> Awaitable[None] | None:
        """Content has come."""
        token = _set(self._name)
        try:
            wait = self._sink.data(chunk)
            # A coroutine runs in the context of its task, which is to be this one.
            return asyncio.ensure_future(wait) if wait is not None else None
        finally:
            _reset(token)

    def end(self) -> None:
        """The request is complete."""
        token = _set(self._name)
        try:
            self._sink.end()
        finally:
            _reset(token)

    def closed(self) -> None:
        """The connection ended before the exchange was over."""
        token = _set(self._name)
        try:
            self._sink.closed()
        finally:
            _reset(token)
