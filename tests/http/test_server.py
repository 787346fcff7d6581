"""The server over real sockets, on loops of both kinds."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from eyewall.guard.profile import NATIVE, TORNADO, Profile
from eyewall.http.delegates import CallbackApp, DelegateApp, HTTPServerConnectionDelegate
from eyewall.http.errors import RemoteProtocolError
from eyewall.http.exchange import Exchange
from eyewall.http.h1.engine import H1Engine
from eyewall.http.proxy import Trust
from eyewall.http.server import HTTPServer, app_of
from eyewall.net.errors import StreamClosedError
from eyewall.web.application import Application

from ..net.loops import TLS, Run, both_loops, descriptors
from .h1.refused import CASES, Refused
from .wire import App, Sink, answer, chunked, get, later, post, responses


@contextlib.asynccontextmanager
async def serving(app: Any = None, **options: Any) -> AsyncIterator[tuple[HTTPServer, int]]:
    server = HTTPServer(App() if app is None else app, **options)
    server.listen(0, "127.0.0.1")
    try:
        yield server, server.sockets[0].getsockname()[1]
    finally:
        await server.drain(5)
        assert not server.connections
        assert server.limit.open == 0


class Peer:
    """A client that says what it likes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.heard = b""

    @classmethod
    async def at(cls, port: int, data: bytes = b"", **options: Any) -> Peer:
        peer = cls(*await asyncio.open_connection("127.0.0.1", port, **options))
        peer.writer.write(data)
        return peer

    async def answers(self, count: int) -> list[Any]:
        """The next `count` responses."""
        while True:
            found = responses(self.heard)
            if len(found) >= count and found[count - 1].complete:
                assert len(found) == count
                self.heard = b""
                return found
            data = await self.reader.read(65536)
            assert data, f"the server closed the connection after {self.heard!r}"
            self.heard += data

    async def until(self, end: bytes) -> bytes:
        """What comes up to and including `end`."""
        return await self.reader.readuntil(end)

    async def rest(self) -> bytes:
        """All that comes until the server closes."""
        return self.heard + await self.reader.read()

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await self.writer.wait_closed()


# -- requests -------------------------------------------------------------------------------------------


@both_loops
def test_requests(run: Run) -> None:
    async def main() -> None:
        async with serving() as (_, port):
            peer = await Peer.at(port, get("/a"))
            assert [found.body for found in await peer.answers(1)] == [b"/a"]
            peer.writer.write(post(b"x" * 100_000, "/b") + chunked(b"y" * 1000, "/c") + get("/d") * 50)
            assert [found.body for found in await peer.answers(52)] == [b"/b", b"/c", *([b"/d"] * 50)]
            peer.writer.write(get("/e", "Connection: close"))
            assert responses(await peer.rest())[0].body == b"/e"
            await peer.close()

    run(main())


@both_loops
def test_many_pipelined_requests_that_are_answered_later(run: Run) -> None:
    async def main() -> None:
        async def soon(sink: Sink) -> None:
            await asyncio.sleep(0)
            answer(sink)

        tasks: set[asyncio.Task[None]] = set()
        async with serving(App(lambda sink: tasks.add(asyncio.ensure_future(soon(sink))))) as (_, port):
            peer = await Peer.at(port, b"".join(get(f"/{number}") for number in range(150)))
            found = await peer.answers(150)
            assert [each.body for each in found] == [b"/%d" % number for number in range(150)]
            await peer.close()

    run(main())


@both_loops
def test_a_large_answer_and_a_slow_reader(run: Run) -> None:
    async def main() -> None:
        async def stream(sink: Sink) -> None:
            await sink.exchange.start(200, "OK", b"", -1, b"")
            for _ in range(400):
                await sink.exchange.write(b"x" * 10_000)
            sink.exchange.finish()

        tasks: set[asyncio.Task[None]] = set()
        async with serving(App(lambda sink: tasks.add(asyncio.ensure_future(stream(sink))))) as (_, port):
            peer = await Peer.at(port, get("/", "Connection: close"), limit=1000)
            found = responses(await peer.rest())
            assert len(found[0].body) == 4_000_000
            assert found[0].complete
            await peer.close()

    run(main())


@both_loops
def test_a_client_that_has_said_all_is_answered(run: Run) -> None:
    async def main() -> None:
        async with serving() as (_, port):
            peer = await Peer.at(port, get())
            peer.writer.write_eof()
            assert responses(await peer.rest())[0].status == 200
            await peer.close()

    run(main())


# -- bad clients ----------------------------------------------------------------------------------------

SMUGGLERS = [
    case
    for case in CASES
    if case.name
    in (
        "coding: with a length",
        "coding: behind a length",
        "coding: repeated",
        "coding: chunked twice",
        "coding: identity",
        "coding: non-breaking space behind",
        "coding: vertical tab before",
        "coding: HTTP/1.0",
        "length: signed",
        "length: repeated, different",
        "length: list of different ones",
        "field: folded",
        "field: space before the colon",
        "field: LF",
        "field: CR",
        "field: NUL",
        "field: Host again",
        "chunk: LF behind the size",
        "chunk: overflows",
        "chunk: extension with a LF",
        "chunk: trailer Content-Length",
        "chunk: a request for trailers",
        "line: NUL in the target",
        "line: preface of HTTP/2",
        "line: TLS",
        "line: authority that is not the Host",
    )
]


@both_loops
@pytest.mark.parametrize("profile", [NATIVE, TORNADO], ids=["native", "tornado"])
def test_smugglers_get_one_answer_and_the_door(run: Run, profile: Profile) -> None:
    async def one(case: Refused, server: HTTPServer, port: int) -> None:
        before = server.malformed
        peer = await Peer.at(port, case.data + get("/smuggled") * 3)
        heard = await peer.rest()
        status = (case.native if profile is NATIVE else 400) or 0
        assert heard.startswith(b"HTTP/1.1 %d " % status), case
        assert heard.count(b"HTTP/1.1 ") == 1, case
        if profile is NATIVE:
            assert responses(heard)[0].complete, case
        assert server.malformed == before + 1, case
        await peer.close()

    async def main() -> None:
        assert len(SMUGGLERS) == 26
        app = App()
        async with serving(app, profile=profile) as (server, port):
            for case in SMUGGLERS:
                # What Tornado's profile takes is no smuggler there.
                if profile is NATIVE or case.tornado is not None:
                    await one(case, server, port)
            assert all("end" not in sink.told for sink in app.sinks)

    run(main())


@both_loops
def test_who_sends_much_hears_why_it_is_not_wanted(run: Run) -> None:
    """A close with unread bytes resets the connection, and the client would lose the answer."""

    async def main() -> None:
        async with serving(profile=NATIVE.replace(body_bytes=1000)) as (_, port):
            peer = await Peer.at(port, get("/", "Content-Length: 5000000", method="POST") + b"x" * 5_000_000)
            found = responses(await peer.rest())
            assert [each.status for each in found] == [413]
            assert found[0].complete
            await peer.close()
            early = App(on_begin=lambda sink: answer(sink, b"no, thank you"))
            async with serving(early) as (_, other):
                peer = await Peer.at(
                    other, get("/", "Content-Length: 5000000", method="POST") + b"x" * 5_000_000
                )
                assert responses(await peer.rest())[0].body == b"no, thank you"
                await peer.close()

    run(main())


@both_loops
def test_a_client_that_trickles_is_cut_off_while_others_are_served(run: Run) -> None:
    async def main() -> None:
        async with serving(profile=NATIVE.replace(head_timeout=0.5)) as (server, port):
            trickling, other = await Peer.at(port, b"GET / HTTP/1.1\r\nX: "), await Peer.at(port)
            closed = asyncio.ensure_future(trickling.reader.read())
            served = 0
            # The others' requests are the clock: a byte of the one with each of theirs.
            while not closed.done():
                other.writer.write(get(f"/{served}"))
                (found,) = await other.answers(1)
                assert found.body == b"/%d" % served
                served += 1
                if served < 60_000:
                    trickling.writer.write(b"x")
            found = responses(await closed)
            assert [each.status for each in found] == [408]
            assert server.malformed == 1
            assert served > 10
            await trickling.close()
            await other.close()

    run(main())


@both_loops
def test_clients_that_vanish_leave_nothing_behind(run: Run) -> None:
    async def main() -> None:
        closed = 0

        def count(sink: Sink) -> None:
            nonlocal closed
            closed += 1

        app = App(later, on_closed=count)
        async with serving(app) as (server, port):
            peer = await Peer.at(port)
            await peer.close()
            before = descriptors()
            begun = [get("/"), get("/", "Content-Length: 5", method="POST") + b"he"]
            socks = []
            for data in (b"", b"GET /", *begun):
                for _ in range(10):
                    socks.append(socket.create_connection(("127.0.0.1", port)))
                    socks[-1].sendall(data)
            while len(server.connections) < 40 or len(app.sinks) < 20:
                await asyncio.sleep(0)
            for sock in socks:
                # To linger for no time is to reset the connection.
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                sock.close()
            while server.connections:
                await asyncio.sleep(0)
            assert closed == len(app.sinks) == 20
            assert descriptors() <= before
        assert descriptors() < before

    run(main())


@both_loops
def test_clients_that_vanish_in_the_middle_of_a_write_leave_nothing_behind(run: Run) -> None:
    size = 8 * 1024 * 1024
    failed: list[BaseException | None] = []

    def begin(sink: Sink) -> None:
        # More than any buffer takes: the rest waits when the client leaves.
        writing = sink.exchange.start(200, "OK", b"", 2 * size, bytes(size))
        writing.add_done_callback(lambda done: failed.append(done.exception()))

    async def main() -> None:
        app = App(begin)
        async with serving(app) as (server, port):
            before = descriptors()
            socks = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
            for number, sock in enumerate(socks):
                sock.sendall(get("/"))
                while len(app.sinks) <= number or not app.sinks[number].exchange.started:
                    await asyncio.sleep(0)
            assert all(connection.waiting() for connection in server.connections)
            for number, sock in enumerate(socks):
                if number % 2:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                sock.close()
            while server.connections or len(failed) < 20:
                await asyncio.sleep(0)
            assert all(isinstance(error, StreamClosedError) for error in failed), failed
            assert descriptors() <= before

    run(main())


# -- limits and ends ------------------------------------------------------------------------------------


@both_loops
@pytest.mark.parametrize("upgrading", [False, True])
def test_connections_of_one_address_are_limited(run: Run, upgrading: bool) -> None:
    class Upgrading:
        def begin(self, exchange: Exchange) -> Any:
            self.exchange = exchange
            return self

        def end(self) -> None:
            self.protocol = Taker()
            self.exchange.upgrade(self.protocol, b"")

        def closed(self) -> None: ...

    class Taker:
        release: Any = None

        def connection_made(self, transport: Any) -> None: ...

        def data_received(self, data: bytes) -> None: ...

        def eof_received(self) -> None: ...

        def pause_writing(self) -> None: ...

        def go_away(self) -> None: ...

        abort = go_away

        def connection_lost(self, error: Any) -> None:
            self.release()

    async def main() -> None:
        options: dict[str, Any] = {"profile": NATIVE.replace(connections_per_address=1)}
        if upgrading:
            options["app"] = Upgrading()
        async with serving(**options) as (server, port):
            for _ in range(3):
                peer = await Peer.at(port, get())
                await (peer.until(b"\r\n\r\n") if upgrading else peer.answers(1))
                assert server.limit.of("127.0.0.1") == 1
                refused = await Peer.at(port)
                raw = await refused.rest()
                assert raw.startswith(b"HTTP/1.1 503 ")
                assert b"\r\nRetry-After: 1\r\n" in raw
                await refused.close()
                await peer.close()
                while server.limit.open:
                    await asyncio.sleep(0)
            assert server.limit.of("127.0.0.1") == 0
            # All connections are a proxy's where there is one.
            server.trust = Trust()
            peers = [await Peer.at(port, get()) for _ in range(2)]
            for peer in peers:
                await (peer.until(b"\r\n\r\n") if upgrading else peer.answers(1))
                await peer.close()

    run(main())


@both_loops
def test_more_connections_than_allowed_are_refused(run: Run) -> None:
    async def main() -> None:
        async with serving(profile=NATIVE.replace(connections=2)) as (server, port):
            peers = [await Peer.at(port, get()), await Peer.at(port, get())]
            for peer in peers:
                await peer.answers(1)
            assert server.limit.open == 2
            refused = await Peer.at(port)
            assert responses(await refused.rest())[0].status == 503
            await refused.close()
            for _ in range(5):
                await peers.pop().close()
                while server.limit.open == 2:
                    await asyncio.sleep(0)
                peers.append(await Peer.at(port, get()))
                await peers[-1].answers(1)
            assert server.limit.open == 2
            for peer in peers:
                await peer.close()

    run(main())


@both_loops
def test_what_is_begun_is_finished_by_a_drain(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eyewall.http.server._FIRST_REQUEST_GRACE", 0.0)

    async def main() -> None:
        app = App(later)
        server = HTTPServer(app)
        server.listen(0, "127.0.0.1")
        port = server.sockets[0].getsockname()[1]
        idle, busy = await Peer.at(port), await Peer.at(port, get("/slow"))
        while not app.sinks:
            await asyncio.sleep(0)
        draining = asyncio.ensure_future(server.drain(10))
        assert await idle.rest() == b""
        with pytest.raises(OSError):
            await Peer.at(port)
        answer(app.sinks[0])
        (found,) = responses(await busy.rest())
        assert found.body == b"/slow"
        assert found.fields["Connection"] == "close"
        assert await draining == 0
        await idle.close()
        await busy.close()

    run(main())


@both_loops
def test_a_drain_can_be_cancelled_at_any_time(run: Run) -> None:
    async def main() -> None:
        for turns in range(20):
            app = App(later)
            server = HTTPServer(app)
            server.listen(0, "127.0.0.1")
            busy = await Peer.at(server.sockets[0].getsockname()[1], get("/slow"))
            while not app.sinks:
                await asyncio.sleep(0)
            draining = asyncio.ensure_future(server.drain(10))
            for _ in range(turns):
                await asyncio.sleep(0)
            draining.cancel()
            await asyncio.wait([draining])
            assert draining.cancelled(), turns
            server.stop()
            await server.close_all_connections()
            await busy.close()

    run(main())


@both_loops
def test_stopping_leaves_open_connections_alone(run: Run) -> None:
    async def main() -> None:
        async with serving() as (server, port):
            peer = await Peer.at(port, get("/a"))
            await peer.answers(1)
            server.stop()
            assert server.sockets == []
            with pytest.raises(OSError):
                await Peer.at(port)
            peer.writer.write(get("/b"))
            assert [found.body for found in await peer.answers(1)] == [b"/b"]
            await peer.close()

    run(main())


@both_loops
def test_all_connections_can_be_closed(run: Run) -> None:
    async def main() -> None:
        async with serving() as (server, port):
            peer = await Peer.at(port, get("/a"))
            await peer.answers(1)
            await server.close_all_connections()
            assert await peer.rest() == b""
            await peer.close()

    run(main())


@both_loops
def test_without_keep_alive(run: Run) -> None:
    async def main() -> None:
        async with serving(no_keep_alive=True) as (_, port):
            peer = await Peer.at(port, get("/a") + get("/b"))
            (found,) = responses(await peer.rest())
            assert (found.body, found.fields["Connection"]) == (b"/a", "close")
            await peer.close()

    run(main())


@both_loops
def test_binding_and_starting(run: Run) -> None:
    async def main() -> None:
        server = HTTPServer(App())
        server.bind(0, "127.0.0.1")
        assert server.sockets == []
        server.start()
        (sock,) = server.sockets
        peer = await Peer.at(sock.getsockname()[1], get("/a"))
        await peer.answers(1)
        await peer.close()
        await server.drain(5)

    run(main())


def backlog_of(sock: socket.socket) -> int:
    """How many connections may wait at a listening socket: what tcp(7) has no word for, `tcpi_sacked` of TCP_INFO."""
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 32)
    return int.from_bytes(info[28:32], sys.byteorder)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks Linux")
@pytest.mark.parametrize(
    ("profile", "stated", "expected"),
    [
        (NATIVE.replace(listen_backlog=77), {}, 77),
        (NATIVE, {}, NATIVE.listen_backlog),
        (TORNADO, {}, 128),
        (NATIVE, {"backlog": 128}, 128),
        (NATIVE, {"backlog": 7}, 7),
    ],
)
def test_the_backlog_is_the_profiles_unless_it_is_stated(
    profile: Profile, stated: dict[str, Any], expected: int
) -> None:
    async def main() -> None:
        listening = HTTPServer(App(), profile=profile)
        listening.listen(0, "127.0.0.1", **stated)
        bound = HTTPServer(App(), profile=profile)
        bound.bind(0, "127.0.0.1", **stated)
        bound.start()
        application = Application(profile=profile).listen(0, "127.0.0.1", **stated)
        for server in (listening, bound, application):
            assert backlog_of(server.sockets[0]) == expected
            server.stop()

    asyncio.run(main())


@both_loops
def test_a_unix_socket(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(str(tmp_path / "socket"))
            sock.listen(5)
            app = App()
            server = HTTPServer(app)
            server.add_socket(sock)
            peer = Peer(*await asyncio.open_unix_connection(str(tmp_path / "socket")))
            peer.writer.write(get("/a"))
            await peer.answers(1)
            assert app.sinks[0].exchange.carrier.remote_ip == "127.0.0.1"
            await peer.close()
            await server.drain(5)

    run(main())


@both_loops
def test_tls(run: Run) -> None:
    async def main() -> None:
        trust = ssl.create_default_context(cafile=str(TLS / "cert.pem"))
        keys = {"certfile": str(TLS / "cert.pem"), "keyfile": str(TLS / "key.pem")}
        app = App()
        async with serving(app, ssl_options=keys) as (server, port):
            options: dict[str, Any] = {"ssl": trust, "server_hostname": "localhost"}
            peer = await Peer.at(port, get("/a") + post(b"x" * 100_000, "/b"), **options)
            assert [found.body for found in await peer.answers(2)] == [b"/a", b"/b"]
            assert app.sinks[0].exchange.carrier.protocol == "https"
            peer.writer.write(get("/c", "Connection: close"))
            assert responses(await peer.rest())[0].body == b"/c"
            await peer.close()
            peer = await Peer.at(port, b"GET / HTTP/1.1\r\nHost : a\r\n\r\n" + get("/smuggled"), **options)
            assert [found.status for found in responses(await peer.rest())] == [400]
            await peer.close()
            # Plain text at a TLS port gets no HTTP.
            peer = await Peer.at(port, get("/a"))
            assert not (await peer.rest()).startswith(b"HTTP")
            await peer.close()
            while server.limit.open:
                await asyncio.sleep(0)

    run(main())


# -- what can be served ---------------------------------------------------------------------------------


def test_what_a_server_serves() -> None:
    app = App()
    assert app_of(app, NATIVE) is app
    assert isinstance(app_of(HTTPServerConnectionDelegate(), NATIVE), DelegateApp)
    assert isinstance(app_of(lambda request: None, NATIVE), CallbackApp)

    class Entered:
        def entry(self) -> App:
            return app

    assert app_of(Entered(), NATIVE) is app
    with pytest.raises(TypeError, match="an HTTPServer serves"):
        app_of(object(), NATIVE)


def test_arguments_change_single_limits() -> None:
    server = HTTPServer(
        App(), max_header_size=1, idle_connection_timeout=2, body_timeout=3, max_body_size=4, profile=NATIVE
    )
    wanted = NATIVE.replace(head_bytes=1, idle_timeout=2, body_timeout=3, body_bytes=4)
    assert server.profile == wanted
    assert HTTPServer(App(), max_buffer_size=5, profile=NATIVE).profile.body_bytes == 5
    assert HTTPServer(App(), profile=TORNADO).profile is TORNADO


def test_the_application_hears_of_closed_connections_whatever_it_makes_of_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Failing(App):
        def on_close(self, connection: object) -> None:
            raise KeyError("in on_close")

    server = HTTPServer(Failing(), profile=NATIVE)
    server._tell_closed(object())  # type: ignore[arg-type]
    assert "in on_close" in caplog.text


@pytest.mark.parametrize("profile", [NATIVE, TORNADO], ids=["native", "tornado"])
def test_malformed_requests_are_counted_and_logged(
    profile: Profile, caplog: pytest.LogCaptureFixture
) -> None:
    class Connection:
        remote_ip = "192.0.2.1"

    caplog.set_level(logging.INFO, "tornado.general")
    server = HTTPServer(App(), profile=profile)
    for _ in range(3):
        server.refused(Connection(), RemoteProtocolError(400, "what was wrong"))  # type: ignore[arg-type]
    assert server.malformed == 3
    wanted = "Malformed HTTP message from 192.0.2.1: what was wrong"
    # A flood of one client is one line a minute; Tornado's contract is one for each.
    assert caplog.messages == [wanted] * (1 if profile is NATIVE else 3)


def test_a_client_that_finds_new_words_each_time_floods_no_log(caplog: pytest.LogCaptureFixture) -> None:
    class Connection:
        def __init__(self, remote_ip: str) -> None:
            self.remote_ip = remote_ip

    def refuse(remote_ip: str, request: bytes) -> None:
        engine = H1Engine(NATIVE)
        engine.feed(request)
        with pytest.raises(RemoteProtocolError) as caught:
            engine.next_event()
        server.refused(Connection(remote_ip), caught.value)  # type: ignore[arg-type]

    caplog.set_level(logging.INFO, "tornado.general")
    server = HTTPServer(App(), profile=NATIVE)
    for number in range(200):
        for request in (
            b"M%d" % number * 20 + b" / HTTP/1.1\r\n\r\n",
            b"GET / HTTP/%d.0\r\n\r\n" % (number % 8 + 2),
            b"GET / HTTP/%d\r\n\r\n" % number,
            b"GET / HTTP/1.1\r\nHost: a b%d\r\n\r\n" % number,
            b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x%d\r\n\r\n" % number,
            b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: x%d\r\n\r\n" % number,
            b"GET / HTTP/1.1\r\nHost: a\r\nb ad%d: x\r\n\r\n" % number,
            b"GET / HTTP/1.1\r\nHost: a\r\nx: \x00%d\r\n\r\n" % number,
        ):
            refuse("192.0.2.1", request)
    assert server.malformed == 1600
    assert 1 < len(caplog.messages) <= 8
    # Nor does it drown out the others.
    refuse("192.0.2.2", b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n")
    assert "192.0.2.2" in caplog.messages[-1]
