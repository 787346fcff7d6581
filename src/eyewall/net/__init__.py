"""Connections: addresses, TLS, listening, connecting, streams, flow control, files on their way to a socket."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eyewall._face import lazy_face

if TYPE_CHECKING:
    from eyewall.net.acceptor import add_accept_handler
    from eyewall.net.address import bind_sockets, bind_unix_socket, inherited_sockets, is_valid_ip
    from eyewall.net.basestream import BaseIOStream
    from eyewall.net.connector import connect_host, connect_socket
    from eyewall.net.errors import StreamBufferFullError, StreamClosedError, UnsatisfiableReadError
    from eyewall.net.iostream import IOStream, SSLIOStream
    from eyewall.net.listener import Listener
    from eyewall.net.pipestream import PipeIOStream
    from eyewall.net.resolver import Resolver
    from eyewall.net.tcpclient import TCPClient
    from eyewall.net.tcpserver import TCPServer
    from eyewall.net.tls import client_context, server_context, ssl_options_to_context, ssl_wrap_socket
    from eyewall.net.transport import FlowControl

__all__ = [
    "BaseIOStream",
    "FlowControl",
    "IOStream",
    "Listener",
    "PipeIOStream",
    "Resolver",
    "SSLIOStream",
    "StreamBufferFullError",
    "StreamClosedError",
    "TCPClient",
    "TCPServer",
    "UnsatisfiableReadError",
    "add_accept_handler",
    "bind_sockets",
    "bind_unix_socket",
    "client_context",
    "connect_host",
    "connect_socket",
    "inherited_sockets",
    "is_valid_ip",
    "server_context",
    "ssl_options_to_context",
    "ssl_wrap_socket",
]

_NAMES = {
    "BaseIOStream": "basestream",
    "FlowControl": "transport",
    "IOStream": "iostream",
    "Listener": "listener",
    "PipeIOStream": "pipestream",
    "Resolver": "resolver",
    "SSLIOStream": "iostream",
    "StreamBufferFullError": "errors",
    "StreamClosedError": "errors",
    "TCPClient": "tcpclient",
    "TCPServer": "tcpserver",
    "UnsatisfiableReadError": "errors",
    "add_accept_handler": "acceptor",
    "bind_sockets": "address",
    "bind_unix_socket": "address",
    "client_context": "tls",
    "connect_host": "connector",
    "connect_socket": "connector",
    "inherited_sockets": "address",
    "is_valid_ip": "address",
    "server_context": "tls",
    "ssl_options_to_context": "tls",
    "ssl_wrap_socket": "tls",
}

__getattr__, __dir__ = lazy_face(__name__, _NAMES)
