"""Connections of a server in the hands of programs: as streams, and who is at their other end."""

from __future__ import annotations

import socket
from typing import Any

from eyewall.net.transportstream import TransportStream


class ConnectionContext:
    """Who is at the other end of a connection.

    `address`: of the socket, `address_family`: its kind. `remote_ip` and `protocol`: the client's address, and
    "http" or "https".
    """

    def __init__(self, carrier: Any) -> None:
        transport = carrier.transport
        self.address: Any = transport.get_extra_info("peername") if transport is not None else None
        sock = transport.get_extra_info("socket") if transport is not None else None
        self.address_family: int = sock.family if sock is not None else socket.AF_UNSPEC
        self.remote_ip: str = carrier.remote_ip
        self.protocol: str = carrier.protocol

    def __str__(self) -> str:
        return self.remote_ip


def stream_of(exchange: Any) -> TransportStream:
    """Returns a stream over the connection of `exchange`; a closed one where that is gone."""
    carrier = exchange.carrier

    def hand_over(protocol: Any) -> bytes:
        # Of a program that keeps the stream, this may be another request than the one it had it from.
        rest: bytes = (carrier.exchange or exchange).detached(protocol)
        return rest

    return TransportStream(carrier, hand_over, carrier.profile)
