"""The driver with a fake transport and a clock that stands still unless it is turned."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from eyewall.base import probe
from eyewall.guard.profile import NATIVE
from eyewall.websocket.errors import NO_STATUS, WebSocketClosedError

from .fakes import Bench, Transport, masked


def echo(bench: Bench) -> None:
    bench.receiver.answer = lambda message: bench.connection.write_message(
        message, isinstance(message, bytes)
    )


def test_messages_go_both_ways() -> None:
    bench = Bench()
    echo(bench)
    bench.connection.data_received(masked(0x81, b"one") + masked(0x82, b"two") + masked(0x89, b"?"))
    bench.connection.data_received(masked(0x8A, b"!"))
    assert bench.receiver.events == ["one", b"two", ("ping", b"?"), ("pong", b"!")]
    assert bench.said() == ["one", b"two", ("pong", b"?")]


def test_a_write_that_need_not_wait_returns_the_shared_future() -> None:
    bench = Bench()
    first = bench.connection.write_message("a")
    assert first.done()
    assert bench.connection.write_message("b") is first


class TCPTransport(Transport):
    """One with a socket below, which takes what is not written to the transport."""

    __module__ = "uvloop.loop"

    def __init__(self, bench: Bench, sock: socket.socket) -> None:
        super().__init__(bench.loop)
        self.protocol = bench.connection
        self.sock = sock

    def get_extra_info(self, name: str) -> socket.socket:
        return self.sock


def test_the_answer_to_what_has_come_goes_to_the_socket_at_once() -> None:
    bench = Bench()
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    with ours, theirs:
        transport = TCPTransport(bench, ours)
        bench.connection.attach(transport)  # type: ignore[arg-type]
        echo(bench)
        bench.connection.data_received(masked(0x81, b"one") + masked(0x81, b"two") + masked(0x89, b"?"))
        assert theirs.recv(100) == b"\x81\x03one"
        # More of them may follow; whoever collects them has them.
        assert transport.take() == b"\x81\x03two\x8a\x01?"
        bench.connection.write_message("news")
        assert transport.take() == b"\x81\x04news"
        bench.connection.data_received(masked(0x89, b"!"))
        assert theirs.recv(100) == b"\x8a\x01!"
        transport.full = True
        bench.connection.write_message("waits")
        bench.connection.data_received(masked(0x8A, b"!"))
        bench.connection.write_message("behind it")
        assert transport.take() == b"\x81\x05waits\x81\x09behind it"


def test_nothing_is_handed_over_before_start() -> None:
    bench = Bench(held=True)
    bench.connection.data_received(masked(0x81, b"early"))
    assert bench.receiver.events == []
    bench.connection.start()
    assert bench.receiver.events == ["early"]
    bench.connection.data_received(masked(0x81, b"later"))
    assert bench.receiver.events == ["early", "later"]
    bench.connection.start()


# -- a busy receiver ------------------------------------------------------------------------------------


def test_the_next_message_waits_for_the_handler() -> None:
    bench = Bench()
    waits: list[asyncio.Future[None]] = []

    def slow(message: str | bytes) -> Awaitable[None]:
        waits.append(bench.loop.create_future())
        return waits[-1]

    bench.receiver.answer = slow
    bench.connection.data_received(masked(0x81, b"1") + masked(0x81, b"2"))
    bench.connection.data_received(masked(0x81, b"3"))
    assert bench.receiver.events == ["1"]
    waits[0].set_result(None)
    bench.settle()
    assert bench.receiver.events == ["1", "2"]
    waits[1].set_result(None)
    bench.settle()
    waits[2].set_result(None)
    bench.settle()
    assert bench.receiver.events == ["1", "2", "3"]
    assert bench.transport.reading


def test_reading_pauses_while_the_handler_is_busy_and_much_has_come() -> None:
    bench = Bench(NATIVE.replace(websocket_backlog_bytes=1000))
    wait: asyncio.Future[None] = bench.loop.create_future()
    bench.receiver.answer = lambda message: wait
    bench.connection.data_received(masked(0x81, b"1"))
    bench.connection.data_received(masked(0x82, bytes(500)))
    assert bench.transport.reading
    bench.connection.data_received(masked(0x82, bytes(500)))
    assert not bench.transport.reading
    bench.receiver.answer = lambda message: None
    wait.set_result(None)
    bench.settle()
    assert bench.transport.reading
    assert bench.receiver.events == ["1", bytes(500), bytes(500)]


def test_a_burst_gives_others_their_turn() -> None:
    bench = Bench(NATIVE.replace(websocket_burst=10))
    bench.connection.data_received(masked(0x82, b"x") * 35)
    turns = [len(bench.receiver.events)]
    assert not bench.transport.reading
    while bench.loop.turn():
        turns.append(len(bench.receiver.events))
    assert turns == [10, 20, 30, 35]
    assert bench.transport.reading


def test_bytes_that_come_from_within_a_handler_wait_their_turn() -> None:
    bench = Bench()

    def reenter(message: str | bytes) -> None:
        if message == "1":
            bench.connection.data_received(masked(0x81, b"3"))
            assert bench.receiver.events == ["1"]

    bench.receiver.answer = reenter
    bench.connection.data_received(masked(0x81, b"1") + masked(0x81, b"2"))
    assert bench.receiver.events == ["1", "2", "3"]


def test_a_peer_that_leaves_is_noticed_while_its_handler_works() -> None:
    bench = Bench()
    wait: asyncio.Future[None] = bench.loop.create_future()
    bench.receiver.answer = lambda message: wait
    bench.connection.data_received(masked(0x81, b"1") + masked(0x81, b"2"))
    bench.transport.lose(ConnectionResetError())
    assert bench.receiver.closed == [(None, None)]
    wait.set_result(None)
    bench.settle()
    assert bench.receiver.events == ["1"]


def test_what_came_before_the_end_is_handed_over_before_it() -> None:
    bench = Bench(held=True)
    bench.connection.data_received(masked(0x81, b"early") + masked(0x88, b"\x03\xe9bye"))
    bench.connection.eof_received()
    bench.transport.lose(None)
    assert bench.receiver.events == ["early"]
    assert bench.receiver.closed == [(1001, "bye")]
    bench.connection.start()


def test_a_burst_that_the_end_interrupts_is_handed_over() -> None:
    bench = Bench(NATIVE.replace(websocket_burst=10))
    bench.connection.data_received(masked(0x82, b"x") * 35)
    assert len(bench.receiver.events) == 10
    bench.transport.lose(None)
    assert len(bench.receiver.events) == 35
    assert bench.receiver.closed == [(None, None)]
    bench.settle()
    assert len(bench.receiver.closed) == 1


def test_the_close_code_is_found_behind_messages_that_nobody_takes() -> None:
    bench = Bench()
    wait: asyncio.Future[None] = bench.loop.create_future()
    bench.receiver.answer = lambda message: wait
    bench.connection.data_received(masked(0x81, b"1") + masked(0x81, b"2"))
    bench.connection.data_received(masked(0x88, b"\x03\xe9bye"))
    bench.transport.lose(None)
    assert bench.receiver.events == ["1"]
    assert bench.receiver.closed == [(1001, "bye")]


def test_a_client_reads_what_came_before_the_end_at_its_own_pace() -> None:
    bench = Bench(client=True)
    waits: list[asyncio.Future[None]] = []

    def slow(message: str | bytes) -> Awaitable[None]:
        waits.append(bench.loop.create_future())
        return waits[-1]

    bench.receiver.answer = slow
    bench.connection.data_received(b"\x81\x011\x81\x012\x88\x02\x03\xe8")
    bench.transport.lose(None)
    assert bench.receiver.events == ["1"]
    assert bench.receiver.closed == []
    for _ in range(2):
        waits[-1].set_result(None)
        bench.settle()
    assert bench.receiver.events == ["1", "2"]
    assert bench.receiver.closed == [(1000, None)]


def test_writing_in_vain_while_closing_does_not_hinder_the_closing_handshake() -> None:
    bench = Bench()
    write = bench.connection.write_message
    bench.receiver.answer = lambda message: write(message)
    bench.connection.start_close(1000)
    bench.connection.data_received(masked(0x81, b"1") + masked(0x81, b"2") + masked(0x88, b"\x03\xe8"))
    assert bench.receiver.events == ["1", "2"]
    assert bench.receiver.errors == []
    assert bench.transport.closing


# -- failing receivers ----------------------------------------------------------------------------------


def raises() -> None:
    raise ZeroDivisionError


def cancels() -> None:
    raise asyncio.CancelledError


def failed_future(bench: Bench) -> asyncio.Future[None]:
    future = bench.loop.create_future()
    future.set_exception(ZeroDivisionError())
    return future


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (lambda bench: raises(), ZeroDivisionError),
        (lambda bench: cancels(), asyncio.CancelledError),
        (failed_future, ZeroDivisionError),
        (lambda bench: 5, Exception),
    ],
)
def test_a_handler_that_fails_ends_the_connection(answer: Callable[[Bench], Any], kind: type) -> None:
    bench = Bench()
    bench.receiver.answer = lambda message: answer(bench)
    bench.connection.data_received(masked(0x81, b"1") + masked(0x81, b"2"))
    assert bench.said() == [("close", 1011, "")]
    assert bench.transport.eof
    assert bench.receiver.events == ["1"]
    assert [isinstance(error, kind) for error in bench.receiver.errors] == [True]
    with pytest.raises(WebSocketClosedError):
        bench.connection.write_message("more")
    # What still comes is dropped; the end of the connection is told once.
    bench.connection.data_received(masked(0x81, b"3"))
    bench.transport.lose(None)
    bench.transport.lose(None)
    assert bench.receiver.closed == [(1011, None)]


def test_a_handler_that_fails_later_ends_the_connection() -> None:
    bench = Bench()
    for outcome in (ZeroDivisionError(), None):
        bench = Bench()
        wait: asyncio.Future[None] = bench.loop.create_future()
        bench.receiver.answer = lambda message, wait=wait: wait
        bench.connection.data_received(masked(0x81, b"1") + masked(0x81, b"2"))
        if outcome is None:
            wait.cancel()
        else:
            wait.set_exception(outcome)
        bench.settle()
        assert bench.said() == [("close", 1011, "")]
        assert len(bench.receiver.errors) == 1
        assert bench.receiver.events == ["1"]


def test_a_handler_that_was_writing_when_the_peer_left_is_no_error() -> None:
    bench = Bench()
    bench.transport.full = True
    bench.receiver.answer = lambda message: bench.connection.write_message("x" * 100000)
    bench.connection.data_received(masked(0x81, b"1"))
    bench.transport.lose(ConnectionResetError())
    bench.settle()
    assert bench.receiver.errors == []
    assert bench.receiver.closed == [(None, None)]


def test_a_failure_after_the_end_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    wait: asyncio.Future[None] = bench.loop.create_future()
    bench.receiver.answer = lambda message: wait
    bench.connection.data_received(masked(0x81, b"1"))
    bench.transport.lose(None)
    wait.set_exception(ZeroDivisionError())
    with caplog.at_level(logging.ERROR):
        bench.settle()
    assert "Uncaught exception" in caplog.text


def test_on_closed_may_fail() -> None:
    bench = Bench()
    bench.receiver.on_ws_connection_close = lambda code, reason: raises()  # type: ignore[method-assign]
    bench.transport.lose(None)
    assert isinstance(bench.receiver.errors[0], ZeroDivisionError)


# -- closing --------------------------------------------------------------------------------------------


def test_a_close_frame_is_answered_and_the_server_closes_first() -> None:
    bench = Bench()
    bench.connection.data_received(masked(0x88, b"\x03\xe9bye") + masked(0x81, b"late"))
    assert bench.said() == [("close", 1001, "")]
    assert bench.transport.closing
    assert not bench.transport.aborted
    bench.settle()
    assert bench.receiver.closed == [(1001, "bye")]
    assert bench.receiver.events == []


def test_programs_ask_whether_the_peer_has_gone() -> None:
    bench = Bench()
    assert not bench.connection.client_terminated
    bench.connection.data_received(masked(0x88, b""))
    assert bench.connection.client_terminated


def test_an_empty_close_frame() -> None:
    bench = Bench()
    bench.connection.data_received(masked(0x88))
    assert bench.said() == [("close", NO_STATUS, "")]
    bench.settle()
    assert bench.receiver.closed == [(None, None)]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), ("close", NO_STATUS, "")),
        ((1001,), ("close", 1001, "")),
        ((4000, "why"), ("close", 4000, "why")),
        ((None, "why"), ("close", 1000, "why")),
    ],
)
def test_closing_waits_for_the_answer(arguments: tuple[Any, ...], said: object) -> None:
    bench = Bench()
    bench.connection.start_close(*arguments)
    bench.connection.start_close(1002, "again")
    assert bench.said() == [said]
    assert not bench.connection.is_open
    with pytest.raises(WebSocketClosedError):
        bench.connection.write_message("late")
    with pytest.raises(WebSocketClosedError):
        bench.connection.ping()
    # Messages that were on their way still come.
    bench.connection.data_received(masked(0x81, b"on its way"))
    assert bench.receiver.events == ["on its way"]
    assert not bench.transport.closing
    bench.connection.data_received(masked(0x88, b"\x0f\xa0"))
    assert bench.transport.closing
    assert bench.said() == []
    bench.settle()
    assert bench.receiver.closed == [(4000, None)]


def test_codes_and_reasons_that_cannot_be_sent() -> None:
    bench = Bench()
    for arguments in ((1006,), (1000, "x" * 124), (999,)):
        with pytest.raises(ValueError, match="close"):
            bench.connection.start_close(*arguments)
    assert bench.connection.is_open


@pytest.mark.parametrize("client", [False, True])
def test_a_peer_that_does_not_answer_a_close_is_dropped(client: bool) -> None:
    bench = Bench(client=client)
    bench.connection.start_close(1000)
    bench.clock.advance(NATIVE.websocket_close_timeout - 1)
    assert not bench.transport.aborted
    bench.clock.advance(4)
    assert bench.transport.aborted
    bench.settle()
    assert bench.receiver.closed == [(None, None)]
    assert len(bench.wheel) == 0


def test_the_client_waits_for_the_server_to_close_but_not_forever() -> None:
    bench = Bench(client=True)
    bench.connection.data_received(b"\x88\x02\x03\xe8")
    assert not bench.transport.closing
    bench.clock.advance(NATIVE.websocket_close_timeout + 3)
    assert bench.transport.aborted
    bench.settle()
    assert bench.receiver.closed == [(1000, None)]


@pytest.mark.parametrize("eof_possible", [True, False])
def test_a_protocol_error_is_told_and_the_rest_dropped(eof_possible: bool) -> None:
    bench = Bench()
    bench.transport.eof_possible = eof_possible
    bench.connection.data_received(b"\x82\xff" + (1 << 40).to_bytes(8, "big") + bytes(4))
    assert bench.said() == [("close", 1009, "message too big")]
    # With unread input, closing at once could cost the peer the close frame.
    assert bench.transport.eof == eof_possible
    assert bench.transport.closing != eof_possible
    bench.connection.data_received(bytes(100000))
    bench.connection.eof_received()
    bench.transport.lose(None)
    assert bench.receiver.closed == [(1009, "message too big")]


def test_a_peer_that_does_not_leave_after_a_failure_is_dropped() -> None:
    bench = Bench()
    bench.connection.data_received(b"\xff\xff")
    bench.clock.advance(NATIVE.websocket_close_timeout + 3)
    assert bench.transport.aborted


def test_a_failure_while_closing_says_nothing_more() -> None:
    bench = Bench()
    bench.connection.start_close(1000)
    bench.said()
    bench.connection.data_received(b"\xff\xff")
    assert bench.said() == []
    bench.transport.lose(None)
    assert bench.receiver.closed == [(1002, "reserved bits are set")]


def test_a_connection_that_just_ends() -> None:
    bench = Bench()
    assert not bench.connection.eof_received()
    with pytest.raises(WebSocketClosedError):
        bench.connection.write_message("late")
    bench.transport.lose(None)
    assert bench.receiver.closed == [(None, None)]
    with pytest.raises(WebSocketClosedError):
        bench.connection.write_message("late")


def test_a_peer_that_ends_its_half_and_reads_nothing_is_dropped() -> None:
    bench = Bench()
    bench.connection.eof_received()
    bench.clock.advance(NATIVE.websocket_close_timeout + 3)
    assert bench.transport.aborted


def test_no_limit_for_the_closing_handshake() -> None:
    bench = Bench(NATIVE.replace(websocket_close_timeout=0))
    bench.connection.start_close(1000)
    bench.clock.advance(1000)
    assert not bench.transport.aborted


def test_draining_says_going_away() -> None:
    bench = Bench()
    bench.connection.go_away()
    assert bench.said() == [("close", 1001, "")]


# -- writing too much -----------------------------------------------------------------------------------


def test_backpressure_can_be_awaited() -> None:
    bench = Bench()
    bench.transport.full = True
    assert bench.connection.write_message("x" * 60000).done()
    slow = bench.connection.write_message("x" * 60000)
    assert not slow.done()
    bench.transport.drain()
    assert slow.done()
    assert slow.result() is None


def test_who_waits_when_the_connection_is_lost_is_told() -> None:
    bench = Bench()
    bench.transport.full = True
    slow = bench.connection.write_message("x" * 100000)
    bench.transport.lose(ConnectionResetError("gone"))
    assert isinstance(slow.exception(), WebSocketClosedError)


def test_a_peer_that_reads_nothing_is_dropped_at_the_write_limit(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(NATIVE.replace(websocket_write_bytes=200000))
    reached: list[str] = []
    detach = probe.limit_reached.attach(lambda limit, subject: reached.append(limit))
    bench.transport.full = True
    with caplog.at_level(logging.WARNING):
        bench.connection.write_message("x" * 150000)
        assert bench.connection.is_open
        last = bench.connection.write_message("x" * 60000)
    detach()
    assert not bench.connection.is_open
    assert bench.transport.aborted
    # No close frame: it would wait behind all that the peer does not read.
    assert b"\x88" not in bench.transport.take()
    assert reached == ["websocket_write_bytes"]
    assert "200000" in caplog.text
    bench.settle()
    assert isinstance(last.exception(), WebSocketClosedError)


def test_only_the_last_ping_is_answered_when_bytes_wait() -> None:
    bench = Bench()
    bench.transport.full = True
    bench.connection.write_message("x" * 100000)
    bench.transport.take()
    for data in (b"1", b"2", b"3"):
        bench.connection.data_received(masked(0x89, data))
    assert len(bench.receiver.events) == 3
    assert bench.said() == []
    bench.transport.drain()
    assert bench.said() == [("pong", b"3")]
    bench.connection.data_received(masked(0x89, b"4"))
    assert bench.said() == [("pong", b"4")]


def test_a_peer_that_takes_nothing_is_dropped_in_time() -> None:
    bench = Bench()
    bench.transport.full = True
    bench.connection.write_message("x" * 100000)
    bench.clock.advance(NATIVE.write_timeout + 20)
    assert bench.transport.aborted


# -- pings ----------------------------------------------------------------------------------------------


def test_pings_are_sent_and_answered() -> None:
    bench = Bench(ping_interval=20, ping_timeout=20)
    for _ in range(4):
        bench.clock.advance(21)
        assert bench.said() == [("ping", b"")]
        bench.connection.data_received(masked(0x8A))
    assert bench.connection.is_open


def test_a_dead_peer_is_noticed() -> None:
    bench = Bench(ping_interval=20, ping_timeout=20)
    bench.clock.advance(21)
    assert bench.said() == [("ping", b"")]
    bench.clock.advance(18)
    assert bench.connection.is_open
    bench.clock.advance(4)
    assert bench.said() == [("close", 1000, "ping timed out")]
    bench.clock.advance(8)
    assert bench.transport.aborted
    bench.settle()
    assert bench.receiver.closed == [(None, None)]


def test_a_peer_that_sends_something_else_is_alive() -> None:
    bench = Bench(ping_interval=20, ping_timeout=20)
    bench.clock.advance(21)
    bench.connection.data_received(masked(0x82, bytes(500))[:100])
    bench.clock.advance(21)
    assert bench.connection.is_open


def test_a_timeout_shorter_than_the_interval() -> None:
    bench = Bench(ping_interval=20, ping_timeout=5)
    pings = 0
    for _ in range(80):
        bench.clock.advance(1)
        said = bench.said()
        pings += len(said)
        if said:
            bench.connection.data_received(masked(0x8A))
    assert 3 <= pings <= 4
    assert bench.connection.is_open
    bench.clock.advance(30)
    assert not bench.connection.is_open


def test_pings_whose_answer_nobody_waits_for() -> None:
    bench = Bench(ping_interval=20, ping_timeout=0)
    bench.clock.advance(105)
    assert bench.said() == [("ping", b"")] * 5
    assert bench.connection.is_open


def test_short_intervals_are_exact() -> None:
    bench = Bench(ping_interval=0.01, ping_timeout=0)
    bench.clock.advance(0.105)
    assert len(bench.said()) == 10
    bench.transport.lose(None)
    bench.clock.advance(1)
    assert bench.said() == []


def test_no_pings_no_timers() -> None:
    bench = Bench()
    assert len(bench.wheel) == 0
    bench.clock.advance(1000)
    assert bench.said() == []


def test_nothing_remains_after_the_end() -> None:
    bench = Bench(ping_interval=20, ping_timeout=20)
    assert len(bench.wheel) == 1
    bench.transport.lose(None)
    assert len(bench.wheel) == 0


def test_ping_payloads() -> None:
    bench = Bench()
    bench.connection.ping(b"hello")
    assert bench.said() == [("ping", b"hello")]
    with pytest.raises(ValueError, match="125"):
        bench.connection.ping(bytes(126))


def test_probes_tell_of_opened_and_closed_websockets() -> None:
    seen: list[object] = []
    detach = [
        probe.websocket_open.attach(lambda connection: seen.append("open")),
        probe.websocket_close.attach(lambda connection, code: seen.append(code)),
    ]
    try:
        bench = Bench()
        bench.connection.data_received(masked(0x88, b"\x03\xe8"))
        bench.settle()
    finally:
        for undo in detach:
            undo()
    assert seen == ["open", 1000]
