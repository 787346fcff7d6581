"""How a WebSocket describes itself to `guard.registry`."""

from __future__ import annotations

from typing import Any, Protocol

from eyewall.guard.registry import Entry


class Connection(Protocol):
    """What is read of a `websocket.connection.WebSocketConnection`, which imports this module."""

    loop: Any
    receiver: Any
    is_client: bool
    peer: str
    route: str
    opened: float
    active: float

    @property
    def _wire_bytes_in(self) -> int: ...
    @property
    def _wire_bytes_out(self) -> int: ...
    def can_write(self) -> bool: ...
    def abort(self) -> None: ...
    def go_away(self) -> None: ...


def describe_websocket(connection: Connection, now: float) -> Entry:
    """Returns what there is to say of a WebSocket; `now` in the time in which it was `active`."""
    receiver = connection.receiver
    return Entry(
        kind="client_connection" if connection.is_client else "websocket",
        subject=getattr(receiver, "within", receiver) or connection,
        peer=connection.peer,
        route=connection.route,
        label="WebSocket" if connection.can_write() else "WebSocket, closing",
        age=connection.loop.time() - connection.opened,
        # The wheel lags behind by the time for which the loop was blocked.
        idle=max(0.0, now - connection.active),
        bytes_in=connection._wire_bytes_in,
        bytes_out=connection._wire_bytes_out,
        end=lambda at_once: connection.abort() if at_once else connection.go_away(),
    )
