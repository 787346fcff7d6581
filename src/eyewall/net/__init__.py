"""Connections: addresses, TLS, listening, flow control, files on their way to a socket."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eyewall._face import lazy_face

if TYPE_CHECKING:
    from eyewall.net.address import bind_sockets, bind_unix_socket, inherited_sockets, is_valid_ip
    from eyewall.net.connector import connect_host, connect_socket
    from eyewall.net.errors import StreamClosedError
    from eyewall.net.listener import Listener
    from eyewall.net.tls import client_context, server_context, ssl_options_to_context
    from eyewall.net.transport import FlowControl

__all__ = [
    "FlowControl",
    "Listener",
    "StreamClosedError",
    "bind_sockets",
    "bind_unix_socket",
    "client_context",
    "connect_host",
    "connect_socket",
    "inherited_sockets",
    "is_valid_ip",
    "server_context",
    "ssl_options_to_context",
]

_NAMES = {
    "FlowControl": "transport",
    "Listener": "listener",
    "StreamClosedError": "errors",
    "bind_sockets": "address",
    "bind_unix_socket": "address",
    "client_context": "tls",
    "connect_host": "connector",
    "connect_socket": "connector",
    "inherited_sockets": "address",
    "is_valid_ip": "address",
    "server_context": "tls",
    "ssl_options_to_context": "tls",
}

__getattr__, __dir__ = lazy_face(__name__, _NAMES)
