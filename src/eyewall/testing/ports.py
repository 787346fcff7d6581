"""Listening sockets on ports that nobody else has."""

from __future__ import annotations

import socket

from eyewall.net.address import bind_sockets


def bind_unused_port(reuse_port: bool = False, address: str = "127.0.0.1") -> tuple[socket.socket, int]:
    """Returns a listening socket and its port, which the system chooses; the caller closes the socket.

    An empty `address` means all interfaces (IPv4). `reuse_port` as with `bind_sockets`. Raises OSError where
    `address` cannot be bound.
    """
    (sock,) = bind_sockets(0, address, family=socket.AF_INET, reuse_port=reuse_port)
    return sock, sock.getsockname()[1]
