"""Reading and writing streams: every way to read, however the bytes are cut; limits; ends; subclasses."""

from __future__ import annotations

import asyncio
import gc
import logging
import re
import socket
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from eyewall.guard.profile import NATIVE, TORNADO, activate
from eyewall.loop.ioloop import IOLoop
from eyewall.net.basestream import BaseIOStream
from eyewall.net.errors import StreamBufferFullError, StreamClosedError
from eyewall.net.iostream import IOStream

from ..conftest import LOOP_KINDS, loop_factory
from ..http.linear import instructions
from ..waiting import until
from .loops import Run, both_loops, descriptors
from .streams import stream_pair, tls_pair, turns

# -- against a model -----------------------------------------------------------------------------------------------

#: Few different bytes, so that what is looked for is often there, and often only in part.
TEXT = st.text("ab.", max_size=60).map(str.encode)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("until"), st.sampled_from([b".", b"ab", b"aab.", b"..."])),
        st.tuples(st.just("regex"), st.sampled_from([b"a[.b]", b"b\\.", b"(?:ab){2}"])),
        st.tuples(st.just("bytes"), st.integers(0, 25)),
        st.tuples(st.just("into"), st.integers(0, 25)),
        st.tuples(st.just("some"), st.integers(1, 25)),
        st.tuples(st.just("some into"), st.integers(1, 25)),
    ),
    max_size=8,
)


def expected(kind: str, what: Any, left: bytes) -> int | None:
    """How many of the bytes that are left a read takes; None where they do not suffice."""
    if kind == "until":
        at = left.find(what)
        return at + len(what) if at >= 0 else None
    if kind == "regex":
        match = re.search(what, left)
        return match.end() if match else None
    if kind in ("bytes", "into"):
        return what if what <= len(left) else None
    return 1 if left else None


async def read(stream: IOStream, kind: str, what: Any) -> bytes:
    if kind == "until":
        return await stream.read_until(what)
    if kind == "regex":
        return await stream.read_until_regex(what)
    if kind in ("bytes", "some"):
        return await stream.read_bytes(what, partial=kind == "some")
    buffer = bytearray(what)
    count = await stream.read_into(buffer, partial=kind == "some into")
    buffer.append(0)  # it is the caller's again
    return bytes(buffer[:count])


async def against_the_model(chunks: list[bytes], steps: list[tuple[str, Any]], chunk_size: int) -> None:
    async with stream_pair(read_chunk_size=chunk_size) as (stream, peer):

        async def send() -> None:
            for chunk in chunks:
                await peer.write(chunk)
                await turns(2)
            peer.close()

        sending = asyncio.ensure_future(send())
        left = b"".join(chunks)
        for kind, what in steps:
            size = expected(kind, what, left)
            if size is None:
                with pytest.raises(StreamClosedError):
                    await read(stream, kind, what)
                if kind == "into":
                    # What it had taken by then is gone with the buffer.
                    left = b""
                break
            got = await read(stream, kind, what)
            if kind.startswith("some"):
                assert 1 <= len(got) <= what
                assert left.startswith(got)
            else:
                assert got == left[:size]
            left = left[len(got) :]
        rest = await stream.read_until_close()
        assert rest == left
        await sending


@pytest.mark.parametrize("kind", LOOP_KINDS)
def test_reads_do_not_depend_on_how_bytes_are_cut(kind: str) -> None:
    with asyncio.Runner(loop_factory=loop_factory(kind)) as runner:

        @settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @example([b"aab", b"."], [("until", b"aab."), ("bytes", 0)], 1)
        @given(st.lists(TEXT, max_size=6), STEPS, st.sampled_from([1, 2, 3, 7, 64 * 1024]))
        def check(chunks: list[bytes], steps: list[tuple[str, Any]], chunk_size: int) -> None:
            runner.run(against_the_model(chunks, steps, chunk_size))

        check()


@both_loops
@pytest.mark.parametrize("pair", [stream_pair, tls_pair], ids=["plain", "tls"])
def test_much_passes_both_ways(run: Run, pair: Any) -> None:
    data = bytes(range(256)) * 20_000

    async def main() -> None:
        async with pair() as (one, other):

            async def send(stream: IOStream) -> None:
                for at in range(0, len(data), 1_000_003):
                    await stream.write(memoryview(data)[at : at + 1_000_003])

            _, _, forth, back = await asyncio.gather(
                send(one), send(other), other.read_bytes(len(data)), one.read_bytes(len(data))
            )
            assert forth == data
            assert back == data

    run(main())


@pytest.mark.parametrize("kind", LOOP_KINDS)
def test_many_small_writes_and_reads_take_linear_time(kind: str) -> None:
    async def work(count: int) -> None:
        async with stream_pair() as (one, other):
            for _ in range(count):
                other.write(b"abcdefg\n")
            for _ in range(count):
                await one.read_until(b"\n")

    count: Callable[[Callable[[], object]], int] = instructions
    with asyncio.Runner(loop_factory=loop_factory(kind)) as runner:
        runner.run(work(100))
        few = count(lambda: runner.run(work(500)))
        many = count(lambda: runner.run(work(5_000)))
    assert many < 12 * few


# -- limits --------------------------------------------------------------------------------------------------------


@both_loops
def test_what_is_read_has_a_limit(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with stream_pair(max_buffer_size=1000) as (stream, peer):
            peer.write(b"x" * 999 + b"\n")
            assert len(await stream.read_until(b"\n")) == 1000
            future = stream.read_until(b"\n")
            peer.write(b"x" * 5000)
            with pytest.raises(StreamClosedError) as caught:
                await future
            assert isinstance(caught.value.real_error, StreamBufferFullError)
            assert stream.closed()
        async with stream_pair(max_buffer_size=1000) as (stream, peer):
            peer.write(b"x" * 5000)
            with pytest.raises(StreamBufferFullError):
                stream.read_until(b"\n")
            assert stream.closed()

    run(main())
    assert "Reached maximum read buffer size" in caplog.text


@both_loops
def test_the_end_may_come_exactly_at_the_limit(run: Run) -> None:
    async def main() -> None:
        async with stream_pair(max_buffer_size=1000) as (stream, peer):
            await peer.write(b"x" * 1000)
            peer.close()
            assert await stream.read_until_close() == b"x" * 1000

    run(main())


@both_loops
def test_what_nobody_reads_stays_with_the_peer(run: Run) -> None:
    async def main() -> None:
        async with stream_pair() as (stream, peer):
            done = peer.write(b"x" * 20_000_000)
            await turns()
            assert not done.done()
            assert len(stream._inbox) == 0
            assert len(await stream.read_bytes(100)) == 100
            await turns()
            assert not done.done()
            assert len(await stream.read_bytes(20_000_000 - 100)) == 20_000_000 - 100
            await done

    run(main())


@both_loops
def test_what_waits_to_be_written_has_a_limit(run: Run) -> None:
    async def main() -> None:
        async with stream_pair(max_write_buffer_size=100_000) as (stream, peer):
            with pytest.raises(StreamBufferFullError):
                stream.write(b"x" * 100_001)
            while not stream.writing():
                stream.write(b"x" * 50_000)
            with pytest.raises(StreamBufferFullError):
                for _ in range(3):
                    stream.write(b"x" * 50_000)
            assert stream.unsent() <= 100_000
            waiting = stream.unsent()
            await peer.read_bytes(waiting)

    run(main())


def test_limits_are_those_of_the_profile() -> None:
    async def main() -> None:
        for profile, unsent in ((NATIVE, NATIVE.stream_unsent_bytes), (TORNADO, None)):
            activate(profile)
            async with stream_pair() as (stream, _):
                assert stream.max_buffer_size == profile.stream_buffer_bytes
                assert stream.read_chunk_size == profile.stream_chunk_bytes
                assert stream.max_write_buffer_size == unsent

    asyncio.run(main())


@both_loops
@pytest.mark.parametrize("early", [True, False], ids=["inline", "later"])
@pytest.mark.parametrize("name", ["read_until", "read_until_regex"])
def test_a_delimiter_beyond_its_limit_ends_the_stream(
    run: Run, caplog: pytest.LogCaptureFixture, name: str, early: bool
) -> None:
    caplog.set_level(logging.INFO)

    async def main() -> None:
        async with stream_pair() as (stream, peer):
            peer.write(b"abcdef")
            assert await getattr(stream, name)(b"def", max_bytes=6) == b"abcdef"
            if early:
                peer.write(b"abcdef")
            future = getattr(stream, name)(b"def", max_bytes=5)
            if not early:
                peer.write(b"abcdef")
            with pytest.raises(StreamClosedError, match="Stream is closed"):
                await future

    run(main())
    assert "Unsatisfiable read, closing connection: b'def' not found within 5 bytes" in caplog.text


# -- one reader at a time, who may leave -----------------------------------------------------------------------------


@both_loops
def test_a_second_reader_is_refused(run: Run) -> None:
    async def main() -> None:
        async with stream_pair() as (stream, peer):
            first = stream.read_bytes(1)
            with pytest.raises(AssertionError, match="Already reading"):
                stream.read_bytes(1)
            peer.write(b"1")
            assert await first == b"1"

    run(main())


@both_loops
def test_a_cancelled_reader_leaves_everything_to_the_next(run: Run) -> None:
    async def main() -> None:
        async with stream_pair() as (stream, peer):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.001):
                    await stream.read_until(b"\n")
            assert not stream.reading()
            buffer = bytearray(10)
            filling = stream.read_into(buffer)
            await peer.write(b"abc")
            await until(lambda: buffer[:3] == b"abc")
            filling.cancel()
            await asyncio.sleep(0)
            buffer.clear()
            peer.write(b"de\n")
            assert await stream.read_until(b"\n") == b"abcde\n"

    run(main())


def test_reads_that_make_no_sense() -> None:
    async def main() -> None:
        async with stream_pair() as (stream, _):
            with pytest.raises(ValueError, match="-1 bytes"):
                stream.read_bytes(-1)
            with pytest.raises(TypeError, match="written to"):
                stream.read_into(b"constant")  # type: ignore[arg-type]
            with pytest.raises(TypeError):
                stream.write("text")  # type: ignore[arg-type]
            assert await stream.read_bytes(0) == b""
            assert await stream.read_into(bytearray()) == 0

    asyncio.run(main())


# -- ends ----------------------------------------------------------------------------------------------------------


@both_loops
@pytest.mark.parametrize("pair", [stream_pair, tls_pair], ids=["plain", "tls"])
def test_the_end_is_told_once_also_where_nobody_reads(run: Run, pair: Any) -> None:
    async def main() -> None:
        async with pair() as (stream, peer):
            told: list[bool] = []
            stream.set_close_callback(lambda: told.append(stream.closed()))
            peer.close()
            await until(lambda: told)
            stream.close()
            await turns()
            assert told == [True]
            assert stream.error is None
            stream.set_close_callback(lambda: told.append(True))
            await turns()
            assert told == [True, True]

    run(main())


@both_loops
@pytest.mark.parametrize("pair", [stream_pair, tls_pair], ids=["plain", "tls"])
def test_the_end_is_told_when_the_last_that_came_has_been_read(run: Run, pair: Any) -> None:
    async def main() -> None:
        async with pair() as (stream, peer):
            told: list[bool] = []
            stream.set_close_callback(lambda: told.append(True))
            await peer.write(b"head\nbody")
            assert await stream.read_until(b"\n") == b"head\n"
            assert await stream.read_bytes(4) == b"body"
            peer.close()
            await until(lambda: told)

    run(main())


@both_loops
def test_what_has_come_can_be_read_after_the_end(run: Run) -> None:
    async def main() -> None:
        async with stream_pair() as (stream, peer):
            await peer.write(b"one\ntwo\nthree")
            assert await stream.read_until(b"\n") == b"one\n"
            peer.close()
            await until(stream.closed) if not stream._inbox else None
            assert await stream.read_until(b"\n") == b"two\n"
            assert await stream.read_until_close() == b"three"
            assert await stream.read_until_close() == b""
            with pytest.raises(StreamClosedError):
                stream.read_bytes(1)
            peer.close()
            with pytest.raises(StreamClosedError):
                peer.read_until_close()
            with pytest.raises(StreamClosedError):
                stream.write(b"x")

    run(main())


@both_loops
def test_all_who_wait_hear_of_the_end_and_why(run: Run) -> None:
    async def main() -> None:
        async with stream_pair() as (stream, peer):
            large = bytearray(20_000_000)
            futures: list[asyncio.Future[Any]] = [stream.read_bytes(1), stream.write(large)]
            cause = ValueError("the cause")
            stream.close(exc_info=(ValueError, cause, None))
            for future in futures:
                with pytest.raises(StreamClosedError) as caught:
                    await future
                assert caught.value.real_error is cause
            assert stream.error is cause
            large.clear()
            # Nobody has to look at them.
            ignored = peer.read_bytes(1)
            del ignored

    run(main())
    gc.collect()


@both_loops
def test_closing_within_an_exception_takes_it_as_the_cause(run: Run) -> None:
    async def main() -> None:
        async with stream_pair() as (stream, _):
            future = stream.read_until_close()
            cause = KeyError("cause")
            try:
                raise cause
            except KeyError:
                stream.close(exc_info=True)
            assert stream.error is cause
            with pytest.raises(StreamClosedError):
                await future

    run(main())


@both_loops
def test_closing_in_a_callback_of_its_own(run: Run) -> None:
    async def main() -> None:
        async with stream_pair() as (stream, peer):
            future = stream.read_bytes(1)
            future.add_done_callback(lambda _: stream.close())
            written = stream.write(b"x" * 10_000_000)
            written.add_done_callback(lambda _: stream.close())
            await peer.write(b"1")
            assert await future == b"1"
            with pytest.raises(StreamClosedError):
                await written

    run(main())


@both_loops
def test_a_peer_that_leaves_during_a_write(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with stream_pair() as (stream, peer):
            written = stream.write(b"x" * 20_000_000)
            peer.close()
            with pytest.raises(StreamClosedError) as caught:
                await written
            assert caught.value.real_error is None or isinstance(caught.value.real_error, ConnectionError)

    run(main())
    # Peers leave all the time.
    assert caplog.text == ""


@both_loops
def test_nothing_stays_open(run: Run) -> None:
    async def main() -> None:
        before = descriptors()
        async with tls_pair() as (one, other):
            await one.write(b"x")
            await other.read_bytes(1)
        assert descriptors() == before

    run(main())


# -- subclasses ----------------------------------------------------------------------------------------------------


class Shifted(IOStream):
    """Adds one to what is read, and takes one from what is written; a few bytes at a time."""

    def read_from_fd(self, buf: bytearray | memoryview) -> int | None:
        with memoryview(buf)[:3] as part:
            count = super().read_from_fd(part)
            for at in range(count or 0):
                part[at] += 1
        return count

    def write_to_fd(self, data: memoryview) -> int:
        return super().write_to_fd(memoryview(bytes(byte - 1 for byte in data[:5])))


class FromList(BaseIOStream):
    """Reads what a list has; its descriptor only says when."""

    def __init__(self, pieces: list[bytes | BaseException | None]) -> None:
        self.ready, self.other = socket.socketpair()
        self.other.send(b"!")
        self.pieces = pieces
        self.written: list[bytes] = []
        super().__init__()

    def fileno(self) -> int:
        return self.ready.fileno()

    def close_fd(self) -> None:
        self.ready.close()
        self.other.close()

    def read_from_fd(self, buf: bytearray | memoryview) -> int | None:
        piece = self.pieces.pop(0) if self.pieces else b""
        if isinstance(piece, BaseException):
            raise piece
        if piece is None:
            return None
        buf[: len(piece)] = piece
        return len(piece)

    def write_to_fd(self, data: memoryview) -> int:
        if len(self.written) == 1:
            self.written.append(b"")
            raise BlockingIOError
        self.written.append(bytes(data[:2]))
        return len(data[:2])


@both_loops
def test_hooks_can_be_overridden(run: Run) -> None:
    async def main() -> None:
        first, second = socket.socketpair()
        one, other = Shifted(first), IOStream(second)
        await one.write(b"bcdefghijklm")
        assert await other.read_bytes(12) == b"abcdefghijkl"
        other.write(b"abcdefghijkl\n")
        assert await one.read_until(b"\x0b") == b"bcdefghijklm\x0b"
        one.close()
        other.close()

    run(main())


@both_loops
def test_a_stream_of_ones_own(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        stream = FromList([b"ab", None, b"c", BlockingIOError(), b"d", None, b"ef"])
        assert await stream.read_bytes(4) == b"abcd"
        await stream.write(b"123456")
        assert b"".join(stream.written) == b"123456"
        assert stream.get_fd_error() is None
        assert await stream.read_until_close() == b"ef"
        assert stream.closed()
        broken = FromList([None, ValueError("broken")])
        with pytest.raises(StreamClosedError) as caught:
            await broken.read_bytes(1)
        assert isinstance(caught.value.real_error, ValueError)
        at_once = FromList([ValueError("broken at once")])
        with pytest.raises(ValueError, match="at once"):
            at_once.read_bytes(1)
        assert at_once.closed()

    run(main())
    assert "error on read: broken" in caplog.text
    assert "at once" not in caplog.text


def test_what_a_subclass_must_say() -> None:
    async def main() -> None:
        stream = BaseIOStream()
        with pytest.raises(NotImplementedError, match="BaseIOStream has no fileno"):
            stream.fileno()
        with pytest.raises(NotImplementedError):
            stream.close_fd()
        with pytest.raises(NotImplementedError):
            stream.read_from_fd(bytearray())
        with pytest.raises(NotImplementedError):
            stream.write_to_fd(memoryview(b""))

    asyncio.run(main())


@both_loops
def test_a_fast_peer_leaves_others_their_turn(run: Run) -> None:
    class Endless(FromList):
        def read_from_fd(self, buf: bytearray | memoryview) -> int | None:
            return len(buf)

    async def main() -> None:
        stream = Endless([])
        other = asyncio.ensure_future(turns(3))
        reading = stream.read_bytes(50_000_000)
        await other
        assert not reading.done()
        assert len(await reading) == 50_000_000
        stream.close()

    run(main())


@both_loops
def test_a_stream_belongs_to_the_loop_it_was_made_on(run: Run) -> None:
    async def main() -> None:
        async with stream_pair() as (stream, _):
            assert stream.io_loop is IOLoop.current()
            assert stream.fileno() is stream.socket
            assert sys.getrefcount(stream) > 1

    run(main())
