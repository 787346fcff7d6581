"""Responses as they are framed, and what an application can't get into them."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eyewall.guard.profile import NATIVE
from eyewall.http.errors import HTTPOutputError
from eyewall.http.exchange import Exchange
from eyewall.http.headers import HTTPHeaders
from eyewall.http.startline import ResponseStartLine
from eyewall.net.errors import StreamClosedError

from .wire import App, Bench, Client, Response, Sink, bench_test, get, later, post, turns


def serve(
    answer: Callable[[Exchange], object],
    *fields: str,
    method: str = "GET",
    version: str = "1.1",
    more: bytes = b"",
) -> Client:
    bench = Bench(App(lambda sink: answer(sink.exchange)))
    return bench.connect(get("/", *fields, method=method, version=version) + more)


def one(client: Client, method: str = "GET") -> Response:
    (response,) = client.responses(method)
    return response


BLOCK = b"X-A: 1\r\n"

# -- whole responses ------------------------------------------------------------------------------------


@bench_test
async def test_a_whole_response_is_one_write() -> None:
    client = serve(lambda exchange: exchange.respond(200, "OK", BLOCK, b"hello", 5))
    assert client.received == b"HTTP/1.1 200 OK\r\nX-A: 1\r\nContent-Length: 5\r\n\r\nhello"
    assert len(client.transport.writes) == 1


@bench_test
async def test_a_large_response_is_not_copied_into_its_head() -> None:
    body = b"x" * 100_000
    client = serve(lambda exchange: exchange.respond(200, "OK", BLOCK, body, len(body)))
    assert one(client).body == body


@pytest.mark.parametrize("code", [200, 404])
@bench_test
async def test_head_has_the_length_and_no_content(code: int) -> None:
    client = serve(lambda exchange: exchange.respond(code, "X", BLOCK, b"hello", 5), method="HEAD")
    assert client.received == b"HTTP/1.1 %d X\r\nX-A: 1\r\nContent-Length: 5\r\n\r\n" % code
    assert client.open


@pytest.mark.parametrize(("code", "length"), [(204, False), (304, True)])
@bench_test
async def test_statuses_without_content(code: int, length: bool) -> None:
    for answer in (
        lambda exchange: exchange.respond(code, "X", b"", b"hello", 5),
        lambda exchange: (
            exchange.start(code, "X", b"", 5, b"hello"),
            exchange.write(b"more"),
            exchange.finish(),
        ),
    ):
        client = serve(answer)
        line = b"Content-Length: 5\r\n" if length else b""
        assert client.received == b"HTTP/1.1 %d X\r\n" % code + line + b"\r\n"
        assert client.open
    client = serve(lambda exchange: (exchange.start(code, "X", b"", -1, b""), exchange.finish()))
    assert client.received == b"HTTP/1.1 %d X\r\n\r\n" % code


@bench_test
async def test_a_response_is_written_once() -> None:
    def twice(exchange: Exchange) -> None:
        exchange.respond(200, "OK", b"", b"a", 1)
        for again in (
            lambda: exchange.respond(200, "OK", b"", b"b", 1),
            lambda: exchange.start(200, "OK", b"", -1, b""),
            lambda: exchange.write(b"b"),
        ):
            with pytest.raises(HTTPOutputError):
                again()
        exchange.finish()

    assert one(serve(twice)).body == b"a"


@pytest.mark.parametrize("reason", ["a\r\nX: y", "a\0", "\x1b[m"])
@bench_test
async def test_a_reason_cannot_split_the_response(reason: str) -> None:
    """What can't be written was not begun: another answer can still be given."""

    def answer(exchange: Exchange) -> None:
        with pytest.raises(HTTPOutputError):
            exchange.respond(200, reason, b"", b"a", 1)
        with pytest.raises(HTTPOutputError):
            exchange.start(200, reason, b"", -1, b"")
        assert not exchange.started
        exchange.respond(500, "X", b"", b"b", 1)

    assert [(response.status, response.body) for response in serve(answer).responses()] == [(500, b"b")]


# -- responses in pieces --------------------------------------------------------------------------------


def in_pieces(length: int, *pieces: bytes) -> Callable[[Exchange], None]:
    def answer(exchange: Exchange) -> None:
        first, *rest = pieces
        exchange.start(200, "OK", BLOCK, length, first)
        for piece in rest:
            exchange.write(piece)
        exchange.finish()

    return answer


@bench_test
async def test_chunks() -> None:
    client = serve(in_pieces(-1, b"he", b"", b"llo", b"x" * 40_000))
    response = one(client)
    assert response.chunked
    assert response.complete
    assert response.body == b"hello" + b"x" * 40_000
    assert client.received.startswith(
        b"HTTP/1.1 200 OK\r\nX-A: 1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n9c40\r\n"
    )
    assert client.received.endswith(b"xx\r\n0\r\n\r\n")
    assert client.open


@bench_test
async def test_an_empty_chunked_response() -> None:
    client = serve(in_pieces(-1, b""))
    assert client.received.endswith(b"\r\n\r\n0\r\n\r\n")
    assert one(client).complete


@bench_test
async def test_a_counted_response() -> None:
    client = serve(in_pieces(7, b"", b"hello", b"", b"!!"))
    response = one(client)
    assert (response.body, response.fields["Content-Length"], response.chunked) == (b"hello!!", "7", False)
    assert client.open


@bench_test
async def test_an_old_client_gets_no_chunks() -> None:
    client = serve(in_pieces(-1, b"he", b"llo"), "Connection: keep-alive", version="1.0")
    assert client.received == b"HTTP/1.1 200 OK\r\nX-A: 1\r\nConnection: close\r\n\r\nhello"
    assert not client.open
    await turns()
    assert one(client).complete


@bench_test
async def test_head_in_pieces() -> None:
    for length in (-1, 5):
        client = serve(in_pieces(length, b"he", b"llo"), method="HEAD")
        assert client.received.count(b"\r\n\r\n") == 1
        assert client.received.endswith(b"\r\n\r\n")
        assert client.open


@pytest.mark.parametrize("pieces", [(b"hello!",), (b"hello", b"!"), (b"", b"x" * 50_000)])
@bench_test
async def test_more_than_announced_breaks_the_connection(pieces: tuple[bytes, ...]) -> None:
    def answer(exchange: Exchange) -> None:
        with pytest.raises(HTTPOutputError, match="Tried to write more data than Content-Length"):
            in_pieces(5, *pieces)(exchange)
        assert exchange.over

    client = serve(answer, more=get("/b"))
    assert client.transport.aborted
    assert len(client.received.partition(b"\r\n\r\n")[2]) <= 5
    await turns()
    assert client.transport.lost


@bench_test
async def test_less_than_announced_breaks_the_connection() -> None:
    def answer(exchange: Exchange) -> None:
        with pytest.raises(HTTPOutputError, match="Tried to write 2 bytes less than Content-Length"):
            in_pieces(5, b"hel")(exchange)
        assert exchange.over

    client = serve(answer, more=get("/b"))
    assert client.transport.aborted
    assert not one(client).complete


@bench_test
async def test_an_application_that_writes_the_head_itself() -> None:
    def answer(exchange: Exchange) -> None:
        exchange.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
        exchange.write(b"ok")
        exchange.finish()

    client = serve(answer, more=get("/b"))
    assert client.received == b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    assert not client.open


@bench_test
async def test_nothing_finishes_that_has_not_begun() -> None:
    def answer(exchange: Exchange) -> None:
        with pytest.raises(HTTPOutputError, match="can't finish before it begins"):
            exchange.finish()
        exchange.respond(200, "OK", b"", b"", 0)

    assert one(serve(answer)).complete


@bench_test
async def test_buffers_may_be_written() -> None:
    def answer(exchange: Exchange) -> None:
        exchange.start(200, "OK", b"", -1, b"")
        exchange.write(bytearray(b"he"))  # type: ignore[arg-type]
        exchange.write(memoryview(b"llo"))  # type: ignore[arg-type]
        exchange.finish()

    assert one(serve(answer)).body == b"hello"


# -- backpressure ---------------------------------------------------------------------------------------


@bench_test
async def test_a_slow_reader_pauses_the_writer() -> None:
    written: list[int] = []

    async def stream(sink: Sink) -> None:
        await sink.exchange.start(200, "OK", b"", 40 * 10_000, b"")
        for _ in range(40):
            await sink.exchange.write(b"x" * 10_000)
            written.append(1)
        sink.exchange.finish()

    tasks: list[asyncio.Task[None]] = []
    bench = Bench(App(lambda sink: tasks.append(asyncio.ensure_future(stream(sink)))))
    client = bench.connect()
    client.transport.narrow = 0
    client.send(get())
    await turns(60)
    assert len(written) == NATIVE.write_high_water // 10_000
    assert len(client.transport.kept) < NATIVE.write_high_water + 11_000
    client.transport.take(30_000)
    await turns(60)
    assert len(written) < 20
    client.transport.take()
    await turns(200)
    assert tasks[0].done()
    assert one(client).complete
    assert len(one(client).body) == 400_000
    await bench.hang_up()


@bench_test
async def test_what_need_not_wait_is_the_shared_future() -> None:
    bench = Bench(App(later))
    bench.connect(get())
    exchange = bench.app.exchanges[0]
    first = exchange.start(200, "OK", b"", -1, b"a")
    assert first.done()
    assert exchange.write(b"b") is first


# -- files ----------------------------------------------------------------------------------------------


@bench_test
async def test_a_file_needs_a_length_that_it_does_not_exceed() -> None:
    with tempfile.TemporaryFile() as file:
        file.write(b"hello")
        bench = Bench(App(later))
        bench.connect(get())
        exchange = bench.app.exchanges[0]
        with pytest.raises(StreamClosedError):
            await exchange.send_file(file, 0, 5)
        exchange.start(200, "OK", b"", -1, b"")
        with pytest.raises(HTTPOutputError, match="Content-Length"):
            await exchange.send_file(file, 0, 5)
        client = bench.connect(get())
        exchange = bench.app.exchanges[1]
        exchange.start(200, "OK", b"", 4, b"")
        with pytest.raises(HTTPOutputError, match="Content-Length"):
            await exchange.send_file(file, 0, 5)
        assert client.open


@bench_test
async def test_a_head_request_for_a_file() -> None:
    bench = Bench(App(later))
    client = bench.connect(get(method="HEAD"))
    exchange = bench.app.exchanges[0]
    exchange.start(200, "OK", b"", 5, b"")
    with Path(__file__).open("rb") as file:
        await exchange.send_file(file, 0, 5)
    exchange.finish()
    assert client.received == b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
    assert client.open


# -- Tornado's HTTPConnection ---------------------------------------------------------------------------


def by_headers(
    headers: dict[str, str] | HTTPHeaders, *pieces: bytes, code: int = 200
) -> Callable[[Exchange], Any]:
    def answer(exchange: Exchange) -> None:
        given = headers if isinstance(headers, HTTPHeaders) else HTTPHeaders(headers)
        before = list(given.get_all())
        exchange.write_headers(
            ResponseStartLine("HTTP/1.1", code, "Reason"), given, pieces[0] if pieces else None
        )
        for piece in pieces[1:]:
            exchange.write(piece)
        exchange.finish()
        assert list(given.get_all()) == before

    return answer


@bench_test
async def test_write_headers() -> None:
    response = one(serve(by_headers({"X-A": "1"}, b"he", b"llo")))
    assert (response.reason, response.chunked, response.body) == ("Reason", True, b"hello")
    assert response.fields["X-A"] == "1"
    response = one(serve(by_headers({"content-length": "5"}, b"hello")))
    assert (response.chunked, response.fields["Content-Length"]) == (False, "5")
    assert one(serve(by_headers({"Content-Length": "0"}))).complete


@bench_test
async def test_an_application_does_not_frame() -> None:
    for coding in ("chunked", "identity", "gzip"):
        client = serve(by_headers({"Transfer-Encoding": coding, "Content-Length": "5"}, b"hello"))
        assert b"Transfer-Encoding" not in client.received
        client = serve(by_headers({"Transfer-Encoding": coding}, b"hello"))
        assert client.received.count(b"Transfer-Encoding: chunked\r\n") == 1
        assert one(client).body == b"hello"


@pytest.mark.parametrize("length", ["x", "+5", "5, 5", "-1", "\u0665", ""])
@bench_test
async def test_a_malformed_length_is_not_written(length: str) -> None:
    def answer(exchange: Exchange) -> None:
        with pytest.raises(HTTPOutputError, match="malformed Content-Length"):
            by_headers({"Content-Length": length}, b"hello")(exchange)
        exchange.respond(500, "X", b"", b"", 0)

    assert one(serve(answer)).status == 500


@bench_test
async def test_two_lengths_are_not_written() -> None:
    headers = HTTPHeaders()
    headers.add("Content-Length", "5")
    headers.add("Content-Length", "6")

    def answer(exchange: Exchange) -> None:
        with pytest.raises(HTTPOutputError, match="malformed Content-Length"):
            by_headers(headers, b"hello")(exchange)
        exchange.respond(500, "X", b"", b"", 0)

    assert one(serve(answer)).status == 500


@pytest.mark.parametrize(
    ("value", "closes"), [("close", True), ("Close, x", True), ("keep-alive", False), ("closed", False)]
)
@bench_test
async def test_the_connection_is_the_applications_to_end(value: str, closes: bool) -> None:
    client = serve(by_headers({"Connection": value, "Content-Length": "0"}))
    assert client.received.count(b"Connection") == closes
    assert client.open is not closes


# -- limits of one request ------------------------------------------------------------------------------


@bench_test
async def test_the_largest_body_of_one_request() -> None:
    bench = Bench(
        App(on_begin=lambda sink: sink.exchange.set_max_body_size(5 if sink.path == "/small" else 500))
    )
    client = bench.connect(post(b"x" * 500, "/large") + post(b"x" * 5, "/small") + post(b"x" * 6, "/small"))
    assert client.statuses == [200, 200, 413]
    assert bench.app.sinks[2].told == ["closed"]
    bench = Bench(profile=NATIVE.replace(body_bytes=5))
    client = bench.connect(post(b"x" * 6))
    assert client.statuses == [413]
    # A larger one, too, than the profile's.
    bench = Bench(
        App(on_begin=lambda sink: sink.exchange.set_max_body_size(10)), profile=NATIVE.replace(body_bytes=5)
    )
    assert bench.connect(post(b"x" * 10)).statuses == [200]


@bench_test
async def test_an_exchange_that_is_over_does_nothing_to_the_next() -> None:
    bench = Bench(App(later))
    client = bench.connect(get("/a") + get("/b", "Content-Length: 500", method="POST"))
    first = bench.app.exchanges[0]
    first.respond(200, "OK", b"", b"a", 1)
    await turns()
    second = bench.app.exchanges[1]
    first.set_max_body_size(1)
    first.set_body_timeout(0.5)
    first.break_off()
    first.finish()
    for misuse in (lambda: first.write(b"x"), lambda: first.respond(200, "OK", b"", b"", 0)):
        with pytest.raises(HTTPOutputError):
            misuse()
    await bench.advance(3)
    client.send(b"x" * 500)
    second.respond(200, "OK", b"", b"b", 1)
    assert [response.body for response in client.responses()] == [b"a", b"b"]
    assert client.open


@bench_test
async def test_a_response_can_be_broken_off() -> None:
    called: list[str] = []
    bench = Bench(App(later, on_closed=lambda sink: called.append("closed")))
    client = bench.connect(get() + get("/b"))
    exchange = bench.app.exchanges[0]
    exchange.set_close_callback(lambda: called.append("callback"))
    exchange.start(200, "OK", b"", -1, b"half")
    exchange.break_off()
    assert client.transport.aborted
    await turns()
    # Whoever breaks off need not be told.
    assert called == []
    assert exchange.over
    assert len(bench.app.sinks) == 1
    await bench.hang_up()


# -- request ids ----------------------------------------------------------------------------------------


@bench_test
async def test_the_request_id_is_returned_unless_the_application_does() -> None:
    def answer(exchange: Exchange) -> None:
        exchange.request_id = "abc"
        exchange.respond(200, "OK", b"", b"", 0)

    assert one(serve(answer)).fields["X-Request-Id"] == "abc"

    def own(exchange: Exchange) -> None:
        exchange.request_id = "abc"
        exchange.respond(200, "OK", b"X-Request-Id: own\r\n", b"", 0)

    client = serve(own)
    assert client.received.count(b"X-Request-I") == 1
    assert one(client).fields["X-Request-Id"] == "own"
