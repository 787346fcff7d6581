"""Accepting connections: limits, TLS, and running out of file descriptors."""

from __future__ import annotations

import asyncio
import errno
import gc
import logging
import socket
import ssl
import subprocess
import sys
import textwrap
import warnings
from typing import Any

import pytest

from eyewall.guard.limits.admission import ConnectionLimit
from eyewall.guard.profile import NATIVE
from eyewall.guard.throttle import LogThrottle
from eyewall.net.acceptor import add_accept_handler
from eyewall.net.listener import Listener
from eyewall.net.tls import client_context, server_context

from ..conftest import LOOP_KINDS
from ..waiting import until
from .loops import TLS, Run, both_loops, descriptors, listening

REFUSAL = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Echo(asyncio.Protocol):
    """Sends back what comes, in capitals, and counts itself."""

    def __init__(self, limit: ConnectionLimit | None = None) -> None:
        self.limit = limit
        self.transport: Any = None
        self.admitted: Any = None
        self.made = 0
        self.lost = 0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.made += 1

    def data_received(self, data: bytes) -> None:
        self.transport.write(data.upper())

    def connection_lost(self, error: BaseException | None) -> None:
        self.lost += 1
        if self.limit is not None:
            self.limit.release(self.admitted)


class Server:
    """A listener with the protocols that it has made."""

    def __init__(self, sock: socket.socket | None = None, profile: Any = NATIVE, **options: Any) -> None:
        self.protocols: list[Echo] = []
        self.sock = listening() if sock is None else sock
        self.address = self.sock.getsockname()
        self.listener = Listener(
            self.sock,
            self.make,
            profile=profile,
            throttle=LogThrottle(logging.getLogger("tornado.general")),
            **options,
        )
        self.limit = options.get("limit")
        self.listener.start()

    def make(self) -> Echo:
        protocol = Echo(self.limit)
        self.protocols.append(protocol)
        return protocol

    async def end(self) -> None:
        self.listener.close()
        await self.listener.wait_opened()
        for protocol in self.protocols:
            if protocol.transport is not None:
                protocol.transport.abort()
        await until(lambda: all(protocol.made == protocol.lost for protocol in self.protocols))


async def ask(address: Any, text: bytes = b"hello", **options: Any) -> bytes:
    """Connects, sends `text`, and returns as many bytes as come back, up to its length."""
    if isinstance(address, tuple):
        reader, writer = await asyncio.open_connection(*address[:2], **options)
    else:
        reader, writer = await asyncio.open_unix_connection(address)
    writer.write(text)
    answer = await reader.read(len(text))
    writer.close()
    try:
        await writer.wait_closed()
    except (OSError, ssl.SSLError):
        pass
    return answer


@both_loops
def test_accepts_and_serves(run: Run) -> None:
    async def main() -> None:
        server = Server()
        answers = await asyncio.gather(*(ask(server.address) for _ in range(50)))
        assert answers == [b"HELLO"] * 50
        assert server.listener.accepted == 50
        await server.listener.wait_opened()
        await server.end()

    run(main())


@both_loops
def test_a_crowd_is_accepted_in_ever_larger_parts_and_one_client_alone(run: Run) -> None:
    class Counted(FakeSocket):
        asked = 0

        def accept(self) -> Any:
            self.asked += 1
            return super().accept()

    async def main() -> None:
        sock: Any = Counted()
        clients = [socket.create_connection(sock.getsockname()) for _ in range(60)]
        server = Server(sock)
        await until(lambda: server.listener.accepted == 60)
        # Four single ones, four pairs, four times 4, and the rest by 8; not all fill their part.
        assert 60 <= sock.asked <= 62
        last = [socket.create_connection(sock.getsockname()) for _ in range(1)]
        await until(lambda: server.listener.accepted == 61)
        tried = sock.asked
        last.append(socket.create_connection(sock.getsockname()))
        await until(lambda: server.listener.accepted == 62)
        # Nobody was there when it was tried before; so it is not tried again now.
        assert sock.asked == tried + 1
        for client in clients + last:
            client.close()
        await server.end()

    run(main())


@both_loops
def test_no_task_is_made_for_a_connection(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_task_factory(refuse_tasks)
        server = Server()
        client = socket.create_connection(server.address)
        client.setblocking(False)
        client.send(b"hello")
        assert await loop.sock_recv(client, 100) == b"HELLO"
        client.close()
        loop.set_task_factory(None)
        await server.end()

    run(main())


def refuse_tasks(loop: Any, coro: Any, **_: Any) -> Any:
    raise AssertionError(f"a task was made of {coro}")


def test_a_loop_of_others_makes_transports_in_a_task() -> None:
    class Loop(asyncio.SelectorEventLoop):
        async def connect_accepted_socket(self, *args: Any, **options: Any) -> Any:
            async with asyncio.timeout(60):  # which there is in tasks only
                return await super().connect_accepted_socket(*args, **options)

    async def main() -> None:
        server = Server()
        assert await ask(server.address) == b"HELLO"
        await server.end()

    with asyncio.Runner(loop_factory=Loop) as runner:
        runner.run(main())


class Leaving(Echo):
    """Does not stay."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        transport.abort()


@both_loops
def test_a_loop_that_ends_before_a_connection_is_made_leaks_nothing(run: Run) -> None:
    clients: list[socket.socket] = []
    made: list[Leaving] = []

    def make() -> Leaving:
        made.append(Leaving())
        return made[0]

    async def main() -> None:
        sock = listening()
        clients.append(socket.create_connection(sock.getsockname()))
        listener = Listener(sock, make, profile=NATIVE)
        # No turn of the loop is left but those in which it shuts down.
        assert listener.accept() == 1
        assert listener.opening == 1
        listener.close()

    before = descriptors()
    run(main())
    clients[0].close()
    assert [protocol.lost for protocol in made] == [1]
    assert descriptors() == before


@both_loops
def test_nagle_is_off(run: Run) -> None:
    async def main() -> None:
        server = Server()
        client = socket.create_connection(server.address)
        await until(lambda: server.protocols and server.protocols[0].made)
        sock = server.protocols[0].transport.get_extra_info("socket")
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        client.close()
        await server.end()

    run(main())


@both_loops
def test_unix_socket(run: Run, tmp_path: Any) -> None:
    async def main() -> None:
        sock = socket.socket(socket.AF_UNIX)
        sock.bind(str(tmp_path / "socket"))
        sock.listen()
        server = Server(sock)
        assert await ask(str(tmp_path / "socket")) == b"HELLO"
        await server.end()

    run(main())


@both_loops
def test_close_frees_the_port_and_keeps_the_connections(run: Run) -> None:
    async def main() -> None:
        server = Server()
        reader, writer = await asyncio.open_connection(*server.address)
        await until(lambda: server.listener.accepted == 1 and server.listener.opening == 0)
        server.listener.close()
        server.listener.close()
        again = socket.socket()
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind(server.address)
        again.close()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(*server.address)
        writer.write(b"still here")
        assert await reader.read(100) == b"STILL HERE"
        writer.close()
        with pytest.raises(RuntimeError, match="closed"):
            server.listener.start()
        await server.end()

    run(main())


@both_loops
def test_sweep_takes_what_waits(run: Run) -> None:
    async def main() -> None:
        server = Server()
        server.listener.pause()
        clients = [socket.create_connection(server.address) for _ in range(40)]
        server.listener.close(sweep=100)
        await server.listener.wait_opened()
        assert len(server.protocols) == 40
        for client in clients:
            client.close()
        await server.end()

    run(main())


@both_loops
def test_pause_and_resume(run: Run) -> None:
    async def main() -> None:
        server = Server()
        server.listener.pause()
        server.listener.pause()
        client = socket.create_connection(server.address)
        for _ in range(20):
            await asyncio.sleep(0)
        assert server.listener.accepted == 0
        server.listener.resume()
        await until(lambda: server.listener.accepted == 1)
        client.close()
        await server.end()

    run(main())


@both_loops
def test_clients_above_the_limit_are_told_so(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        limit = ConnectionLimit(2)
        server = Server(limit=limit, refusal=REFUSAL)
        kept = [await asyncio.open_connection(*server.address) for _ in range(2)]
        await until(lambda: limit.open == 2)
        for _ in range(3):
            # The request is sent before the answer is read, as clients do: no reset may lose the answer.
            reader, writer = await asyncio.open_connection(*server.address)
            writer.write(b"GET / HTTP/1.1\r\n\r\n")
            assert await reader.read() == REFUSAL
            writer.close()
        assert server.listener.refused == 3
        kept[0][1].close()
        await until(lambda: limit.open == 1)
        assert await ask(server.address) == b"HELLO"
        kept[1][1].close()
        await server.end()
        assert limit.open == 0

    before = descriptors()
    run(main())
    assert descriptors() == before
    assert len([record for record in caplog.records if "limit" in record.message]) == 1


@both_loops
def test_a_crowd_does_not_slip_past_the_limit(run: Run) -> None:
    """Connections that are accepted and not made yet count."""

    async def main() -> None:
        limit = ConnectionLimit(3)
        server = Server(limit=limit)
        server.listener.pause()
        clients = [socket.create_connection(server.address) for _ in range(12)]
        server.listener.resume()
        await until(lambda: server.listener.accepted + server.listener.refused == 12)
        assert server.listener.accepted == 3
        for client in clients:
            client.close()
        await server.end()

    run(main())


@both_loops
def test_no_more_refused_clients_linger_than_allowed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eyewall.net.listener._LINGERING", 2)

    async def main() -> None:
        limit = ConnectionLimit(1)
        server = Server(limit=limit, refusal=REFUSAL)
        clients = [socket.create_connection(server.address) for _ in range(9)]
        await until(lambda: server.listener.refused == 8)
        assert len(server.listener._lingering) == 2
        for client in clients:
            client.close()
        await server.end()

    run(main())


@both_loops
def test_a_lingering_client_is_dismissed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eyewall.net.listener._LINGER_TIME", 0.01)

    async def main() -> None:
        server = Server(limit=ConnectionLimit(1), refusal=REFUSAL)
        first = socket.create_connection(server.address)
        second = socket.create_connection(server.address)
        await until(lambda: server.listener.refused == 1)
        second.sendall(b"x" * 1000)
        await until(lambda: not server.listener._lingering)
        second.setblocking(False)
        assert second.recv(1000) == REFUSAL
        first.close()
        second.close()
        await server.end()

    run(main())


@both_loops
def test_a_broken_factory_costs_one_connection(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        def broken() -> Echo:
            raise RuntimeError("broken factory")

        server = Server()
        server.listener._factory = broken
        client = socket.create_connection(server.address)
        await until(lambda: server.listener.failed == 1)
        assert client.recv(1) == b""
        client.close()
        server.listener._factory = server.make
        assert await ask(server.address) == b"HELLO"
        await server.end()

    run(main())
    assert "broken factory" in caplog.text


class FakeSocket:
    """A listening socket whose `accept` fails as told, and then waits."""

    family = socket.AF_INET

    def __init__(self, *errors: int) -> None:
        self.errors = list(errors)
        self.real = listening()

    def setblocking(self, flag: bool) -> None:
        self.real.setblocking(flag)

    def setsockopt(self, *options: int) -> None:
        self.real.setsockopt(*options)

    def fileno(self) -> int:
        return self.real.fileno()

    def getsockname(self) -> Any:
        return self.real.getsockname()

    def accept(self) -> Any:
        if self.errors:
            raise OSError(self.errors.pop(0), "made up")
        return self.real.accept()

    def close(self) -> None:
        self.real.close()


@both_loops
def test_clients_that_have_left_are_ignored(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        sock: Any = FakeSocket(errno.ECONNABORTED, errno.EPROTO, errno.EPERM, errno.ENETUNREACH)
        server = Server(sock)
        assert await ask(server.address) == b"HELLO"
        await server.end()

    run(main())
    assert caplog.records == []


@both_loops
@pytest.mark.parametrize("code", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM])
def test_exhaustion_pauses_and_resumes(
    run: Run, code: int, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eyewall.net.acceptor._FIRST_PAUSE", 0.001)
    monkeypatch.setattr("eyewall.net.acceptor._LONGEST_PAUSE", 0.002)

    async def main() -> None:
        sock: Any = FakeSocket(*[code] * 1_000_000)
        server = Server(sock)
        client = socket.create_connection(server.address)
        await until(lambda: server.listener.starved)
        server.listener.pause()
        server.listener.resume()
        assert server.listener.starved
        await until(lambda: len(sock.errors) < 999_995)
        assert server.listener.accepted == 0
        sock.errors.clear()
        await until(lambda: server.listener.accepted == 1)
        assert not server.listener.starved
        client.close()
        await server.end()

    run(main())
    assert len(caplog.records) == 1
    assert "out of resources" in caplog.text


@both_loops
def test_closing_while_starved(run: Run) -> None:
    async def main() -> None:
        sock: Any = FakeSocket(*[errno.EMFILE] * 100)
        server = Server(sock)
        client = socket.create_connection(server.address)
        await until(lambda: server.listener.starved)
        server.listener.close(sweep=100)
        assert not server.listener.starved
        client.close()

    run(main())


@both_loops
def test_a_socket_closed_by_somebody_else_is_no_busy_loop(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        sock: Any = FakeSocket(*[errno.EINVAL] * 100)
        server = Server(sock)
        client = socket.create_connection(server.address)
        await until(lambda: caplog.records)
        for _ in range(20):
            await asyncio.sleep(0)
        assert len(sock.errors) == 99
        client.close()
        await server.end()

    run(main())
    assert len(caplog.records) == 1


EXHAUSTED = """
import asyncio, logging, os, resource, socket, sys, time
from eyewall.guard.profile import NATIVE
from eyewall.net.listener import Listener

lines = []
handler = logging.Handler()
handler.emit = lambda record: lines.append(record.getMessage())
logging.getLogger("tornado.general").addHandler(handler)

class Echo(asyncio.Protocol):
    made = 0
    def connection_made(self, transport):
        self.transport = transport
        Echo.made += 1
    def data_received(self, data):
        self.transport.write(data.upper())

def client(address, pipe):
    socks = []
    for _ in range(40):
        sock = socket.socket()
        sock.settimeout(10)
        sock.connect(address)
        socks.append(sock)
    os.read(pipe, 1)   # the server is out of descriptors
    socks[0].sendall(b"first")
    assert socks[0].recv(10) == b"FIRST", "an accepted connection is affected"
    for sock in socks[:20]:
        sock.close()
    for sock in socks[20:]:
        sock.sendall(b"late")
        assert sock.recv(10) == b"LATE", "a waiting client was not served"
    os._exit(0)

async def main():
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    sock.listen(100)
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        client(sock.getsockname(), reading)
    listener = Listener(sock, Echo, profile=NATIVE)
    await asyncio.sleep(0)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) - 1 + 27, 1000))
    listener.start()
    while not (listener.starved and Echo.made == listener.accepted):
        await asyncio.sleep(0.01)
    await listener.wait_opened()
    with open(os.devnull):
        pass   # those who are connected can still be served
    accepted, began = Echo.made, time.process_time()
    await asyncio.sleep(0.5)
    spent = time.process_time() - began
    assert Echo.made == accepted >= 10, (Echo.made, accepted)
    assert spent < 0.1, f"busy loop: {spent}"
    assert len(lines) == 1, lines
    os.write(writing, b"x")
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            break
        await asyncio.sleep(0.01)
    assert status == 0, status
    assert Echo.made == 40, Echo.made
    assert len(lines) == 1, lines
    listener.close()
    print("served")

if sys.argv[1] == "uvloop":
    import uvloop
    uvloop.run(main())
else:
    asyncio.run(main())
"""


@pytest.mark.parametrize("loop", LOOP_KINDS)
def test_out_of_file_descriptors(loop: str) -> None:
    """The real thing, in a process of its own: nobody is dropped, nothing spins, one line is logged."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(EXHAUSTED), loop],
        capture_output=True,
        text=True,
        timeout=50,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    assert done.stdout.strip() == "served", done.stderr


@both_loops
def test_tls_with_alpn(run: Run) -> None:
    async def main() -> None:
        server = Server(ssl=server_context(TLS / "cert.pem", TLS / "key.pem"))
        context = client_context(ca_certs=TLS / "cert.pem", alpn=["h2", "http/1.1"])
        assert await ask(server.address, ssl=context, server_hostname="localhost") == b"HELLO"
        chosen = server.protocols[0].transport.get_extra_info("ssl_object").selected_alpn_protocol()
        assert chosen == "http/1.1"
        await server.end()

    run(main())


def quiet_loop() -> list[dict[str, Any]]:
    reported: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    return reported


@both_loops
@pytest.mark.parametrize("text", [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01" + b"\xff" * 200, b""])
def test_failed_handshakes_cost_one_log_line(run: Run, text: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        reported = quiet_loop()
        limit = ConnectionLimit(4)
        server = Server(ssl=server_context(TLS / "cert.pem", TLS / "key.pem"), limit=limit)
        for count in range(1, 6):
            client = socket.create_connection(server.address)
            client.sendall(text)
            if not text:
                client.close()
            await until(lambda count=count: server.listener.failed == count)  # type: ignore[misc]
            client.close()
        await server.listener.wait_opened()
        assert server.listener.opening == 0
        context = client_context(ca_certs=TLS / "cert.pem")
        assert await ask(server.address, ssl=context, server_hostname="localhost") == b"HELLO"
        await server.end()
        assert limit.open == 0
        assert reported == []

    with caplog.at_level(logging.WARNING):
        before = descriptors()
        run(main())
        assert descriptors() == before
    assert len(caplog.records) == 1, caplog.text
    assert "SSL Error: the TLS handshake with 127.0.0.1 failed" in caplog.text
    assert "Traceback" not in caplog.text


@both_loops
def test_a_stalled_handshake_is_cut_off(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        reported = quiet_loop()
        server = Server(
            ssl=server_context(TLS / "cert.pem", TLS / "key.pem"),
            profile=NATIVE.replace(tls_handshake_timeout=0.05),
        )
        client = socket.create_connection(server.address)
        client.sendall(b"\x16\x03\x01")
        await until(lambda: server.listener.opening == 1)
        await until(lambda: server.listener.failed == 1)
        loop = asyncio.get_running_loop()
        client.setblocking(False)
        assert await loop.sock_recv(client, 100) == b""
        client.close()
        await server.end()
        assert reported == []

    before = descriptors()
    run(main())
    assert descriptors() == before
    assert len(caplog.records) == 1


@both_loops
def test_tls_clients_above_the_limit_are_just_closed(run: Run) -> None:
    async def main() -> None:
        limit = ConnectionLimit(1)
        server = Server(ssl=server_context(TLS / "cert.pem", TLS / "key.pem"), limit=limit, refusal=REFUSAL)
        context = client_context(ca_certs=TLS / "cert.pem")
        _, writer = await asyncio.open_connection(*server.address, ssl=context, server_hostname="localhost")
        client = socket.create_connection(server.address)
        client.setblocking(False)
        assert await asyncio.get_running_loop().sock_recv(client, 100) == b""
        client.close()
        writer.close()
        await server.end()

    run(main())


@both_loops
def test_shutting_the_loop_down_in_the_middle_leaks_nothing(run: Run) -> None:
    clients: list[socket.socket] = []

    async def main() -> None:
        server = Server(ssl=server_context(TLS / "cert.pem", TLS / "key.pem"))
        clients.extend(socket.create_connection(server.address) for _ in range(5))
        await until(lambda: server.listener.opening == 5)
        server.listener.close()

    before = descriptors()
    run(main())
    for client in clients:
        client.close()
    assert descriptors() == before


def test_the_loop_may_be_given() -> None:
    loop = asyncio.new_event_loop()
    listener = Listener(listening(), asyncio.Protocol, profile=NATIVE, loop=loop)
    assert listener.loop is loop
    listener.close()
    loop.close()


@both_loops
def test_add_accept_handler(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        sock = listening()
        taken: list[tuple[socket.socket, Any]] = []

        def take(connection: socket.socket, address: Any) -> None:
            taken.append((connection, address))
            if len(taken) == 2:
                raise RuntimeError("broken callback")
            if len(taken) == 3:
                remove()

        remove = add_accept_handler(sock, take)
        clients = [socket.create_connection(sock.getsockname()) for _ in range(4)]
        await until(lambda: len(taken) == 3)
        for _ in range(20):
            await asyncio.sleep(0)
        assert len(taken) == 3
        assert [address for _, address in taken] == [client.getsockname() for client in clients[:3]]
        assert taken[0][0].gettimeout() == 0.0
        assert taken[1][0].fileno() == -1
        assert sock.fileno() != -1
        remove()
        for each in (*clients, *(connection for connection, _ in taken), sock):
            each.close()

    run(main())
    assert "broken callback" in caplog.text


def connect_from(address: str, to: Any) -> socket.socket:
    client = socket.create_connection(to, source_address=(address, 0))
    client.setblocking(False)
    return client


@both_loops
def test_connections_are_counted_by_address(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        limit = ConnectionLimit(per_address=2)
        server = Server(limit=limit, refusal=REFUSAL, counted_by=lambda address: address[0])
        loop = asyncio.get_running_loop()
        kept = [connect_from("127.0.0.2", server.address) for _ in range(2)]
        await until(lambda: limit.of("127.0.0.2") == 2)
        for _ in range(3):
            refused = connect_from("127.0.0.2", server.address)
            assert await loop.sock_recv(refused, 1000) == REFUSAL
            refused.close()
        others = [connect_from("127.0.0.3", server.address) for _ in range(2)]
        await until(lambda: limit.open == 4)
        kept.pop().close()
        await until(lambda: limit.of("127.0.0.2") == 1)
        kept.append(connect_from("127.0.0.2", server.address))
        await until(lambda: limit.of("127.0.0.2") == 2)
        for client in (*kept, *others):
            client.close()
        await server.end()
        assert limit.open == 0
        assert limit.state()["addresses"] == 0

    before = descriptors()
    run(main())
    assert descriptors() == before
    assert [record.getMessage() for record in caplog.records] == [
        "More connections of one client than the limit allows: refusing 127.0.0.2 (connections_per_address=2)"
    ]


@both_loops
def test_a_handshake_that_fails_gives_its_address_back(run: Run) -> None:
    async def main() -> None:
        limit = ConnectionLimit(per_address=1)
        server = Server(
            ssl=server_context(TLS / "cert.pem", TLS / "key.pem"),
            limit=limit,
            counted_by=lambda address: address[0],
        )
        for count in range(1, 4):
            client = socket.create_connection(server.address)
            client.sendall(b"GET / HTTP/1.1\r\n\r\n")
            await until(lambda count=count: server.listener.failed == count)  # type: ignore[misc]
            client.close()
        assert limit.state()["addresses"] == limit.open == 0
        await server.end()

    run(main())


@both_loops
@pytest.mark.parametrize("count", [0, 50_000])
def test_what_the_kernel_keeps_is_bounded(run: Run, count: int) -> None:
    """Accepted connections have it from the socket that listens; what is more waits in the process."""

    async def main() -> None:
        server = Server(profile=NATIVE.replace(write_kernel_bytes=count))
        client = socket.create_connection(server.address)
        await until(lambda: server.protocols and server.protocols[0].made)
        sock = server.protocols[0].transport.get_extra_info("socket")
        # 0 is the kernel's own.
        stated = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT)
        client.close()
        await server.end()
        assert stated == count

    run(main())


@both_loops
@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("moment", range(6))
def test_a_connection_that_the_end_of_the_loop_meets_is_closed(run: Run, moment: int, tls: bool) -> None:
    """Whether the loop ends before the connection is accepted, while it is made, or while TLS is agreed on."""

    class Brief(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            # What is made is the protocol's to close.
            transport.abort()  # type: ignore[attr-defined]

    client = socket.socket()
    client.setblocking(False)

    async def main() -> None:
        sock = listening()
        context = server_context(TLS / "cert.pem", TLS / "key.pem") if tls else None
        listener = Listener(sock, Brief, profile=NATIVE, ssl=context)
        listener.start()
        client.connect_ex(sock.getsockname())
        for _ in range(moment):
            await asyncio.sleep(0)
        listener.close()

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run(main())
        gc.collect()
    client.setblocking(True)
    client.settimeout(10)
    try:
        # Closed by the server: with an end, or, where nobody had accepted it, with a reset.
        assert client.recv(1) == b""
    except ConnectionError:
        pass
    client.close()
    assert [each.message for each in caught] == []
