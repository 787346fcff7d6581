"""How connections end: the client leaves, the server drains, another protocol takes over."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from eyewall.http.errors import HTTPOutputError
from eyewall.net.errors import StreamClosedError

from .wire import App, Bench, Client, Sink, answer, bench_test, get, later, post, turns

# -- the client leaves ----------------------------------------------------------------------------------


def starts(sink: Sink) -> None:
    sink.exchange.start(200, "OK", b"", 100, b"half")


WAYS = pytest.mark.parametrize("way", ["end", "reset"])


async def leave(client: Client, way: str) -> None:
    if way == "end":
        client.end()
    else:
        client.transport.reset()
    await turns()
    assert client.transport.lost


#: What was sent when the client leaves, what the application did, whether it is told, and whether a request that was
#: cut off counts as malformed where the client says that it is at its end.
STATES: dict[str, tuple[bytes, dict[str, Any], bool, bool]] = {
    "nothing sent": (b"", {}, False, False),
    "an empty line sent": (b"\r\n", {}, False, False),
    "half a request line sent": (b"GET /", {}, False, True),
    "half a head sent": (b"GET / HTTP/1.1\r\nHost: a\r\n", {}, False, True),
    "a head sent": (get("/", "Content-Length: 5", method="POST"), {}, True, False),
    "half the content sent": (get("/", "Content-Length: 5", method="POST") + b"he", {}, True, False),
    "half a chunk sent": (
        get("/", "Transfer-Encoding: chunked", method="POST") + b"5\r\nhe",
        {},
        True,
        False,
    ),
    "a request sent": (get(), {"on_end": later}, True, False),
    "half an answer taken": (get(), {"on_end": starts}, True, False),
    "half an answer taken, half a request sent": (
        get("/", "Content-Length: 5", method="POST"),
        {"on_begin": starts},
        True,
        False,
    ),
    "an answer taken": (get(), {"on_end": answer}, False, False),
    "an answer taken, half a request sent": (
        get("/", "Content-Length: 5", method="POST"),
        {"on_begin": answer},
        False,
        False,
    ),
    "an answer taken, half of another request sent": (get() + b"GET", {"on_end": answer}, False, True),
    "a request sent, another behind it": (get() + get("/b"), {"on_end": later}, True, False),
}


@WAYS
@pytest.mark.parametrize("state", STATES)
@bench_test
async def test_a_client_that_leaves(state: str, way: str) -> None:
    data, options, told, malformed = STATES[state]
    closed: list[str] = []
    bench = Bench(App(**options, on_closed=lambda sink: closed.append("sink")))
    client = bench.connect(data)
    for exchange in bench.app.exchanges:
        if not exchange.over:
            exchange.set_close_callback(lambda: closed.append("callback"))
    before = client.received
    await leave(client, way)
    assert sorted(closed) == (["callback", "sink"] if told else [])
    assert client.received == before
    assert bench.server.malformed == (malformed and way == "end")
    assert len(bench.app.sinks) <= 1
    await bench.hang_up()


@WAYS
@bench_test
async def test_a_client_that_leaves_while_content_is_awaited(way: str) -> None:
    cancelled: list[bool] = []

    async def consume() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    bench = Bench(App(on_data=lambda sink, chunk: consume()))
    client = bench.connect(post(b"hello"))
    await turns()
    # It is noticed at once: an end counts as leaving here as it does where a response is awaited.
    await leave(client, way)
    assert cancelled == [True]
    assert bench.app.sinks[0].told == ["data", "closed"]
    await bench.hang_up()


@bench_test
async def test_a_client_that_says_it_is_done_is_answered_if_the_answer_is_there() -> None:
    bench = Bench()
    client = bench.connect(get())
    client.end()
    assert client.statuses == [200]
    await turns()
    assert client.transport.lost


@bench_test
async def test_an_answer_that_waits_to_be_taken_is_sent_before_the_end() -> None:
    bench = Bench(App(lambda sink: answer(sink, b"x" * 50_000)))
    client = bench.connect()
    client.transport.narrow = 100
    client.send(get())
    client.end()
    await turns()
    assert not client.transport.lost
    client.transport.take()
    await turns()
    assert client.transport.lost
    assert client.responses()[0].complete


@WAYS
@bench_test
async def test_writing_to_a_client_that_has_left(way: str) -> None:
    bench = Bench(App(starts))
    client = bench.connect(get())
    exchange = bench.app.exchanges[0]
    await leave(client, way)
    assert exchange.over
    for future in (exchange.write(b"more"), exchange.write(b"x" * 100_000)):
        with pytest.raises(StreamClosedError):
            await future
    exchange.finish()
    exchange.respond(200, "OK", b"", b"", 0)
    with pytest.raises(StreamClosedError):
        await exchange.start(200, "OK", b"", -1, b"")
    with pytest.raises(StreamClosedError):
        exchange.upgrade(object(), b"")
    with pytest.raises(StreamClosedError):
        await exchange.send_file(None, 0, 1)  # type: ignore[arg-type]
    exchange.set_max_body_size(5)
    exchange.set_body_timeout(5)


@bench_test
async def test_a_writer_that_waits_when_the_client_leaves() -> None:
    bench = Bench(App(lambda sink: sink.exchange.start(200, "OK", b"", -1, b"")))
    client = bench.connect()
    client.transport.narrow = 0
    client.send(get())
    waiting = bench.app.exchanges[0].write(b"x" * 100_000)
    assert not waiting.done()
    client.transport.reset()
    with pytest.raises(StreamClosedError):
        await waiting


@bench_test
async def test_an_endless_answer_ends_with_its_client() -> None:
    writes = 0

    async def stream(sink: Sink) -> None:
        nonlocal writes
        await sink.exchange.start(200, "OK", b"", -1, b"")
        while True:
            await sink.exchange.write(b"x" * 1000)
            writes += 1

    tasks: list[asyncio.Task[None]] = []
    bench = Bench(App(lambda sink: tasks.append(asyncio.ensure_future(stream(sink)))))
    client = bench.connect(get())
    await turns()
    client.transport.reset()
    with pytest.raises(StreamClosedError):
        await tasks[0]
    assert writes > 0
    await bench.hang_up()


@bench_test
async def test_an_endless_answer_ends_when_its_request_is_refused() -> None:
    """Nobody listens to it, but the connection lingers: a future that is done would keep the loop for ever."""

    async def stream(sink: Sink) -> None:
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await sink.exchange.start(200, "OK", b"", -1, b"")
        while True:
            await sink.exchange.write(b"x")

    tasks: list[asyncio.Task[None]] = []
    bench = Bench(App(on_begin=lambda sink: tasks.append(asyncio.ensure_future(stream(sink)))))
    client = bench.connect(get("/", "Transfer-Encoding: chunked", method="POST"))
    client.send(b"x\r\n")
    with pytest.raises(StreamClosedError):
        await tasks[0]
    assert client.statuses == [400]
    assert not client.transport.lost


@bench_test
async def test_what_fails_when_a_client_leaves_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    def fail(sink: Sink) -> None:
        raise KeyError("in closed")

    called: list[str] = []
    bench = Bench(App(later, on_closed=fail))
    client = bench.connect(get())
    bench.app.exchanges[0].set_close_callback(lambda: called.append("callback"))
    await leave(client, "reset")
    assert "in closed" in caplog.text
    assert called == ["callback"]
    await bench.hang_up()


@bench_test
async def test_a_close_callback_can_be_taken_back() -> None:
    called: list[str] = []
    bench = Bench(App(later))
    client = bench.connect(get())
    exchange = bench.app.exchanges[0]
    exchange.set_close_callback(lambda: called.append("callback"))
    exchange.set_close_callback(None)
    await leave(client, "reset")
    assert called == []


@bench_test
async def test_nothing_is_kept_of_what_is_over() -> None:
    import gc
    import weakref

    gc.collect()
    gc.disable()
    try:
        bench = Bench(App())
        bench.app.sinks = references = []
        bench.app.begin = lambda exchange: Sink(bench.app, exchange)
        client = bench.connect()
        kept = weakref.ref(client.connection)
        begun: list[Any] = []
        bench.app.on_end = lambda sink: (begun.append(weakref.ref(sink.exchange)), answer(sink))
        client.send(get())
        # By reference counts alone: garbage would be collected in the middle of some other request.
        assert begun[0]() is None
        client.transport.reset()
        await turns()
        client.transport.protocol = None
        bench.clients.clear()
        del client
        assert kept() is None
        assert references == []
    finally:
        gc.enable()


# -- draining -------------------------------------------------------------------------------------------


@bench_test
async def test_an_idle_connection_is_closed_by_a_drain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eyewall.http.server._FIRST_REQUEST_GRACE", 0.0)
    bench = Bench()
    fresh, used = bench.connect(), bench.connect(get())
    assert await bench.server.drain(5) == 0
    assert fresh.transport.lost
    assert used.transport.lost
    assert used.statuses == [200]
    await bench.hang_up()


@bench_test
async def test_a_request_that_is_begun_is_answered_and_is_the_last() -> None:
    bench = Bench(App(later))
    begun, headed = bench.connect(get("/a") + get("/b")), bench.connect(b"GET /c HTTP/1.1\r\n")
    draining = asyncio.ensure_future(bench.server.drain(5))
    await turns()
    assert begun.open
    answer(bench.app.sinks[0])
    assert begun.responses()[0].fields["Connection"] == "close"
    headed.send(b"Host: a\r\n\r\n")
    answer(bench.app.sinks[1])
    assert headed.responses()[0].fields["Connection"] == "close"
    begun.end()
    assert await draining == 0
    assert [sink.path for sink in bench.app.sinks] == ["/a", "/c"]
    await bench.hang_up()


@bench_test
async def test_what_has_come_when_a_drain_begins_is_served() -> None:
    bench = Bench()
    client = bench.connect()
    draining = asyncio.ensure_future(bench.server.drain(5))
    asyncio.get_running_loop().call_soon(client.send, get())
    assert await draining == 0
    assert client.responses()[0].fields["Connection"] == "close"
    await bench.hang_up()


@bench_test
async def test_a_connection_that_had_no_request_yet_has_time_for_one_in_a_drain() -> None:
    # Its client may have connected just before, and its request be on its way.
    bench = Bench()
    fresh, used = bench.connect(), bench.connect(get())
    draining = asyncio.ensure_future(bench.server.drain(5))
    await turns()
    assert not used.open
    assert fresh.open
    fresh.send(get())
    assert await draining == 0
    assert fresh.responses()[0].fields["Connection"] == "close"
    await bench.hang_up()


@bench_test
async def test_what_does_not_end_is_broken_off(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(App(later))
    client = bench.connect(get("/slow"))
    assert await bench.server.drain(0.01) == 1
    assert client.transport.aborted
    assert "request: GET /slow, from 192.0.2.7" in caplog.text
    assert bench.app.sinks[0].told == ["end", "closed"]
    await bench.hang_up()


@bench_test
async def test_a_server_that_never_listened_drains_at_once() -> None:
    from eyewall.http.server import HTTPServer

    assert await HTTPServer(App()).drain(5) == 0


@bench_test
async def test_all_connections_can_be_closed() -> None:
    bench = Bench(App(later))
    idle, busy = bench.connect(), bench.connect(get())
    await bench.server.close_all_connections()
    assert idle.transport.lost
    assert busy.transport.lost
    assert bench.app.sinks[0].told == ["end", "closed"]
    await bench.hang_up()


# -- another protocol -----------------------------------------------------------------------------------


class Other:
    """A protocol that takes a connection over."""

    release: Any = None

    def __init__(self) -> None:
        self.heard = b""
        self.lost = False
        self.gone_away = False
        self.transport: Any = None

    def data_received(self, data: bytes) -> None:
        self.heard += data

    def eof_received(self) -> bool:
        return False

    def go_away(self) -> None:
        self.gone_away = True

    def abort(self) -> None:
        self.transport.abort()

    def connection_lost(self, error: Exception | None) -> None:
        self.lost = True
        self.release()


UPGRADE = ("Connection: Upgrade", "Upgrade: other")


@bench_test
async def test_another_protocol_takes_over() -> None:
    other = Other()
    rest: list[bytes] = []

    def switch(sink: Sink) -> None:
        other.transport, early = sink.exchange.upgrade(other, b"Connection: Upgrade\r\nUpgrade: other\r\n")
        rest.append(early)

    closed: list[object] = []
    bench = Bench(App(switch))
    bench.app.on_close = closed.append
    client = bench.connect(get("/", *UPGRADE) + b"\x81\x02hi" + get("/no-request"))
    head = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n"
    assert client.received == head
    assert rest == [b"\x81\x02hi" + get("/no-request")]
    client.send(b"more")
    assert other.heard == b"more"
    assert other.transport is client.transport
    assert bench.server.connections == set()
    assert bench.server.others == {other}
    assert bench.server.limit.open == 1
    assert len(bench.server.wheel) == 0
    assert len(bench.app.sinks) == 1
    # The old driver hears no more.
    await bench.advance(200)
    assert client.open
    client.transport.reset()
    await turns()
    assert other.lost
    assert bench.server.others == set()
    assert closed == [client.connection]
    assert bench.app.sinks[0].told == ["end"]
    # Only once, whoever says it again.
    other.release()
    await bench.hang_up()


@bench_test
async def test_another_protocol_may_take_over_later() -> None:
    other = Other()
    bench = Bench(App(later))
    client = bench.connect(get("/", *UPGRADE))
    for _ in range(40):
        client.send(get("/x"))
    assert not client.transport.reading
    other.transport, early = bench.app.exchanges[0].upgrade(other, b"")
    assert early == get("/x") * 31 + get("/x")
    await turns()
    assert client.transport.reading
    assert other.heard == get("/x") * 8
    other.transport.abort()
    await turns()
    await bench.hang_up()


@bench_test
async def test_nothing_is_kept_of_the_request_that_was_upgraded() -> None:
    import gc
    import weakref

    gc.collect()
    gc.disable()
    try:
        bench = Bench(App())
        bench.app.sinks = []
        bench.app.begin = lambda exchange: Sink(bench.app, exchange)
        other = Other()
        begun: list[Any] = []

        def switch(sink: Sink) -> None:
            begun.append(weakref.ref(sink))
            begun.append(weakref.ref(sink.exchange))
            other.transport, _ = sink.exchange.upgrade(other, b"")

        bench.app.on_end = switch
        bench.connect(get("/", *UPGRADE))
        # By reference counts alone, as above: a WebSocket may live for days.
        assert [reference() for reference in begun] == [None, None]
        assert other.transport is not None
        other.transport.abort()
        await turns()
    finally:
        gc.enable()
    await bench.hang_up()


@bench_test
async def test_content_comes_before_the_other_protocol() -> None:
    def early(sink: Sink) -> None:
        with pytest.raises(HTTPOutputError, match="too early"):
            sink.exchange.upgrade(Other(), b"")

    other = Other()

    def switch(sink: Sink) -> None:
        other.transport, rest = sink.exchange.upgrade(other, b"")
        assert rest == b"rest"

    bench = Bench(App(switch, on_begin=early))
    client = bench.connect(post(b"hello", "/", *UPGRADE) + b"rest")
    assert bench.app.sinks[0].content == b"hello"
    assert client.received == b"HTTP/1.1 101 Switching Protocols\r\n\r\n"
    client.transport.abort()
    await turns()
    await bench.hang_up()


@bench_test
async def test_it_is_too_late_for_another_protocol_behind_an_answer() -> None:
    def both(sink: Sink) -> None:
        answer(sink)
        with pytest.raises(HTTPOutputError, match="too late"):
            sink.exchange.upgrade(Other(), b"")

    bench = Bench(App(both))
    client = bench.connect(get("/a", *UPGRADE) + get("/b"))
    assert client.statuses == [200, 200]


@bench_test
async def test_a_request_for_another_protocol_may_be_answered_as_any() -> None:
    bench = Bench()
    client = bench.connect(get("/a", *UPGRADE) + get("/b"))
    assert [response.body for response in client.responses()] == [b"/a", b"/b"]


@bench_test
async def test_other_protocols_are_asked_to_go_and_broken_off(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    other = Other()

    def switch(sink: Sink) -> None:
        other.transport, _ = sink.exchange.upgrade(other, b"")

    bench = Bench(App(switch))
    bench.connect(get("/", *UPGRADE))
    assert await bench.server.drain(0.01) == 1
    assert other.gone_away
    assert other.lost
    assert "Other" in caplog.text
    await bench.hang_up()
