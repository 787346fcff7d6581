"""The server's driver: requests in, one response for each, in order, whatever the application does."""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import Any

import pytest

from eyewall.base import probe
from eyewall.guard.profile import NATIVE, TORNADO, Profile
from eyewall.http.connection import ServerConnection
from eyewall.http.errors import RemoteProtocolError

from .h1.refused import CASES, Refused
from .wire import App, Bench, Sink, Transport, answer, bench_test, chunked, get, later, post, responses, turns

PROFILES = pytest.mark.parametrize("profile", [NATIVE, TORNADO], ids=["native", "tornado"])


# -- one request after the other ------------------------------------------------------------------------


@bench_test
async def test_requests_on_one_connection() -> None:
    bench = Bench()
    client = bench.connect()
    for path in ("/a", "/b", "/c"):
        client.send(get(path))
    found = client.responses()
    assert [response.body for response in found] == [b"/a", b"/b", b"/c"]
    assert all(response.complete and response.keep_alive for response in found)
    assert client.connection.served == 3
    assert client.open
    assert len(client.transport.writes) == 3
    await bench.hang_up()


@bench_test
async def test_a_request_that_comes_in_pieces() -> None:
    bench = Bench()
    client = bench.connect()
    for octet in post(b"hello", "/a") + chunked(b"hello, world", "/b"):
        client.send(bytes([octet]))
    assert [sink.content for sink in bench.app.sinks] == [b"hello", b"hello, world"]
    assert [response.body for response in client.responses()] == [b"/a", b"/b"]
    assert client.open


@pytest.mark.parametrize(
    ("version", "fields", "keeps", "says"),
    [
        ("1.1", [], True, None),
        ("1.1", ["Connection: keep-alive"], True, None),
        ("1.1", ["Connection: close"], False, "close"),
        ("1.2", [], True, None),
        ("1.0", [], False, None),
        ("1.0", ["Connection: keep-alive"], True, "Keep-Alive"),
        ("1.0", ["Connection: keep-alive, close"], False, None),
    ],
)
@bench_test
async def test_persistence(version: str, fields: list[str], keeps: bool, says: str | None) -> None:
    bench = Bench()
    client = bench.connect(get("/", *fields, version=version))
    response = client.responses()[0]
    assert response.complete
    assert response.fields.get("Connection") == says
    assert client.open is keeps
    assert client.received.startswith(b"HTTP/1.1 200 OK\r\n")
    await bench.hang_up()


@bench_test
async def test_what_comes_behind_a_last_request_is_not_served() -> None:
    bench = Bench()
    client = bench.connect(get("/a", "Connection: close") + get("/b"))
    await turns()
    client.send(get("/c"))
    assert [sink.path for sink in bench.app.sinks] == ["/a"]
    assert client.statuses == [200]
    # What is unread would reset the connection and the response with it: so the other half stays open for a while.
    assert client.transport.eof
    assert not client.transport.closing
    client.end()
    await turns()
    assert client.transport.lost
    await bench.hang_up()


@bench_test
async def test_the_application_can_end_the_connection() -> None:
    def closing(sink: Sink) -> None:
        sink.exchange.close_after = True
        answer(sink)

    bench = Bench(App(closing))
    client = bench.connect(get("/a") + get("/b"))
    assert len(bench.app.sinks) == 1
    assert client.responses()[0].fields["Connection"] == "close"
    assert not client.open


# -- one behind the other -------------------------------------------------------------------------------


@bench_test
async def test_pipelined_requests_are_answered_in_order() -> None:
    bench = Bench()
    client = bench.connect(b"".join(get(f"/{number}") for number in range(20)))
    assert [response.body for response in client.responses()] == [b"/%d" % number for number in range(20)]
    assert client.connection.served == 20


class TCPTransport(Transport):
    """One that collects what is written to it, as uvloop's do before 0.23, with a socket below."""

    __module__ = "uvloop.loop"

    def __init__(self, protocol: Any, sock: socket.socket) -> None:
        super().__init__(protocol)
        self.sock = sock
        self.collected: list[bytes] = []

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self.sock if name == "socket" else super().get_extra_info(name, default)

    def write(self, data: Any) -> None:
        self.collected.append(bytes(data))

    def get_write_buffer_size(self) -> int:
        return sum(map(len, self.collected))


@bench_test
async def test_answers_go_out_at_once_but_together_where_the_requests_came_together() -> None:
    def sent() -> list[bytes]:
        return [found.body for found in responses(theirs.recv(65536))]

    bench = Bench()
    ours, theirs = socket.socketpair()
    bench.server.limit.admit()
    connection = ServerConnection(bench.server)
    transport = TCPTransport(connection, ours)
    connection.connection_made(transport)
    for path in (b"/a", b"/b"):
        connection.data_received(get(path.decode()))
        assert sent() == [path]
        assert transport.collected == []
    connection.data_received(get("/c") + get("/d") + get("/e"))
    assert [found.body for found in responses(b"".join(transport.collected))] == [b"/c", b"/d", b"/e"]
    transport.collected.clear()
    # One whose content comes later is alone.
    connection.data_received(post(b"body", "/f")[:-1])
    connection.data_received(b"y")
    assert sent() == [b"/f"]
    connection.connection_lost(None)
    ours.close()
    theirs.close()


@bench_test
async def test_the_next_request_is_not_begun_before_the_answer() -> None:
    bench = Bench(App(later))
    client = bench.connect(get("/a") + post(b"body", "/b") + get("/c"))
    assert [sink.path for sink in bench.app.sinks] == ["/a"]
    for path in ("/a", "/b", "/c"):
        sink = bench.app.sinks[-1]
        assert sink.path == path
        answer(sink)
        # Not out of the call that answered: another time.
        assert bench.app.sinks[-1] is sink
        await turns()
    assert bench.app.sinks[1].content == b"body"
    assert [response.body for response in client.responses()] == [b"/a", b"/b", b"/c"]
    assert client.open
    await bench.hang_up()


@bench_test
async def test_reading_pauses_when_many_requests_wait() -> None:
    bench = Bench(App(later))
    client = bench.connect(get("/0"))
    for number in range(1, 32):
        client.send(get(f"/{number}"))
        assert client.transport.reading
    client.send(get("/32"))
    assert not client.transport.reading
    for number in range(33, 40):
        client.send(get(f"/{number}"))
    bench.app.on_end = answer
    answer(bench.app.sinks[0])
    await turns(40)
    assert client.transport.reading
    assert [response.body for response in client.responses()] == [b"/%d" % number for number in range(40)]
    await bench.hang_up()


@bench_test
async def test_reading_pauses_when_much_waits() -> None:
    bench = Bench(App(later))
    client = bench.connect(get("/a"))
    client.send(b"POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n" + b"x" * 70_000)
    assert not client.transport.reading
    client.send(b"x" * 130_000)
    answer(bench.app.sinks[0])
    await turns()
    # The content of a request that waited is read on.
    assert client.transport.reading
    assert len(bench.app.sinks[1].content) == 200_000
    answer(bench.app.sinks[1])
    assert client.statuses == [200, 200]
    await bench.hang_up()


@bench_test
async def test_one_connection_does_not_keep_the_loop_for_itself() -> None:
    bench = Bench()
    client = bench.connect(b"".join(get(f"/{number}") for number in range(100)))
    served = [len(client.responses())]
    others: list[int] = []
    for _ in range(10):
        others.append(client.connection.served)
        await asyncio.sleep(0)
    assert served == [32]
    assert others[:4] == [32, 64, 96, 100]
    assert [response.body for response in client.responses()] == [b"/%d" % number for number in range(100)]
    await bench.hang_up()


@bench_test
async def test_what_comes_while_the_others_have_their_turn_waits_too() -> None:
    bench = Bench()
    client = bench.connect(b"".join(get(f"/{number}") for number in range(40)))
    # More and more: it is bounded, and served in order.
    for number in range(40, 200):
        client.send(get(f"/{number}"))
    assert client.connection.served == 32
    assert not client.transport.reading
    await turns(40)
    assert [response.body for response in client.responses()] == [b"/%d" % number for number in range(200)]
    await bench.hang_up()


# -- content --------------------------------------------------------------------------------------------


@bench_test
async def test_content_waits_for_an_awaitable_and_beyond_the_limit_the_client_does() -> None:
    waits: list[asyncio.Future[None]] = []

    def slowly(sink: Sink, chunk: bytes) -> asyncio.Future[None]:
        waits.append(asyncio.get_running_loop().create_future())
        return waits[-1]

    bench = Bench(App(on_data=slowly), profile=NATIVE.replace(body_backlog_bytes=3))
    client = bench.connect(get("/", "Content-Length: 10", method="POST") + b"ab")
    client.send(b"cd")
    client.send(b"e")
    assert client.transport.reading
    client.send(b"f")
    assert not client.transport.reading
    client.send(b"ghij")
    assert bench.app.sinks[0].content == b"ab"
    for _ in range(3):
        waits[-1].set_result(None)
        await turns()
    assert bench.app.sinks[0].content == b"abcdefghij"
    assert client.statuses == [200]
    assert client.transport.reading
    await bench.hang_up()


@bench_test
async def test_a_coroutine_and_a_finished_awaitable_will_do() -> None:
    async def consume() -> None:
        await asyncio.sleep(0)

    done = asyncio.get_running_loop().create_future()
    done.set_result(None)
    bench = Bench(App(on_data=lambda sink, chunk: done if sink.path == "/a" else consume()))
    client = bench.connect(chunked(b"x" * 100, "/a") + post(b"y" * 100, "/b") + get("/c"))
    await turns()
    assert [len(sink.content) for sink in bench.app.sinks] == [100, 100, 0]
    assert client.statuses == [200, 200, 200]
    await bench.hang_up()


@bench_test
async def test_trailers_are_there_at_the_end() -> None:
    bench = Bench()
    bench.connect(
        get("/", "Transfer-Encoding: chunked", method="POST") + b"1\r\na\r\n0\r\nX-Sum: 1\r\nX-Sum: 2\r\n\r\n"
    )
    assert bench.app.sinks[0].exchange.head.trailers == [("X-Sum", "1"), ("X-Sum", "2")]


# -- 100-continue ---------------------------------------------------------------------------------------

EXPECT = "Expect: 100-continue"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@bench_test
async def test_a_client_that_waits_is_told_to_continue() -> None:
    bench = Bench()
    client = bench.connect(get("/", EXPECT, "Content-Length: 2", method="POST"))
    assert client.received == CONTINUE
    client.send(b"o")
    client.send(b"k")
    assert client.statuses == [100, 200]
    assert client.open
    client.send(get("/", EXPECT, "Transfer-Encoding: chunked", method="POST"))
    assert client.received.count(CONTINUE) == 2


@bench_test
async def test_a_client_that_does_not_wait_is_not() -> None:
    for data in (
        post(b"ok", "/", EXPECT),
        get("/", EXPECT, "Content-Length: 2", method="POST") + b"o",
        get("/", EXPECT),
        get("/", EXPECT, "Content-Length: 2", method="POST", version="1.0"),
    ):
        assert CONTINUE not in Bench().connect(data).received


@bench_test
async def test_nobody_is_told_to_continue_who_is_refused() -> None:
    for fields, status in (
        (("Content-Length: 200000000",), 413),
        (("Content-Length: x",), 400),
        (("Transfer-Encoding: gzip",), 501),
    ):
        client = Bench().connect(get("/", EXPECT, *fields, method="POST"))
        assert client.statuses == [status]


@bench_test
async def test_an_application_that_answers_at_once_needs_no_content() -> None:
    bench = Bench(App(on_begin=lambda sink: answer(sink, b"no")))
    client = bench.connect(get("/", EXPECT, "Content-Length: 2", method="POST"))
    # Nobody can tell whether the content comes: the connection says so, and ends.
    assert client.statuses == [200]
    assert client.responses()[0].fields["Connection"] == "close"
    assert not client.open


@bench_test
async def test_who_is_ready_later_has_the_client_told_later() -> None:
    def begin(sink: Sink) -> None:
        sink.ready = asyncio.get_running_loop().create_future()  # type: ignore[attr-defined]

    bench = Bench(App(on_begin=begin))
    client = bench.connect(get("/", EXPECT, "Content-Length: 2", method="POST"))
    await bench.advance(60)
    # The client waits for us: that is not its fault.
    assert client.received == b""
    assert client.open
    bench.app.sinks[0].ready.set_result(None)
    await turns()
    assert client.received == CONTINUE
    await bench.advance(4)
    client.send(b"ok")
    assert client.statuses == [100, 200]
    await bench.hang_up()


@pytest.mark.parametrize(
    ("error", "status"), [(RemoteProtocolError(400, "no"), 400), (KeyError("no"), 500), (None, 200)]
)
@bench_test
async def test_who_is_never_ready_answers_instead(
    error: Exception | None, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    def begin(sink: Sink) -> None:
        sink.ready = asyncio.get_running_loop().create_future()  # type: ignore[attr-defined]

    bench = Bench(App(on_begin=begin))
    client = bench.connect(get("/", EXPECT, "Content-Length: 2", method="POST"))
    ready = bench.app.sinks[0].ready
    if error is None:
        answer(bench.app.sinks[0])
        ready.cancel()
    else:
        ready.set_exception(error)
    await turns()
    assert client.statuses == [status]
    assert not client.open
    await bench.hang_up()


# -- malformed requests ---------------------------------------------------------------------------------


@PROFILES
@pytest.mark.parametrize("case", CASES, ids=str)
@bench_test
async def test_a_malformed_request_gets_one_answer_and_the_connection_ends(
    case: Refused, profile: Profile, caplog: pytest.LogCaptureFixture
) -> None:
    wanted = case.native if profile is NATIVE else case.tornado
    if wanted is None:
        return
    bench = Bench(profile=profile)
    with caplog.at_level(logging.INFO, "tornado.general"):
        client = bench.connect(case.data + get("/smuggled"))
    await turns()
    if profile is NATIVE:
        assert client.statuses == [wanted]
        response = client.responses()[0]
        assert response.complete
        assert response.fields["Connection"] == "close"
        assert str(wanted).encode() in response.body
    else:
        # In two words, as Tornado does, or in none.
        assert client.received in (b"HTTP/1.1 400 Bad Request\r\n\r\n", b"")
    assert not client.open
    assert bench.server.malformed == 1
    assert len(caplog.records) == 1
    assert "192.0.2.7" in caplog.text or "Unsatisfiable read" in caplog.text
    for octet in ("\x1b", "\0", "\r", "\x7f"):
        assert octet not in caplog.text
    assert [sink.told.count("end") for sink in bench.app.sinks] == [0] * len(bench.app.sinks)
    if case.in_body:
        assert bench.app.sinks[0].told[-1] == "closed"
    else:
        assert bench.app.sinks == []
    client.end()
    await turns()
    assert client.transport.lost
    await bench.hang_up()


@PROFILES
@bench_test
async def test_a_good_request_before_a_malformed_one_is_answered(profile: Profile) -> None:
    bench = Bench(profile=profile)
    client = bench.connect(get("/a") + b"GET / HTTP/1.1\r\nHost : a\r\n\r\n" + get("/b"))
    assert [sink.path for sink in bench.app.sinks] == ["/a"]
    assert client.statuses == [200, 400]
    assert not client.open


@bench_test
async def test_a_malformed_request_waits_for_the_answer_before_it() -> None:
    bench = Bench(App(later))
    client = bench.connect(get("/a") + b"garbage\r\n\r\n")
    assert client.received == b""
    answer(bench.app.sinks[0])
    await turns()
    assert client.statuses == [200, 400]


@bench_test
async def test_malformed_content_behind_half_an_answer_breaks_it_off() -> None:
    def begin(sink: Sink) -> None:
        sink.exchange.start(200, "OK", b"", -1, b"half")

    bench = Bench(App(on_begin=begin))
    client = bench.connect(get("/", "Transfer-Encoding: chunked", method="POST") + b"x\r\n")
    assert client.statuses == [200]
    assert not client.responses()[0].complete
    assert client.transport.aborted
    assert bench.app.sinks[0].told == ["closed"]
    await bench.hang_up()


@bench_test
async def test_malformed_content_behind_a_whole_answer_gets_no_other() -> None:
    bench = Bench(App(on_begin=lambda sink: answer(sink, b"early")))
    client = bench.connect(get("/", "Transfer-Encoding: chunked", method="POST") + b"x\r\n")
    assert [response.body for response in client.responses()] == [b"early"]
    assert client.responses()[0].complete
    assert bench.server.malformed == 1
    assert not client.open
    assert not client.transport.aborted
    assert bench.app.sinks[0].told == []


@bench_test
async def test_a_malformed_head_request_is_refused_without_content() -> None:
    bench = Bench()
    client = bench.connect(get("/", "Transfer-Encoding: chunked", method="HEAD") + b"x\r\n")
    assert client.received.startswith(b"HTTP/1.1 400 ")
    assert client.received.endswith(b"\r\n\r\n")
    assert client.received.count(b"\r\n\r\n") == 1


@bench_test
async def test_one_client_cannot_flood_the_log(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    with caplog.at_level(logging.INFO, "tornado.general"):
        for _ in range(50):
            bench.connect(b"garbage\r\n\r\n")
    assert bench.server.malformed == 50
    assert len(caplog.records) == 1


# -- what applications do -------------------------------------------------------------------------------


def fails(sink: Sink, *_: Any) -> None:
    raise KeyError("from the application")


def answers_and_fails(sink: Sink, *_: Any) -> None:
    answer(sink)
    raise KeyError("from the application")


def begins_and_fails(sink: Sink, *_: Any) -> None:
    sink.exchange.start(200, "OK", b"", 10, b"half")
    raise KeyError("from the application")


@pytest.mark.parametrize("where", ["on_begin", "on_data", "on_end"])
@bench_test
async def test_an_exception_is_logged_and_answered(where: str, caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(App(**{where: fails}))  # type: ignore[arg-type]
    client = bench.connect(post(b"hello") + get("/b"))
    assert client.statuses == [500]
    assert client.responses()[0].complete
    assert not client.open
    assert "KeyError: 'from the application'" in caplog.text
    assert "Uncaught exception" in caplog.text
    assert bench.server.malformed == 0
    # One that failed to begin has nothing to close.
    assert [sink.told.count("closed") for sink in bench.app.sinks] == [0 if where == "on_begin" else 1]
    await bench.hang_up()


@pytest.mark.parametrize("where", ["on_begin", "on_data", "on_end"])
@bench_test
async def test_an_exception_behind_the_answer_is_only_logged(
    where: str, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench(App(**{where: answers_and_fails}))  # type: ignore[arg-type]
    client = bench.connect(post(b"hello", "/a"))
    bench.app.on_begin = bench.app.on_data = None
    bench.app.on_end = answer
    client.send(get("/b"))
    assert [response.body for response in client.responses()] == [b"/a", b"/b"]
    assert caplog.text.count("KeyError: 'from the application'") >= 1
    assert [sink.told.count("closed") for sink in bench.app.sinks] == [0, 0]
    assert client.open
    await bench.hang_up()


@pytest.mark.parametrize("where", ["on_begin", "on_data", "on_end"])
@bench_test
async def test_an_exception_in_the_middle_of_the_answer_breaks_it_off(
    where: str, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench(App(**{where: begins_and_fails}))  # type: ignore[arg-type]
    client = bench.connect(post(b"hello", "/a") + get("/b"))
    assert client.statuses == [200]
    assert not client.responses()[0].complete
    assert client.transport.aborted
    assert len(bench.app.sinks) == 1
    assert "from the application" in caplog.text
    await bench.hang_up()


@pytest.mark.parametrize("where", ["on_begin", "on_data", "on_end"])
@bench_test
async def test_an_application_may_find_a_request_malformed(where: str) -> None:
    def refuse(sink: Sink, *_: Any) -> None:
        raise RemoteProtocolError(422, "no sense in it")

    bench = Bench(App(**{where: refuse}))  # type: ignore[arg-type]
    client = bench.connect(post(b"hello") + get("/b"))
    assert client.statuses == [422]
    assert bench.server.malformed == 1
    assert not client.open


@pytest.mark.parametrize("kind", ["raises", "refuses", "is cancelled"])
@bench_test
async def test_what_is_awaited_may_fail(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    async def consume() -> None:
        await asyncio.sleep(0)
        if kind == "raises":
            raise KeyError("from the application")
        if kind == "refuses":
            raise RemoteProtocolError(422, "no sense in it")
        raise asyncio.CancelledError

    bench = Bench(App(on_data=lambda sink, chunk: consume()))
    client = bench.connect(post(b"hello"))
    await turns()
    assert client.statuses == [422 if kind == "refuses" else 500]
    assert bench.app.sinks[0].told == ["data", "closed"]
    assert not client.open
    await bench.hang_up()


@bench_test
async def test_an_answer_may_come_while_content_is_awaited() -> None:
    wait: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    bench = Bench(App(on_data=lambda sink, chunk: wait))
    client = bench.connect(get("/", "Content-Length: 9", method="POST") + b"abc")
    answer(bench.app.sinks[0])
    client.send(b"def")
    await turns()
    wait.set_result(None)
    await turns()
    client.send(b"ghi")
    await turns()
    assert bench.app.sinks[0].content == b"abc"
    client.send(get("/b"))
    await turns()
    assert client.statuses == [200, 200]
    await bench.hang_up()


# -- answers before the whole request -------------------------------------------------------------------


@bench_test
async def test_the_little_that_is_missing_is_read_and_dropped() -> None:
    bench = Bench(App(on_begin=answer))
    client = bench.connect(get("/a", "Content-Length: 1000", method="POST"))
    assert client.statuses == [200]
    assert client.responses()[0].keep_alive
    client.send(b"x" * 600)
    client.send(b"x" * 400 + get("/b"))
    assert [response.body for response in client.responses()] == [b"/a", b"/b"]
    assert [sink.told for sink in bench.app.sinks] == [[], []]
    assert client.open


@bench_test
async def test_much_that_is_missing_is_not() -> None:
    bench = Bench(App(on_begin=answer))
    client = bench.connect(get("/a", "Content-Length: 1000000", method="POST") + b"x" * 1000)
    assert client.responses()[0].fields["Connection"] == "close"
    assert client.transport.eof
    assert not client.transport.closing
    for _ in range(100):
        client.send(b"x" * 1000)
    client.send(b"GET /b HTTP/1.1\r\n")
    assert bench.app.sinks[0].told == []
    client.end()
    await turns()
    assert client.transport.lost
    assert not client.transport.aborted
    assert len(bench.app.sinks) == 1
    await bench.hang_up()


@bench_test
async def test_chunks_are_dropped_up_to_a_limit() -> None:
    profile = NATIVE.replace(unread_body_bytes=100)
    bench = Bench(App(on_begin=answer), profile=profile)
    client = bench.connect(get("/a", "Transfer-Encoding: chunked", method="POST"))
    client.send(b"64\r\n" + b"x" * 100 + b"\r\n")
    assert client.open
    client.send(b"1\r\nx\r\n")
    assert not client.open
    assert client.statuses == [200]


@bench_test
async def test_what_was_read_before_the_answer_does_not_count() -> None:
    profile = NATIVE.replace(unread_body_bytes=100)
    bench = Bench(App(), profile=profile)
    client = bench.connect(get("/a", "Content-Length: 100000", method="POST") + b"x" * 99_950)
    answer(bench.app.sinks[0])
    client.send(b"x" * 50 + get("/b"))
    assert client.statuses == [200, 200]
    assert client.open


@bench_test
async def test_a_streamed_answer_to_a_large_request_keeps_the_connection() -> None:
    def echo(sink: Sink, chunk: bytes) -> None:
        sink.exchange.write(chunk)

    bench = Bench(
        App(
            lambda sink: sink.exchange.finish(),
            on_begin=lambda sink: sink.exchange.start(200, "OK", b"", -1, b""),
            on_data=echo,
        )
    )
    client = bench.connect(get("/a", "Content-Length: 200000", method="POST") + b"x" * 1000)
    assert "Connection" not in client.responses()[0].fields
    client.send(b"x" * 199_000 + post(b"more", "/b"))
    assert [len(response.body) for response in client.responses()] == [200_000, 4]
    assert client.open


# -- the probes -----------------------------------------------------------------------------------------


@bench_test
async def test_connections_are_seen() -> None:
    seen: list[tuple[str, object]] = []
    detach = [
        probe.connection_open.attach(lambda connection: seen.append(("open", connection))),
        probe.connection_close.attach(lambda connection, error: seen.append(("close", error))),
    ]
    try:
        bench = Bench()
        client = bench.connect(get())
        client.transport.reset()
        await turns()
    finally:
        for each in detach:
            each()
    assert [what for what, _ in seen] == ["open", "close"]
    assert isinstance(seen[1][1], ConnectionResetError)


@pytest.mark.parametrize(
    ("peer", "address"),
    [(("::1", 1, 0, 0), "::1"), ("", "127.0.0.1"), (None, "127.0.0.1"), (b"", "127.0.0.1")],
)
@bench_test
async def test_the_address_of_the_client(peer: Any, address: str) -> None:
    bench = Bench()
    assert bench.connect(peer=peer).connection.remote_ip == address
