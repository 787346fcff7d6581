"""The queue of a stream's unsent bytes: what is copied, what is not, and that nothing is lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.net.sendqueue import COPY_LIMIT, SendQueue, flat

PIECES = st.one_of(st.binary(max_size=40), st.binary(min_size=40, max_size=90).map(bytearray))


def small() -> SendQueue:
    """A queue whose limit for copies is 16 bytes."""
    queue = SendQueue()
    queue._large_buf_threshold = 16
    return queue


@given(st.lists(st.one_of(PIECES, st.integers(1, 60)), max_size=40))
def test_it_is_a_queue_of_bytes(steps: list[bytes | bytearray | int]) -> None:
    queue = small()
    expected = b""
    given_in = []
    for step in steps:
        if not isinstance(step, int):
            queue.append(step)
            given_in.append(step)
            expected += step
        elif expected:
            with queue.peek(step) as view:
                assert 0 < len(view) <= step
                assert expected.startswith(view)
            count = min(step, len(expected))
            queue.advance(count)
            expected = expected[count:]
        assert len(queue) == len(expected)
    queue.advance(len(expected))
    for piece in given_in:
        if isinstance(piece, bytearray):
            # Nobody looks at it any more.
            piece.clear()


def test_little_pieces_go_out_together() -> None:
    queue = SendQueue()
    for _ in range(1000):
        queue.append(b"0123456789")
    with queue.peek(1 << 20) as view:
        assert view == b"0123456789" * 1000


def test_large_pieces_are_not_copied_and_are_let_go() -> None:
    queue = SendQueue()
    large = bytearray(COPY_LIMIT + 1)
    queue.append(b"before")
    queue.append(large)
    large[0] = 7
    with pytest.raises(BufferError):
        large.append(1)
    queue.advance(6)
    with queue.peek(1) as view:
        assert view[0] == 7
    queue.clear()
    large.append(1)
    assert len(queue) == 0
    queue.append(b"usable")
    with queue.peek(100) as view:
        assert bytes(view) == b"usable"


def test_more_than_there_is_cannot_be_sent() -> None:
    queue = SendQueue()
    queue.append(b"abc")
    with pytest.raises(ValueError, match="4 bytes were sent of 3"):
        queue.advance(4)


def test_views_count_bytes() -> None:
    assert len(flat(memoryview(bytes(80)).cast("L"))) == 80
    assert bytes(flat(bytearray(b"abc"))) == b"abc"
    with pytest.raises(TypeError):
        flat("text")  # type: ignore[arg-type]
