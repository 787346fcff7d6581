"""How connections and requests describe themselves to `guard.registry`."""

from __future__ import annotations

from typing import Any, Protocol

from eyewall.guard.registry import Entry


class Exchange(Protocol):
    """What is read of an `http.exchange.Exchange`, which imports this module."""

    head: Any
    carrier: Any
    sink: Any
    began: float
    offset: int

    def break_off(self) -> None: ...


class Connection(Protocol):
    """What is read of an `http.connection.ServerConnection`."""

    wheel: Any
    remote_ip: str
    served: int
    opened: float
    active: float
    received: int
    written: int

    @property
    def exchange(self) -> Exchange | None: ...
    def waiting(self) -> int: ...
    def abort(self) -> None: ...
    def drain(self) -> None: ...


class Served(Protocol):
    """What a sink may tell of the request that it serves: its route, its handler; and how to end it."""

    @property
    def label(self) -> str: ...
    @property
    def handling(self) -> Any: ...
    def cancel(self) -> bool: ...


def innermost(sink: Any) -> Any:
    """Returns the sink that serves a request, behind those that only pass on what comes (`within`)."""
    while True:
        within = getattr(sink, "within", None)
        if within is None:
            return sink
        sink = within


def route_of(exchange: Exchange) -> str:
    """Returns the pattern of the route that a request has found, empty where there is none."""
    route: str = getattr(innermost(exchange.sink), "label", "")
    return route


def describe_connection(connection: Connection) -> Entry:
    """Returns what there is to say of a connection."""
    now = connection.wheel.now
    exchange = connection.exchange
    return Entry(
        kind="connection",
        subject=connection,
        peer=connection.remote_ip,
        route="" if exchange is None else route_of(exchange),
        label=f"{connection.served} request{'s' * (connection.served != 1)}"
        if exchange is None
        else _line(exchange),
        age=now - connection.opened,
        idle=now - connection.active,
        bytes_in=connection.received,
        bytes_out=connection.written - connection.waiting(),
        end=lambda at_once: connection.abort() if at_once else connection.drain(),
    )


def describe_exchange(exchange: Exchange) -> Entry:
    """Returns what there is to say of a request."""
    carrier: Any = exchange.carrier
    now = carrier.wheel.now
    served = innermost(exchange.sink)

    def end(at_once: bool) -> None:
        cancel = getattr(served, "cancel", None)
        cancelled = cancel is not None and cancel()
        if at_once or not cancelled:
            exchange.break_off()

    return Entry(
        kind="request",
        subject=getattr(served, "handling", None) or exchange,
        peer=carrier.remote_ip,
        route=getattr(served, "label", ""),
        label=_line(exchange),
        age=now - exchange.began,
        idle=now - max(carrier.active, exchange.began),
        bytes_in=carrier.content_received,
        bytes_out=carrier.written - exchange.offset,
        end=end,
    )


def _line(exchange: Exchange) -> str:
    return f"{exchange.head.method} {exchange.head.target}"
