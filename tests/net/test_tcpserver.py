"""Servers of streams: listening, TLS, handlers that fail, processes."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import textwrap
from typing import Any

import pytest

from eyewall.guard.profile import active
from eyewall.loop.gen import coroutine
from eyewall.net.address import bind_sockets
from eyewall.net.errors import StreamClosedError
from eyewall.net.iostream import IOStream, SSLIOStream
from eyewall.net.tcpclient import TCPClient
from eyewall.net.tcpserver import TCPServer
from eyewall.net.tls import TLSConfigError

from ..waiting import until
from .loops import TLS, Run, both_loops, descriptors
from .streams import turns

OPTIONS = {"certfile": str(TLS / "cert.pem"), "keyfile": str(TLS / "key.pem")}


class Echo(TCPServer):
    """Sends lines back, in capitals."""

    seen: list[Any]

    async def handle_stream(self, stream: IOStream, address: tuple[Any, ...]) -> None:
        self.__dict__.setdefault("seen", []).append((stream, address))
        try:
            while True:
                stream.write((await stream.read_until(b"\n")).upper())
        except StreamClosedError:
            pass


def port_of(server: TCPServer) -> int:
    port: int = server.sockets[0].getsockname()[1]
    return port


@both_loops
@pytest.mark.parametrize("options", [None, OPTIONS], ids=["plain", "tls"])
def test_it_serves(run: Run, options: dict[str, str] | None) -> None:
    async def main() -> None:
        before = descriptors()
        server = Echo(ssl_options=options, max_buffer_size=5000, read_chunk_size=100)
        server.listen(0, "127.0.0.1")
        client = TCPClient()
        trusted = None if options is None else {"ca_certs": str(TLS / "cert.pem")}
        stream = await client.connect("localhost", port_of(server), ssl_options=trusted)
        await stream.write(b"hello\n")
        assert await stream.read_until(b"\n") == b"HELLO\n"
        served, address = server.seen[0]
        assert isinstance(served, SSLIOStream) == (options is not None)
        assert (served.max_buffer_size, served.read_chunk_size) == (5000, 100)
        assert address == stream.socket.getsockname()
        server.stop()
        server.stop()
        # What is open goes on.
        await stream.write(b"again\n")
        assert await stream.read_until(b"\n") == b"AGAIN\n"
        stream.close()
        client.close()
        await until(served.closed)
        assert descriptors() == before

    run(main())


@both_loops
@pytest.mark.parametrize("kind", ["native", "coroutine", "plain"])
def test_a_handler_that_fails_is_logged(run: Run, kind: str, caplog: pytest.LogCaptureFixture) -> None:
    class Failing(TCPServer):
        def handle_stream(self, stream: IOStream, address: tuple[Any, ...]) -> Any:
            self.stream = stream
            if kind == "plain":
                raise ZeroDivisionError("on purpose")
            return self.native() if kind == "native" else self.decorated()

        async def native(self) -> None:
            raise ZeroDivisionError("on purpose")

        @coroutine
        def decorated(self) -> Any:
            yield asyncio.sleep(0)
            raise ZeroDivisionError("on purpose")

    async def main() -> None:
        server = Failing()
        server.listen(0, "127.0.0.1")
        stream = IOStream(socket.socket())
        await stream.connect(("127.0.0.1", port_of(server)))
        await until(lambda: "on purpose" in caplog.text)
        assert not server.stream.closed()
        server.stream.close()
        stream.close()
        server.stop()

    run(main())
    said = "Error in connection callback" if kind == "plain" else "Exception in callback"
    assert said in caplog.text


@both_loops
def test_several_sockets_and_bind(run: Run) -> None:
    async def main() -> None:
        server = Echo()
        server.bind(0, "127.0.0.1", backlog=3)
        assert server.sockets == []
        server.start()
        (one,) = bind_sockets(0, "127.0.0.1")
        server.add_socket(one)
        assert len(server.sockets) == 2
        assert server._sockets == {sock.fileno(): sock for sock in server.sockets}
        for sock in server.sockets:
            stream = IOStream(socket.socket())
            await stream.connect(sock.getsockname())
            stream.write(b"x\n")
            assert await stream.read_bytes(2) == b"X\n"
            stream.close()
        server.stop()
        await turns()

    run(main())


@both_loops
def test_a_tls_client_that_is_none(run: Run) -> None:
    async def main() -> None:
        server = Echo(ssl_options=OPTIONS)
        server.listen(0, "127.0.0.1")
        for first in (b"", b"GET / HTTP/1.1\r\n\r\n"):
            stream = IOStream(socket.socket())
            await stream.connect(("127.0.0.1", port_of(server)))
            if first:
                stream.write(first)
                await stream.read_until_close()
            stream.close()
        await until(lambda: len(server.seen) == 2 and all(stream.closed() for stream, _ in server.seen))
        server.stop()

    run(main())


def test_bad_certificates_are_known_at_once() -> None:
    with pytest.raises(TLSConfigError, match="cannot be read"):
        TCPServer(ssl_options={"certfile": "/nowhere.pem"})
    with pytest.raises(KeyError):
        TCPServer(ssl_options={"keyfile": str(TLS / "key.pem")})


def test_who_serves_must_say_how() -> None:
    with pytest.raises(NotImplementedError, match="TCPServer does not handle streams"):
        TCPServer().handle_stream(None, ())  # type: ignore[arg-type]


def test_the_backlog_is_that_of_the_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def bind(port: int, address: Any, family: Any, backlog: int, *rest: Any) -> list[socket.socket]:
        asked.append(backlog)
        return []

    monkeypatch.setattr("eyewall.net.tcpserver.bind_sockets", bind)
    server = TCPServer()
    server.listen(80)
    server.listen(80, backlog=128)
    server.bind(80, backlog=7)
    assert asked == [active().listen_backlog, 128, 7]


def test_processes() -> None:
    program = """
        import asyncio, os, sys
        from eyewall.loop.ioloop import IOLoop
        from eyewall.loop.process import task_id
        from eyewall.net.tcpserver import TCPServer

        server = TCPServer()
        server.bind(0, "127.0.0.1")
        server.start(2)
        assert len(server.sockets) == 1
        IOLoop.current().run_sync(lambda: None)
        os.write(1, str(task_id()).encode())
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, check=True, timeout=60
    )
    assert sorted(done.stdout) == sorted(b"01")
