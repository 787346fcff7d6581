"""Who takes what comes over a WebSocket, as a type: what the driver knows of the layers above."""

from __future__ import annotations

from collections.abc import Awaitable
from types import TracebackType
from typing import Protocol


class Receiver(Protocol):
    """Takes the events of one connection, one at a time and in order.

    What `on_message`, `on_ping` or `on_pong` raises, or what they return fails with, goes to `log_exception`
    and ends the connection with 1011.
    """

    def on_message(self, message: str | bytes, /) -> Awaitable[object] | None:
        """A message has come. The next event waits for the awaitable that this returns, if any."""

    def on_ping(self, data: bytes, /) -> Awaitable[object] | None:
        """The peer sent a ping with `data`, at most 125 bytes, which is answered already. As `on_message`."""

    def on_pong(self, data: bytes, /) -> Awaitable[object] | None:
        """The peer sent a pong with `data`, at most 125 bytes. As `on_message`."""

    def on_ws_connection_close(self, code: int | None, reason: str | None, /) -> None:
        """The connection is over; called exactly once, and nothing is called after it.

        `code` and `reason` are what the peer's close frame said, or with what this side failed the
        connection; None if neither said anything.
        """

    def log_exception(
        self, typ: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None, /
    ) -> None:
        """One of the methods above failed: `typ`, `value` and `tb` are what `sys.exc_info` returns."""
