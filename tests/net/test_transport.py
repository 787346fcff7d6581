"""Flow control: pausing, waiting, and the deadline of bytes that nobody takes."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from eyewall.guard.profile import NATIVE
from eyewall.guard.wheel import DeadlineWheel
from eyewall.net.errors import StreamClosedError
from eyewall.net.transport import FlowControl

from .loops import new_loops


class Clock:
    """A clock and scheduler that only `advance` moves."""

    def __init__(self) -> None:
        self.now = 100.0
        self.timers: list[tuple[float, Callable[[], None]]] = []

    def call_later(self, delay: float, callback: Callable[[], None]) -> None:
        self.timers.append((self.now + delay, callback))

    def advance(self, seconds: float) -> None:
        end = self.now + seconds
        while self.timers and self.timers[0][0] <= end:
            self.now, callback = self.timers.pop(0)
            callback()
        self.now = end


class Peer:
    """A transport whose peer takes bytes when the test says so."""

    def __init__(self) -> None:
        self.size = 0
        self.limits: list[int | None] = []
        self.aborted = 0
        self.closing = False

    def write(self, data: bytes) -> None:
        self.size += len(data)

    def get_write_buffer_size(self) -> int:
        return self.size

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self.limits.append(high)

    def abort(self) -> None:
        self.aborted += 1

    def close(self) -> None:
        self.closing = True


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def peer() -> Peer:
    return Peer()


@pytest.fixture
def flow(loop: asyncio.AbstractEventLoop, clock: Clock, peer: Peer) -> FlowControl:
    wheel = DeadlineWheel(lambda: clock.now, clock.call_later)
    flow = FlowControl(loop, wheel, NATIVE)
    flow.attach(peer)  # type: ignore[arg-type]
    return flow


def test_the_limit_is_that_of_the_profile(flow: FlowControl, peer: Peer) -> None:
    assert peer.limits == [NATIVE.write_high_water]


def test_drained_costs_nothing_while_nothing_is_paused(flow: FlowControl) -> None:
    assert flow.drained().done()
    assert flow.drained() is flow.drained()


def test_waiters_go_on_when_the_peer_has_taken_enough(
    flow: FlowControl, loop: asyncio.AbstractEventLoop
) -> None:
    flow.pause_writing()
    waiters = [flow.drained() for _ in range(3)]
    assert not any(waiter.done() for waiter in waiters)
    flow.resume_writing()
    assert [waiter.result() for waiter in waiters] == [None] * 3
    assert flow.drained().done()


def test_a_cancelled_waiter_takes_no_other_with_it(flow: FlowControl) -> None:
    flow.pause_writing()
    first, second = flow.drained(), flow.drained()
    first.cancel()
    flow.resume_writing()
    assert first.cancelled()
    assert second.result() is None


def test_cancelled_waiters_do_not_pile_up(flow: FlowControl) -> None:
    flow.pause_writing()
    kept = flow.drained()
    for _ in range(1000):
        flow.drained().cancel()
    gc.collect()
    mine = [thing for thing in gc.get_objects() if isinstance(thing, asyncio.Future) and thing.cancelled()]
    assert len(mine) < 20
    flow.resume_writing()
    assert kept.done()


def test_waiters_learn_that_the_connection_is_lost(flow: FlowControl) -> None:
    flow.pause_writing()
    waiter = flow.drained()
    reason = ConnectionResetError("gone")
    flow.lost(reason)
    with pytest.raises(StreamClosedError) as caught:
        waiter.result()
    assert caught.value.real_error is reason
    with pytest.raises(StreamClosedError):
        flow.drained().result()
    with pytest.raises(StreamClosedError):
        flow.write(b"x")
    assert flow.waiting() == 0
    flow.close()
    flow.abort()


def test_a_loss_nobody_waits_for_is_not_reported(
    flow: FlowControl, caplog: pytest.LogCaptureFixture, loop: asyncio.AbstractEventLoop
) -> None:
    reported: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: reported.append(context))
    flow.pause_writing()
    flow.drained()
    flow.lost(None)
    flow.drained()
    gc.collect()
    assert reported == []
    assert caplog.records == []


def test_a_peer_that_takes_nothing_is_cut_off(
    flow: FlowControl, clock: Clock, peer: Peer, caplog: pytest.LogCaptureFixture
) -> None:
    flow.write(b"x" * 100_000)
    flow.pause_writing()
    waiter = flow.drained()
    clock.advance(NATIVE.write_timeout - 1)
    assert peer.aborted == 0
    with caplog.at_level(logging.INFO, "tornado.general"):
        clock.advance(NATIVE.write_timeout / 4 + 4)
    assert peer.aborted == 1
    assert len(caplog.records) == 1
    flow.lost(None)
    with pytest.raises(StreamClosedError) as caught:
        waiter.result()
    assert isinstance(caught.value.real_error, TimeoutError)
    clock.advance(1000)
    assert peer.aborted == 1
    assert len(flow.wheel) == 0


def test_a_slow_peer_is_not_cut_off(flow: FlowControl, clock: Clock, peer: Peer) -> None:
    flow.write(b"x" * 100_000)
    flow.pause_writing()
    for _ in range(50):
        clock.advance(NATIVE.write_timeout / 2)
        peer.size -= 1
    assert peer.aborted == 0


def test_a_writer_that_refills_the_buffer_does_not_hide_progress(
    flow: FlowControl, clock: Clock, peer: Peer
) -> None:
    flow.write(b"x" * 100_000)
    flow.pause_writing()
    for _ in range(50):
        clock.advance(NATIVE.write_timeout / 4)
        peer.size -= 10
        flow.write(b"x" * 100)
    assert peer.aborted == 0


def test_a_writer_that_refills_the_buffer_does_not_hide_a_stall(
    flow: FlowControl, clock: Clock, peer: Peer
) -> None:
    flow.write(b"x" * 100_000)
    flow.pause_writing()
    for _ in range(12):
        clock.advance(NATIVE.write_timeout / 8)
        flow.write(b"x" * 100)
    assert peer.aborted == 1


def test_the_watch_goes_on_below_the_low_water_mark_and_then_goes_away(
    flow: FlowControl, clock: Clock, peer: Peer
) -> None:
    flow.write(b"x" * 100_000)
    flow.pause_writing()
    peer.size = 10
    flow.resume_writing()
    clock.advance(NATIVE.write_timeout / 2)
    assert len(flow.wheel) == 1
    peer.size = 0
    clock.advance(NATIVE.write_timeout / 2)
    assert len(flow.wheel) == 0
    assert peer.aborted == 0
    assert clock.timers == []
    # A second time works like the first.
    flow.write(b"x" * 100_000)
    flow.pause_writing()
    clock.advance(NATIVE.write_timeout * 1.5)
    assert peer.aborted == 1


def test_closing_with_bytes_waiting_has_a_deadline(flow: FlowControl, clock: Clock, peer: Peer) -> None:
    flow.write(b"x" * 10)
    flow.close()
    assert peer.closing
    clock.advance(NATIVE.write_timeout * 1.5)
    assert peer.aborted == 1


def test_closing_with_nothing_waiting_needs_no_deadline(flow: FlowControl, clock: Clock, peer: Peer) -> None:
    flow.close()
    assert peer.closing
    assert len(flow.wheel) == 0


def test_no_deadline_when_the_profile_has_none(
    loop: asyncio.AbstractEventLoop, clock: Clock, peer: Peer
) -> None:
    wheel = DeadlineWheel(lambda: clock.now, clock.call_later)
    flow = FlowControl(loop, wheel, NATIVE.replace(write_timeout=0.0))
    flow.attach(peer)  # type: ignore[arg-type]
    flow.write(b"x" * 100_000)
    flow.pause_writing()
    assert len(wheel) == 0


def test_taking_over_a_transport_that_is_paused(
    loop: asyncio.AbstractEventLoop, clock: Clock, peer: Peer
) -> None:
    peer.size = NATIVE.write_high_water + 1
    flow = FlowControl(loop, DeadlineWheel(lambda: clock.now, clock.call_later), NATIVE)
    flow.attach(peer)  # type: ignore[arg-type]
    waiter = flow.drained()
    assert not waiter.done()
    flow.resume_writing()
    assert waiter.done()


class Driver(FlowControl):
    def connection_made(self, transport: Any) -> None:
        self.attach(transport)

    def connection_lost(self, error: BaseException | None) -> None:
        self.lost(error)

    def data_received(self, data: bytes) -> None:
        """Nothing is expected."""

    def eof_received(self) -> bool:
        return False


@new_loops
def test_on_a_real_connection(new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    """A slow reader pauses the writer, and every byte arrives."""
    total = 4 << 20
    chunk = b"x" * 65536

    async def main() -> None:
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        driver = Driver(loop, DeadlineWheel.of(loop), NATIVE)
        await loop.connect_accepted_socket(lambda: driver, ours)  # type: ignore[arg-type,return-value]
        pauses = 0
        received = 0

        async def write() -> None:
            nonlocal pauses
            for _ in range(total // len(chunk)):
                driver.write(chunk)
                waiter = driver.drained()
                pauses += not waiter.done()
                await waiter
                assert driver.waiting() <= NATIVE.write_high_water + len(chunk)

        task = loop.create_task(write())
        while received < total:
            received += len(await loop.sock_recv(theirs, 1 << 20))
        await task
        assert pauses > 0
        theirs.close()
        driver.close()
        while not driver.closed:
            await asyncio.sleep(0)
        with pytest.raises(StreamClosedError):
            await driver.drained()

    loop = new_loop()
    try:
        loop.run_until_complete(main())
    finally:
        loop.close()


@new_loops
def test_a_stalled_real_connection_is_aborted(new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        clock = Clock()
        ours, theirs = socket.socketpair()
        driver = Driver(loop, DeadlineWheel(lambda: clock.now, clock.call_later), NATIVE)
        await loop.connect_accepted_socket(lambda: driver, ours)  # type: ignore[arg-type,return-value]
        driver.write(b"x" * (4 << 20))
        await asyncio.sleep(0)
        waiter = driver.drained()
        driver.close()
        clock.advance(NATIVE.write_timeout * 2)
        with pytest.raises(StreamClosedError):
            await waiter
        assert driver.closed
        theirs.close()

    loop = new_loop()
    try:
        loop.run_until_complete(main())
    finally:
        loop.close()


def test_a_writer_whose_peer_takes_everything_leaves_the_loop_to_others(
    flow: FlowControl, peer: Peer, loop: asyncio.AbstractEventLoop
) -> None:
    others: list[str] = []
    for _ in range(3):
        for _ in range(4):
            assert flow.drained().done()
            flow.write(b"x" * NATIVE.write_high_water)
            peer.size = 0
        waiter = flow.drained()
        assert not waiter.done()
        loop.call_soon(others.append, "ran")
        loop.run_until_complete(waiter)
    assert len(others) >= 2
    assert flow.drained().done()


@new_loops
def test_a_writer_without_end_learns_that_its_peer_has_left(
    new_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        driver = Driver(loop, DeadlineWheel.of(loop), NATIVE)
        ours, theirs = socket.socketpair()
        await loop.connect_accepted_socket(lambda: driver, ours)  # type: ignore[arg-type,return-value]
        theirs.close()
        with pytest.raises(StreamClosedError):
            for _ in range(10_000):
                driver.write(b"x" * 16384)
                await driver.drained()
        assert driver.written < 2 << 20

    loop = new_loop()
    try:
        loop.run_until_complete(main())
    finally:
        loop.close()


# -- at once ------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def connected() -> AsyncIterator[tuple[Driver, socket.socket]]:
    """A driver and its peer's socket; the connection is closed afterwards."""
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    driver = Driver(loop, DeadlineWheel.of(loop), NATIVE)
    await loop.connect_accepted_socket(lambda: driver, ours)  # type: ignore[arg-type,return-value]
    with theirs:
        yield driver, theirs
        driver.close()
        while not driver.closed:
            await asyncio.sleep(0)


async def received(sock: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        data += await asyncio.get_running_loop().sock_recv(sock, 1 << 20)
    return bytes(data)


def test_what_is_written_now_is_there_before_the_turn_is_over(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with connected() as (driver, theirs):
            for number in range(3):
                driver.write_now(b"answer %d" % number)
                assert theirs.recv(100) == b"answer %d" % number
            assert driver.written == 24
            assert driver.waiting() == 0

    run(main())


def test_what_is_written_now_comes_after_what_waits(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with connected() as (driver, theirs):
            parts = [b"a" * (1 << 20), b"b" * (1 << 20), b"c", b"d" * 100]
            ways = driver.write, driver.write_now, driver.write_now, driver.write
            for part, write in zip(parts, ways, strict=True):
                write(part)
            assert driver.waiting() > 0
            assert await received(theirs, driver.written) == b"".join(parts)
            # It is empty again.
            driver.write_now(b"e")
            assert theirs.recv(100) == b"e"

    run(main())


def test_of_what_does_not_fit_the_rest_follows_and_pauses_the_writer(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with connected() as (driver, theirs):
            data = bytes(range(256)) * (1 << 14)
            driver.write_now(data)
            assert driver.written == len(data)
            assert 0 < driver.waiting() < len(data)
            assert driver.paused
            assert await received(theirs, len(data)) == data
            await driver.drained()

    run(main())


def test_nothing_is_written_now_to_a_connection_that_closes_or_has_failed(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with connected() as (driver, theirs):
            assert driver.transport is not None
            driver.transport.abort()
            # The number may be another's by now.
            driver.write_now(b"late")
            while not driver.closed:
                await asyncio.sleep(0)
            assert theirs.recv(100) == b""
            with pytest.raises(StreamClosedError):
                driver.write_now(b"later")
        async with connected() as (driver, theirs):
            theirs.close()
            driver.write_now(b"nobody takes it")
            driver.write_now(b"nor this")
            # It is not closed by anybody else.
            while not driver.closed:
                await asyncio.sleep(0)

    run(main())


def test_what_is_no_socket_s_own_transport_is_written_to_as_ever(flow: FlowControl, peer: Peer) -> None:
    flow.write_now(b"four")
    assert peer.size == 4
    assert flow.written == 4
