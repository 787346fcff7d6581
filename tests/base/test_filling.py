"""Bytes that are filled where they lie."""

from __future__ import annotations

import gc
import resource
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.base.filling import Filling


@given(st.binary(min_size=2, max_size=3000), st.lists(st.integers(0, 3000)), st.booleans())
def test_what_is_filled_in_pieces_is_the_whole(data: bytes, cuts: list[int], copied: bool) -> None:
    filling = Filling(len(data))
    ends = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    for start, end in pairwise(ends):
        if copied:
            filling.add(data[start:end])
        else:
            room = filling.room(end - start)
            room[:] = data[start:end]
            filling.advance(end - start)
        assert (filling.filled, filling.missing) == (end, len(data) - end)
    whole = filling.take()
    assert type(whole) is bytes
    assert whole == data
    assert hash(whole) == hash(data)


def test_there_is_room_for_what_is_missing_and_no_more() -> None:
    filling = Filling(10)
    assert len(filling.room(4)) == 4
    filling.add(b"1234567")
    assert len(filling.room(100)) == 3
    with pytest.raises(ValueError, match="different structures"):
        filling.add(b"89AB")
    with pytest.raises(ValueError, match="4 bytes where 3 are missing"):
        filling.advance(4)
    with pytest.raises(ValueError, match="-1 bytes"):
        filling.advance(-1)
    assert filling.filled == 7


def test_nothing_is_handed_out_before_it_is_written() -> None:
    filling = Filling(3)
    filling.add(b"ab")
    with pytest.raises(ValueError, match="1 bytes are missing"):
        filling.take()
    filling.add(b"c")
    assert filling.take() == b"abc"
    with pytest.raises(ValueError, match="0 bytes are missing"):
        filling.take()
    with pytest.raises(ValueError, match="released memoryview"):
        filling.room(1)


@pytest.mark.parametrize("size", [-5, 0, 1])
def test_bytes_that_others_have_too_are_not_written_to(size: int) -> None:
    with pytest.raises(ValueError, match="nothing to fill"):
        Filling(size)


def test_more_than_there_is_of_memory() -> None:
    with pytest.raises(MemoryError):
        Filling(10**17)


def test_who_takes_it_has_the_only_reference() -> None:
    filling = Filling(1000)
    filling.add(b"x" * 1000)
    whole = filling.take()
    del filling
    gc.collect()
    ordinary = bytes(1000)
    assert sys.getrefcount(whole) == sys.getrefcount(ordinary)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="asks Linux what memory is resident")
def test_what_has_not_come_takes_no_memory() -> None:
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()

    before = resident()
    fillings = [Filling(200 * 1024 * 1024) for _ in range(10)]
    for filling in fillings:
        filling.add(b"x" * 1000)
    assert resident() - before < 20 * 1024 * 1024
