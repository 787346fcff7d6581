"""Large bodies: collected where they lie, and read from the socket without a copy where that is possible."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import socket
import ssl
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.guard.profile import NATIVE
from eyewall.http.bodyreader import BodyReader
from eyewall.http.errors import BodyTooSlow, ContentLengthTooLarge, RequestTimeout
from eyewall.http.requestids import IdentifyingApp
from eyewall.net.errors import StreamClosedError
from eyewall.web.application import Application
from eyewall.web.handler import RequestHandler

from ..net.loops import TLS, Run, both_loops
from .test_server import Peer, serving
from .wire import App, Bench, Client, Sink, Transport, answer, bench_test, chunked, get, later, post, turns

SIZE = 600 * 1024
BODY = bytes(range(256)) * (SIZE // 256)
CLOSE = b"Connection: close\r\n"


class WholeSink(Sink):
    """Wants content in one piece."""

    whole = True

    def end(self) -> None:
        assert self.told in ([], ["data"])
        super().end()


class WholeApp(App):
    def begin(self, exchange: Any) -> Sink:
        sink = WholeSink(self, exchange)
        self.sinks.append(sink)
        if self.on_begin is not None:
            self.on_begin(sink)
        return sink


class _Socket:
    def fileno(self) -> int:
        return 0


class TCPTransport(Transport):
    """Reads as a transport does whose bytes are those of its socket."""

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return _Socket() if name == "socket" else super().get_extra_info(name, default)

    def _deliver(self) -> None:
        while self._arrived and self.reading and not self.closing:
            data = self._arrived[0]
            if data is None or not isinstance(self.protocol, asyncio.BufferedProtocol):
                super()._deliver()
                return
            buffer = self.protocol.get_buffer(-1)
            assert len(buffer) > 0
            count = min(len(buffer), len(data))
            buffer[:count] = data[:count]
            if count < len(data):
                self._arrived[0] = data[count:]
            else:
                del self._arrived[0]
            self.protocol.buffer_updated(count)

    @property
    def direct(self) -> bool:
        return isinstance(self.protocol, BodyReader)


# What `FlowControl` tells plain transports by.
TCPTransport.__module__ = "uvloop.loop"


class PlainBench(Bench):
    """A bench whose connections are plain TCP."""

    def connect(self, data: bytes = b"", peer: Any = ("192.0.2.7", 4711)) -> Client:
        client = Client(self, peer)
        client.transport = TCPTransport(client.connection, peer)
        client.connection.attach(client.transport)  # type: ignore[arg-type]
        self.clients.append(client)
        if data:
            client.send(data)
        return client


def direct(client: Client) -> bool:
    transport = client.transport
    assert isinstance(transport, TCPTransport)
    return transport.direct


def head(size: int = SIZE, *fields: str) -> bytes:
    return get("/up", f"Content-Length: {size}", *fields, method="POST")


# -- what comes ------------------------------------------------------------------------------------------


@bench_test
async def test_a_large_body_is_read_directly_and_given_in_one_piece() -> None:
    bench = PlainBench(WholeApp())
    client = bench.connect(head())
    assert direct(client)
    client.send(BODY[:1000])
    assert client.connection.content_received == 1000
    assert bench.app.sinks[0].told == []
    client.send(BODY[1000:])
    assert not direct(client)
    assert bench.app.sinks[0].told == ["data", "end"]
    assert bench.app.sinks[0].content == BODY
    assert client.statuses == [200]
    assert client.connection.received == len(head()) + SIZE
    client.send(get("/next"))
    assert client.statuses == [200, 200]
    await bench.hang_up()


@given(cuts=st.lists(st.integers(1, SIZE + 500), max_size=12), plain=st.booleans())
def test_how_it_is_cut_makes_no_difference(cuts: list[int], plain: bool) -> None:
    stream = head() + BODY + get("/a") + post(b"small", "/b") + head() + BODY + get("/c")

    @bench_test
    async def cut() -> None:
        bench = (PlainBench if plain else Bench)(WholeApp())
        client = bench.connect()
        start = 0
        for end in [*sorted(cuts), len(stream)]:
            if end > start:
                client.send(stream[start:end])
                start = end
        await turns()
        assert [sink.path for sink in bench.app.sinks] == ["/up", "/a", "/b", "/up", "/c"]
        assert [sink.content for sink in bench.app.sinks] == [BODY, b"", b"small", BODY, b""]
        assert [found.body for found in client.responses()] == [b"/up", b"/a", b"/b", b"/up", b"/c"]
        assert client.connection.received == len(stream)
        await bench.hang_up()

    cut()


@bench_test
async def test_what_is_small_or_in_chunks_or_wanted_in_pieces_is_not() -> None:
    bench = PlainBench(WholeApp())
    client = bench.connect(head(200_000))
    assert not direct(client)
    client.send(BODY[:200_000] + chunked(BODY, size=100_000)[:-10])
    assert not direct(client)
    await bench.hang_up()
    bench = PlainBench(App())
    client = bench.connect(head())
    assert not direct(client)
    client.send(BODY[:1000])
    assert bench.app.sinks[0].content == BODY[:1000]
    await bench.hang_up()


@bench_test
async def test_a_little_rest_comes_as_everything_does() -> None:
    bench = PlainBench(WholeApp())
    client = bench.connect(head() + BODY[:-1000])
    assert not direct(client)
    client.send(BODY[-1000:])
    assert bench.app.sinks[0].content == BODY
    await bench.hang_up()


@bench_test
async def test_what_the_memory_has_no_room_for_comes_in_pieces() -> None:
    bench = PlainBench(WholeApp(), NATIVE.replace(body_bytes=10**18))
    client = bench.connect(head(10**17) + b"some")
    assert not direct(client)
    assert bench.app.sinks[0].content == b"some"
    await bench.hang_up()


@bench_test
async def test_who_waits_for_leave_is_told_to_continue() -> None:
    bench = PlainBench(WholeApp())
    client = bench.connect(head(SIZE, "Expect: 100-continue"))
    assert client.received == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert direct(client)
    client.send(BODY)
    assert client.statuses == [100, 200]
    assert bench.app.sinks[0].content == BODY
    await bench.hang_up()


# -- limits ----------------------------------------------------------------------------------------------


@bench_test
async def test_what_is_too_large_is_refused_before_it_comes() -> None:
    bench = PlainBench(WholeApp(), NATIVE.replace(body_bytes=SIZE - 1))
    client = bench.connect(head())
    assert client.statuses == [413]
    assert not direct(client)
    await bench.hang_up()


@bench_test
async def test_a_limit_that_is_set_meanwhile_counts(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "tornado.general")
    bench = PlainBench(WholeApp())
    client = bench.connect(head() + BODY[:10])
    bench.app.exchanges[0].set_max_body_size(SIZE - 1)
    client.send(BODY[10:200_000])
    assert client.statuses == [413]
    assert bench.app.sinks[0].told == ["closed"]
    # What still comes is dropped, and the connection ends when the client does.
    client.send(BODY[200_000:] + get("/never"))
    assert not direct(client)
    assert len(bench.app.sinks) == 1
    assert bench.server.malformed == 1
    assert str(ContentLengthTooLarge(SIZE - 1)) in caplog.text
    await bench.hang_up()


@bench_test
async def test_a_body_that_trickles_is_cut_off_and_one_that_is_just_fast_enough_is_not(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "tornado.general")
    bench = PlainBench(WholeApp())
    slow, fair = bench.connect(head()), bench.connect(head())
    for second in range(20):
        if slow.open:
            slow.send(b"x" * 100)
        fair.send(BODY[second * 300 : second * 300 + 300])
        await bench.advance(1)
    assert slow.statuses == [408]
    assert BodyTooSlow.__name__ in caplog.text or "240 bytes a second" in caplog.text
    assert direct(fair)
    fair.send(BODY[20 * 300 :])
    assert fair.statuses == [200]
    assert bench.app.sinks[1].content == BODY
    await bench.hang_up()


@bench_test
async def test_a_body_has_its_time_as_a_whole(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "tornado.general")
    bench = PlainBench(WholeApp(), NATIVE.replace(body_timeout=30.0))
    client = bench.connect(head())
    for _ in range(40):
        if not client.open:
            break
        client.send(b"x" * 10_000)
        await bench.advance(1)
    assert client.statuses == [408]
    assert str(RequestTimeout("Timeout reading body")) in caplog.text
    await bench.hang_up()


# -- ends ------------------------------------------------------------------------------------------------


@bench_test
async def test_a_client_that_leaves_in_the_middle() -> None:
    bench = PlainBench(WholeApp())
    reset, ended = bench.connect(head() + BODY[:1000]), bench.connect(head() + BODY[:1000])
    reset.transport.reset()
    ended.end()
    await turns()
    assert [sink.told for sink in bench.app.sinks] == [["closed"], ["closed"]]
    assert [exchange.content for exchange in bench.app.exchanges] == [None, None]
    await bench.hang_up()


@bench_test
async def test_answered_early_the_little_that_is_missing_is_dropped() -> None:
    bench = PlainBench(WholeApp(), NATIVE.replace(unread_body_bytes=SIZE))
    client = bench.connect(head() + BODY[:1000])
    answer(bench.app.sinks[0])
    assert client.statuses == [200]
    assert bench.app.exchanges[0].content is None
    client.send(BODY[1000:300_000])
    assert not direct(client)
    client.send(BODY[300_000:] + get("/next"))
    await turns()
    assert [found.body for found in client.responses()] == [b"/up", b"/next"]
    assert bench.app.sinks[0].told == []
    await bench.hang_up()


@bench_test
async def test_answered_early_with_much_missing_the_connection_ends() -> None:
    bench = PlainBench(WholeApp(), NATIVE.replace(unread_body_bytes=1000))
    client = bench.connect(head() + BODY[:1000])
    answer(bench.app.sinks[0])
    assert client.responses()[0].fields["Connection"] == "close"
    assert client.transport.eof
    client.send(BODY[1000:] + get("/never"))
    await bench.advance(40)
    assert client.transport.lost
    assert len(bench.app.sinks) == 1
    await bench.hang_up()


@bench_test
async def test_a_drain_lets_it_finish() -> None:
    bench = PlainBench(WholeApp())
    client = bench.connect(head() + BODY[:1000])
    client.connection.drain()
    assert client.open
    client.send(BODY[1000:])
    await turns()
    assert client.responses()[0].fields["Connection"] == "close"
    assert client.responses()[0].body == b"/up"
    assert client.transport.lost
    await bench.hang_up()


@bench_test
async def test_an_application_that_raises() -> None:
    def burst(sink: Sink) -> None:
        raise ZeroDivisionError

    bench = PlainBench(WholeApp(burst))
    client = bench.connect(head() + BODY[:1000])
    logging.getLogger("tornado.application").disabled = True
    try:
        client.send(BODY[1000:])
    finally:
        logging.getLogger("tornado.application").disabled = False
    assert client.statuses == [500]
    await bench.hang_up()


@bench_test
async def test_what_the_transport_says_of_writing_reaches_the_connection() -> None:
    profile = NATIVE.replace(write_timeout=10.0)
    bench = PlainBench(WholeApp(), profile)
    client = bench.connect(head())
    client.transport.narrow = 0
    client.connection.write(b"x" * (profile.write_high_water + 1))
    assert client.connection.paused
    waiter = client.connection.drained()
    client.transport.take()
    assert not client.connection.paused
    await waiter
    client.transport.narrow = 0
    client.connection.write(b"x" * (profile.write_high_water + 1))
    waiter = client.connection.drained()
    for _ in range(16):
        client.send(b"y" * 1000)
        await bench.advance(1)
        if client.transport.lost:
            break
    assert client.transport.aborted
    with pytest.raises(StreamClosedError):
        await waiter
    await bench.hang_up()


# -- over sockets ----------------------------------------------------------------------------------------


class Upload(RequestHandler):
    def post(self) -> None:
        self.write(hashlib.sha256(self.request.body).hexdigest())


def readers(server: Any) -> list[bool]:
    return [isinstance(each.transport.get_protocol(), BodyReader) for each in server.connections]


@both_loops
@pytest.mark.parametrize("identified", [False, True], ids=["plain", "identified"])
def test_over_sockets(run: Run, identified: bool) -> None:
    bodies = [os.urandom(1024 * 1024 + 7), os.urandom(256 * 1024), os.urandom(3 * 1024 * 1024)]

    async def main() -> None:
        app: Any = Application([("/up", Upload)]).entry()
        async with serving(IdentifyingApp(app, 100) if identified else app) as (server, port):
            peer = await Peer.at(port, head(len(bodies[0])))
            while readers(server) != [True]:
                await asyncio.sleep(0)
            peer.writer.write(bodies[0] + get("/up") + b"".join(post(body, "/up") for body in bodies[1:]))
            found = await peer.answers(4)
            assert [each.status for each in found] == [200, 405, 200, 200]
            wanted = [hashlib.sha256(body).hexdigest().encode() for body in bodies]
            assert [found[0].body, found[2].body, found[3].body] == wanted
            assert readers(server) == [False]
            await peer.close()

    run(main())


@both_loops
def test_with_tls_it_comes_through_the_connection(run: Run) -> None:
    body = os.urandom(1024 * 1024)

    async def main() -> None:
        trust = ssl.create_default_context(cafile=str(TLS / "cert.pem"))
        keys = {"certfile": str(TLS / "cert.pem"), "keyfile": str(TLS / "key.pem")}
        async with serving(Application([("/up", Upload)]).entry(), ssl_options=keys) as (server, port):
            peer = await Peer.at(port, head(len(body)), ssl=trust, server_hostname="localhost")
            while not server.connections or next(iter(server.connections)).exchange is None:
                await asyncio.sleep(0)
            assert readers(server) == [False]
            peer.writer.write(body + get("/up"))
            found = await peer.answers(2)
            assert [each.status for each in found] == [200, 405]
            assert found[0].body == hashlib.sha256(body).hexdigest().encode()
            await peer.close()
            while server.limit.open:
                await asyncio.sleep(0)

    run(main())


@both_loops
@pytest.mark.parametrize("how", ["reset", "end"])
def test_clients_that_vanish_over_sockets(run: Run, how: str) -> None:
    async def main() -> None:
        closed = []
        app = WholeApp(later, on_closed=closed.append)
        async with serving(app) as (server, port):
            sock = socket.create_connection(("127.0.0.1", port))
            sock.sendall(head())
            while readers(server) != [True]:
                await asyncio.sleep(0)
            sock.sendall(BODY[:100_000])
            while next(iter(server.connections)).content_received < 100_000:
                await asyncio.sleep(0)
            if how == "reset":
                # To linger for no time is to reset the connection.
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            sock.close()
            while server.connections:
                await asyncio.sleep(0)
            assert closed == app.sinks
            assert app.exchanges[0].content is None

    run(main())
