"""What a connection is good for: the way to a server."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any, NamedTuple

from eyewall.client.contexts import ContextCache
from eyewall.client.login import Login
from eyewall.client.target import Target

if TYPE_CHECKING:
    import ssl


class Proxy(NamedTuple):
    """A proxy, and who asks it."""

    host: str
    port: int
    login: Login | None

    @property
    def place(self) -> str:
        """`host:port`, which is no place of an origin."""
        return _place(self.host, self.port)


class Route(NamedTuple):
    """Requests with equal routes can be made on the same connection.

    `tls` is the context of a TLS connection, None for a plain one. With `tunnel` the connection goes through this
    proxy with CONNECT. `source` is the local IP address.
    """

    host: str
    port: int
    tls: ssl.SSLContext | None = None
    tunnel: Proxy | None = None
    source: str | None = None
    family: socket.AddressFamily = socket.AF_UNSPEC

    @property
    def place(self) -> str:
        """`host:port`, as messages name it."""
        return _place(self.host, self.port)


def _place(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def proxy_of(options: Any) -> Proxy | None:
    """Returns the proxy that the options of a request name, None for none. Raises ValueError."""
    if not options.proxy_host:
        return None
    if not options.proxy_port:
        raise ValueError("a proxy_host needs a proxy_port")
    login = None
    if options.proxy_username is not None:
        mode = options.proxy_auth_mode
        login = Login.of(options.proxy_username, options.proxy_password, mode, "proxy_auth_mode")
    return Proxy(options.proxy_host, options.proxy_port, login)


def route_for(options: Any, target: Target, contexts: ContextCache) -> Route:
    """Returns the way to `target` that the options of a request want. Raises ValueError."""
    tls = contexts.get(options) if target.tls else None
    family = socket.AF_INET if options.allow_ipv6 is False else socket.AF_UNSPEC
    proxy = proxy_of(options)
    if proxy is not None and target.scheme == "http":
        # One connection to a proxy serves all plain hosts.
        return Route(proxy.host, proxy.port, None, None, options.network_interface, family)
    return Route(target.host, target.port, tls, proxy, options.network_interface, family)
