"""What comes over a WebSocket is handled in the name of the request that it began as.

A connection calls its receiver from the loop, where no request is in the context. `IdentifiedReceiver` sets the id
around each call, and starts coroutines there, so that their tasks take it along. A WebSocket without an id has its
receiver directly.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from types import TracebackType
from typing import Any

from eyewall.base.context import request_id
from eyewall.loop.eager import start_task
from eyewall.websocket.interfaces import Receiver


class IdentifiedReceiver:
    """Passes everything on to `receiver`, with `name` as the id of the request."""

    __slots__ = ("_name", "_receiver")

    def __init__(self, receiver: Receiver, name: str) -> None:
        self._receiver = receiver
        self._name = name

    @property
    def within(self) -> Receiver:
        """The receiver itself."""
        return self._receiver

    def on_message(self, message: str | bytes, /) -> Awaitable[object] | None:
        """A message has come."""
        return self._begin(self._receiver.on_message, message)

    def on_ping(self, data: bytes, /) -> Awaitable[object] | None:
        """The peer sent a ping."""
        return self._begin(self._receiver.on_ping, data)

    def on_pong(self, data: bytes, /) -> Awaitable[object] | None:
        """The peer sent a pong."""
        return self._begin(self._receiver.on_pong, data)

    def describe(self) -> str:
        """What the receiver says of itself."""
        describe = getattr(self._receiver, "describe", None)
        return describe() if describe is not None else ""

    def on_ws_connection_close(self, code: int | None, reason: str | None, /) -> None:
        """The connection is over."""
        token = request_id.set(self._name)
        try:
            self._receiver.on_ws_connection_close(code, reason)
        finally:
            request_id.reset(token)

    def log_exception(
        self, typ: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None, /
    ) -> None:
        """One of the methods above failed."""
        token = request_id.set(self._name)
        try:
            self._receiver.log_exception(typ, value, tb)
        finally:
            request_id.reset(token)

    def _begin(
        self, method: Callable[[Any], Awaitable[object] | None], data: Any
    ) -> Awaitable[object] | None:
        token = request_id.set(self._name)
        try:
            wait = method(data)
            if isinstance(wait, Coroutine):
                return start_task(wait, asyncio.get_running_loop())
            return wait
        finally:
            request_id.reset(token)
