"""Every wait of a connection, and what ends it, on a clock that the test turns."""

from __future__ import annotations

import asyncio
import logging

import pytest

from eyewall.guard.profile import NATIVE, TORNADO
from eyewall.http.errors import BodyTooSlow, RequestTimeout

from .wire import App, Bench, Sink, answer, bench_test, get, later, post, turns

# A wheel may be a tick late, and a deadline that was moved earlier is found at the next look.
LATE = 3.0


async def ends_between(bench: Bench, client: object, soonest: float, latest: float) -> None:
    """Asserts that the connection is open up to `soonest` seconds from now, and no longer by `latest`."""
    await bench.advance(soonest - 1)
    assert client.open  # type: ignore[attr-defined]
    await bench.advance(latest - soonest + 1)
    assert not client.open  # type: ignore[attr-defined]


# -- heads ----------------------------------------------------------------------------------------------


@bench_test
async def test_a_silent_connection_is_closed() -> None:
    bench = Bench()
    client = bench.connect()
    await ends_between(bench, client, 10, 10 + LATE)
    assert client.received == b""
    assert client.transport.lost
    assert bench.server.malformed == 0
    await bench.hang_up()


@bench_test
async def test_a_trickled_head_is_cut_off_at_the_deadline(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "tornado.general")
    bench = Bench()
    client, other = bench.connect(), bench.connect(get("/other"))
    seconds = 0
    for octet in get("/", "X: " + "y" * 100):
        if not client.open:
            break
        client.send(bytes([octet]))
        await bench.advance(1)
        seconds += 1
    assert 10 <= seconds <= 10 + LATE
    assert client.statuses == [408]
    assert client.responses()[0].fields["Connection"] == "close"
    assert bench.server.malformed == 1
    assert "head not complete within 10 s" in caplog.text
    assert bench.app.sinks[0].path == "/other"
    other.send(get("/again"))
    assert other.statuses == [200, 200]
    await bench.hang_up()


@bench_test
async def test_empty_lines_do_not_extend_it() -> None:
    bench = Bench()
    client = bench.connect(b"\r\n")
    await bench.advance(5)
    client.send(b"\r\n")
    await ends_between(bench, client, 5, 5 + LATE)


@bench_test
async def test_the_next_head_has_its_time_from_its_first_byte() -> None:
    bench = Bench()
    client = bench.connect(get())
    await bench.advance(60)
    client.send(b"G")
    await bench.advance(8)
    client.send(b"E")
    await ends_between(bench, client, 2, 2 + LATE)
    assert client.statuses == [200, 408]


@bench_test
async def test_a_head_that_comes_behind_a_request_has_its_time_from_the_answer() -> None:
    bench = Bench(App(later))
    client = bench.connect(get("/a") + b"GET /b HTTP/1.1\r\n")
    await bench.advance(100)
    answer(bench.app.sinks[0])
    await turns()
    await ends_between(bench, client, 10, 10 + LATE)
    assert client.statuses == [200, 408]


@bench_test
async def test_the_first_connection_of_a_wheel_that_rested_has_its_time() -> None:
    bench = Bench()
    bench.clock.advance(1000)
    await ends_between(bench, bench.connect(), 10, 10 + LATE)


@bench_test
async def test_an_idle_connection_is_closed() -> None:
    bench = Bench()
    client = bench.connect(get())
    await bench.advance(50)
    client.send(get())
    await ends_between(bench, client, 75, 75 + LATE)
    assert client.statuses == [200, 200]
    assert client.transport.lost
    await bench.hang_up()


@bench_test
async def test_a_handler_has_all_the_time_it_needs() -> None:
    bench = Bench(App(later))
    client = bench.connect(get())
    await bench.advance(10_000)
    assert client.open
    answer(bench.app.sinks[0])
    assert client.statuses == [200]
    await bench.hang_up()


@bench_test
async def test_a_time_of_nothing_is_no_deadline() -> None:
    profile = NATIVE.replace(head_timeout=0.0, idle_timeout=0.0, body_min_rate=0.0)
    bench = Bench(profile=profile)
    client = bench.connect()
    await bench.advance(200)
    client.send(b"GE")
    await bench.advance(200)
    client.send(b"T / HTTP/1.1\r\nHost: a\r\n\r\n")
    await bench.advance(200)
    client.send(get("/", "Content-Length: 5", method="POST"))
    await bench.advance(200)
    client.send(b"hello")
    assert client.statuses == [200, 200]
    await bench.hang_up()


@bench_test
async def test_a_short_idle_time_holds_for_the_first_request_too() -> None:
    bench = Bench(profile=TORNADO.replace(idle_timeout=3.0))
    silent, used = bench.connect(), bench.connect(get())
    await ends_between(bench, silent, 3, 3 + LATE)
    assert not used.open


# -- content --------------------------------------------------------------------------------------------


@bench_test
async def test_content_that_never_comes() -> None:
    bench = Bench()
    client = bench.connect(get("/", "Content-Length: 1000", method="POST"))
    await ends_between(bench, client, 5, 5 + LATE)
    assert client.statuses == [408]
    assert bench.app.sinks[0].told == ["closed"]
    await bench.hang_up()


@pytest.mark.parametrize(("rate", "enough"), [(100, False), (300, True)])
@bench_test
async def test_content_that_is_too_slow(rate: int, enough: bool, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "tornado.general")
    bench = Bench()
    client = bench.connect(get("/", "Content-Length: 6000", method="POST"))
    for _ in range(6000 // rate):
        await bench.advance(1)
        if client.open:
            client.send(b"x" * rate)
    assert client.statuses == [200 if enough else 408]
    assert ("body slower than 240 bytes a second" in caplog.text) is not enough
    await bench.hang_up()


@bench_test
async def test_a_good_beginning_is_no_excuse_for_ever() -> None:
    bench = Bench()
    client = bench.connect(get("/", "Content-Length: 100000", method="POST") + b"x" * 2400)
    # 2400 bytes are ten seconds' worth, behind the grace of five.
    await ends_between(bench, client, 15, 15 + LATE)
    assert client.statuses == [408]


@bench_test
async def test_chunks_count_by_their_content() -> None:
    bench = Bench()
    client = bench.connect(get("/", "Transfer-Encoding: chunked", method="POST"))
    for _ in range(20):
        await bench.advance(1)
        if client.open:
            client.send(b"1;" + b"e" * 500 + b"\r\nx\r\n")
    assert client.statuses == [408]


@bench_test
async def test_a_client_is_not_to_blame_for_an_application_that_takes_its_time() -> None:
    waits: list[asyncio.Future[None]] = []

    def slowly(sink: Sink, chunk: bytes) -> asyncio.Future[None]:
        waits.append(asyncio.get_running_loop().create_future())
        return waits[-1]

    bench = Bench(App(on_data=slowly))
    client = bench.connect(get("/", "Content-Length: 2000", method="POST") + b"x" * 500)
    await bench.advance(1000)
    assert client.open
    waits[-1].set_result(None)
    await turns()
    await bench.advance(4)
    client.send(b"x" * 500)
    await bench.advance(1000)
    waits[-1].set_result(None)
    await turns()
    assert client.open
    # From here on it is.
    await ends_between(bench, client, 5, 12)
    assert client.statuses == [408]
    await bench.hang_up()


@bench_test
async def test_a_client_is_not_to_blame_for_an_answer_that_it_cannot_send_through() -> None:
    """An echo whose answer the client reads late: content waits for the writer, the writer for the client."""
    bench = Bench(
        App(
            lambda sink: sink.exchange.finish(),
            on_begin=lambda sink: sink.exchange.start(200, "OK", b"", -1, b""),
            on_data=lambda sink, chunk: sink.exchange.write(chunk),
        )
    )
    client = bench.connect(get("/", "Content-Length: 200000", method="POST"))
    client.transport.narrow = 0
    client.send(b"x" * 100_000)
    client.send(b"x" * 100_000)
    assert not client.transport.reading
    await bench.advance(40)
    assert client.open
    client.transport.take()
    await turns()
    assert client.responses()[0].body == b"x" * 200_000
    await bench.hang_up()


@bench_test
async def test_a_whole_body_may_have_a_deadline() -> None:
    bench = Bench(profile=NATIVE.replace(body_timeout=20.0))
    client = bench.connect(get("/", "Content-Length: 1000000", method="POST"))
    for _ in range(19):
        client.send(b"x" * 1000)
        await bench.advance(1)
    await ends_between(bench, client, 1, 1 + LATE)
    assert client.statuses == [408]


@bench_test
async def test_an_application_may_set_the_deadline_of_a_body() -> None:
    bench = Bench(App(on_begin=lambda sink: sink.exchange.set_body_timeout(3.0)))
    client = bench.connect(get("/", "Content-Length: 1000000", method="POST") + b"x" * 100_000)
    await ends_between(bench, client, 3, 3 + LATE)
    bench.app.on_begin = None
    client = bench.connect(get("/", "Content-Length: 1000000", method="POST") + b"x" * 100_000)
    await bench.advance(20)
    assert client.open
    bench.app.sinks[-1].exchange.set_body_timeout(5.0)
    await ends_between(bench, client, 5, 5 + LATE)
    # Not of one that has come.
    client = bench.connect(post(b"hello"))
    bench.app.sinks[-1].exchange.set_body_timeout(1.0)
    await bench.advance(30)
    assert client.open


@bench_test
async def test_a_client_that_was_told_to_continue_and_does_not() -> None:
    bench = Bench()
    client = bench.connect(get("/", "Expect: 100-continue", "Content-Length: 1000", method="POST"))
    await ends_between(bench, client, 5, 5 + LATE)
    assert client.statuses == [100, 408]


@bench_test
async def test_the_rest_of_an_answered_request_has_its_time_too() -> None:
    bench = Bench(App(on_begin=answer))
    client = bench.connect(get("/a", "Content-Length: 1000", method="POST"))
    await ends_between(bench, client, 5, 5 + LATE)
    # It has its answer.
    assert client.statuses == [200]
    assert client.responses()[0].complete
    assert client.transport.eof


@bench_test
async def test_a_slow_body_behind_half_an_answer_breaks_it_off() -> None:
    bench = Bench(App(on_begin=lambda sink: sink.exchange.start(200, "OK", b"", -1, b"half")))
    client = bench.connect(get("/a", "Content-Length: 1000", method="POST"))
    await bench.advance(5 + LATE)
    assert client.transport.aborted
    assert not client.responses()[0].complete
    assert bench.app.sinks[0].told == ["closed"]
    await bench.hang_up()


@bench_test
async def test_tornados_profile_waits() -> None:
    bench = Bench(profile=TORNADO)
    silent = bench.connect()
    slow = bench.connect(get("/", "Content-Length: 1000", method="POST"))
    await bench.advance(3000)
    assert silent.open
    assert slow.open
    await bench.advance(700)
    assert not silent.open
    assert slow.open
    assert silent.received == b""
    await bench.hang_up()


@bench_test
async def test_who_is_late_is_told_nothing_in_two_words() -> None:
    bench = Bench(profile=TORNADO.replace(body_timeout=3.0, head_timeout=3.0))
    body = bench.connect(get("/", "Content-Length: 1000", method="POST"))
    head = bench.connect(b"GET /")
    await bench.advance(3 + LATE)
    assert not body.open
    assert not head.open
    assert body.received == head.received == b""


# -- writing --------------------------------------------------------------------------------------------


@bench_test
async def test_a_client_that_takes_nothing_is_dropped(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "tornado.general")
    bench = Bench(App(lambda sink: answer(sink, b"x" * 500_000)))
    client = bench.connect()
    client.transport.narrow = 1000
    client.send(get())
    assert client.connection.paused
    await ends_between(bench, client, 60, 60 + 20)
    assert client.transport.aborted
    assert "took nothing" in caplog.text
    await bench.hang_up()


@bench_test
async def test_a_client_that_takes_little_is_not() -> None:
    bench = Bench(App(lambda sink: answer(sink, b"x" * 100_000)))
    client = bench.connect()
    client.transport.narrow = 1000
    client.send(get("/", "Connection: close"))
    for _ in range(10):
        await bench.advance(40)
        assert not client.transport.aborted
        client.transport.take(10_000)
    client.transport.take()
    await turns()
    assert client.responses()[0].complete
    assert client.transport.lost
    await bench.hang_up()


@bench_test
async def test_a_close_waits_for_the_client_only_so_long() -> None:
    bench = Bench()
    client = bench.connect()
    client.transport.narrow = 10
    client.send(get("/", "Connection: close"))
    assert client.transport.closing
    await bench.advance(50)
    assert not client.transport.lost
    await bench.advance(30)
    assert client.transport.lost
    assert client.transport.aborted
    await bench.hang_up()


@bench_test
async def test_a_client_that_has_said_all_and_takes_nothing_is_dropped() -> None:
    bench = Bench()
    client = bench.connect()
    client.transport.narrow = 10
    client.send(get())
    client.end()
    await bench.advance(50)
    assert not client.transport.lost
    await bench.advance(30)
    assert client.transport.lost
    await bench.hang_up()


# -- lingering ------------------------------------------------------------------------------------------


@bench_test
async def test_a_refused_client_has_a_little_time_to_hear_of_it() -> None:
    bench = Bench()
    client = bench.connect(b"garbage\r\n\r\n")
    client.send(b"x" * 100_000)
    assert client.transport.eof
    assert not client.transport.closing
    await bench.advance(1)
    assert not client.transport.lost
    await bench.advance(2 + LATE)
    assert client.transport.lost
    assert client.statuses == [400]
    await bench.hang_up()


@bench_test
async def test_a_client_that_still_takes_its_answer_has_more() -> None:
    bench = Bench(App(on_begin=lambda sink: answer(sink, b"x" * 300_000)))
    client = bench.connect()
    client.transport.narrow = 1000
    client.send(get("/", "Content-Length: 1000000", method="POST"))
    for _ in range(10):
        await bench.advance(10)
        assert not client.transport.lost
        client.transport.take(20_000)
    client.transport.take()
    await bench.advance(2 * LATE + 2)
    assert client.responses()[0].complete
    assert client.transport.lost
    await bench.hang_up()


def test_the_statuses_of_time() -> None:
    assert RequestTimeout("x").status == BodyTooSlow("x").status == 408
