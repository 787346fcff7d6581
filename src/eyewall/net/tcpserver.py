"""`TCPServer`: a stream for each connection that is accepted, handed to a method of a subclass."""

from __future__ import annotations

import asyncio
import socket as socket_module
from collections.abc import Awaitable, Iterable
from typing import TYPE_CHECKING, Any

from eyewall.base.loggers import app_log
from eyewall.guard.profile import active
from eyewall.loop.ioloop import IOLoop
from eyewall.loop.policy import current_loop
from eyewall.loop.yielded import convert_yielded
from eyewall.net.acceptor import Acceptor
from eyewall.net.address import DEFAULT_BACKLOG, bind_sockets
from eyewall.net.tls import ssl_options_to_context

if TYPE_CHECKING:
    import ssl

    from eyewall.net.iostream import IOStream, TLSOptions


class TCPServer:
    """Serves TCP connections: a subclass says how in `handle_stream`.

    `ssl_options`: an `ssl.SSLContext` or a dictionary of TLS options, for a server that speaks TLS.
    `max_buffer_size` and `read_chunk_size`: of the streams (`BaseIOStream`). Raises TLSConfigError.

    To serve from one process, call `listen`. To serve from several, call `bind` and then `start` with their number,
    before there is a loop; or make sockets (`bind_sockets`), fork (`fork_processes`), and call `add_sockets`.
    """

    def __init__(
        self,
        ssl_options: TLSOptions | None = None,
        max_buffer_size: int | None = None,
        read_chunk_size: int | None = None,
    ) -> None:
        self.ssl_options = ssl_options
        self.max_buffer_size = max_buffer_size
        self.read_chunk_size = read_chunk_size
        # Made now, so that a certificate that cannot be used stops the program and not each connection.
        self._tls: ssl.SSLContext | None = None
        if ssl_options is not None:
            self._tls = ssl_options_to_context(ssl_options, server_side=True)
        self._acceptors: list[Acceptor] = []
        self._bound: list[socket_module.socket] = []

    # -- listening --------------------------------------------------------------------------------------

    def listen(
        self,
        port: int,
        address: str | None = None,
        family: socket_module.AddressFamily = socket_module.AF_UNSPEC,
        backlog: int = DEFAULT_BACKLOG,
        flags: int | None = None,
        reuse_port: bool = False,
    ) -> None:
        """Binds `port` and starts accepting; `address`, `family`, `flags` and `reuse_port` are those of
        `bind_sockets`.

        `backlog`: connections that may wait to be accepted, by default what the profile says. May be called more
        than once. Raises OSError where the address cannot be had.
        """
        self.add_sockets(bind_sockets(port, address, family, self._backlog(backlog), flags, reuse_port))

    def bind(
        self,
        port: int,
        address: str | None = None,
        family: socket_module.AddressFamily = socket_module.AF_UNSPEC,
        backlog: int = DEFAULT_BACKLOG,
        flags: int | None = None,
        reuse_port: bool = False,
    ) -> None:
        """Binds `port`, with the arguments of `listen`; `start` starts accepting. `listen` does both."""
        self._bound += bind_sockets(port, address, family, self._backlog(backlog), flags, reuse_port)

    def _backlog(self, stated: int) -> int:
        return active().listen_backlog if stated is DEFAULT_BACKLOG else stated

    def start(self, num_processes: int | None = 1, max_restarts: int | None = None) -> None:
        """Starts accepting on what `bind` bound, in `num_processes` processes (0 or None: one for each core).

        Several processes are forked, which must come before there is a loop; the call returns in each of them, and
        those that crash are started anew, `max_restarts` times at most (100).
        """
        if num_processes != 1:
            # Most programs leave processes to their process manager.
            from eyewall.loop.process import fork_processes

            fork_processes(num_processes, max_restarts)
        sockets, self._bound = self._bound, []
        self.add_sockets(sockets)

    def add_socket(self, socket: socket_module.socket) -> None:
        """Starts accepting on a listening socket."""
        self.add_sockets([socket])

    def add_sockets(self, sockets: Iterable[socket_module.socket]) -> None:
        """Starts accepting on listening sockets, which are the server's from now on."""
        for sock in sockets:
            acceptor = self._acceptor(sock, current_loop())
            acceptor.start()
            self._acceptors.append(acceptor)

    @property
    def sockets(self) -> list[socket_module.socket]:
        """The sockets that it listens on."""
        return [acceptor.sock for acceptor in self._acceptors]

    @property
    def _sockets(self) -> dict[int, socket_module.socket]:
        """The same by file descriptor: where test tools that were written for Tornado look for the port."""
        return {sock.fileno(): sock for sock in self.sockets}

    def stop(self) -> None:
        """Stops listening. Connections that are open go on. May be called again."""
        for acceptor in self._acceptors:
            acceptor.close()
        self._acceptors.clear()

    def _acceptor(self, sock: socket_module.socket, loop: asyncio.AbstractEventLoop) -> Acceptor:
        """Returns what accepts the connections of `sock`."""
        return Acceptor(sock, self._serve, loop=loop)

    # -- serving ----------------------------------------------------------------------------------------

    def handle_stream(self, stream: IOStream, address: tuple[Any, ...]) -> Awaitable[None] | None:
        """A connection was accepted, from `address`. To be overridden; may be a coroutine.

        What it raises is logged, and the stream left as it is. With TLS, the handshake may still be under way.
        """
        raise NotImplementedError(f"{type(self).__name__} does not handle streams")

    def _serve(self, sock: socket_module.socket, address: Any) -> None:
        stream = self._stream(sock)
        if stream is None:
            return
        try:
            outcome = self.handle_stream(stream, address)
            if outcome is not None:
                # Who looks at the result has what it raised logged.
                IOLoop.current().add_future(convert_yielded(outcome), lambda future: future.result())
        except Exception:  # noqa: BLE001 - one connection must not end the accepting of others
            app_log.error("Error in connection callback", exc_info=True)

    def _stream(self, sock: socket_module.socket) -> IOStream | None:
        """Returns a stream over an accepted socket, None where the client has left already."""
        # An HTTPServer, which is a TCPServer, has no use for streams.
        from eyewall.net.iostream import IOStream, SSLIOStream

        options = {"max_buffer_size": self.max_buffer_size, "read_chunk_size": self.read_chunk_size}
        if self._tls is None:
            return IOStream(sock, **options)
        try:
            wrapped = self._tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        except OSError:  # every ssl.SSLError is one, too
            sock.close()
            return None
        return SSLIOStream(wrapped, **options)
