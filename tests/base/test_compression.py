from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.base.compression import GzipDecompressor, IncompleteDecompression


def decompress(data: bytes, step: int, max_length: int) -> bytes:
    """All of `data`, in pieces of `step` bytes, at most `max_length` of output at a time."""
    decompressor = GzipDecompressor()
    output = bytearray()
    for at in range(0, len(data), step):
        waiting = data[at : at + step]
        while waiting:
            piece = decompressor.decompress(waiting, max_length)
            assert len(piece) <= max_length
            assert piece or len(decompressor.unconsumed_tail) < len(waiting)
            waiting = decompressor.unconsumed_tail
            output += piece
    assert decompressor.flush() == b""
    return bytes(output)


MEMBERS = st.lists(
    st.one_of(st.binary(max_size=80), st.binary(min_size=1, max_size=3).map(lambda b: b * 500)), max_size=4
)


@given(MEMBERS, st.integers(1, 200), st.integers(1, 2000))
def test_any_members_in_any_steps(members: list[bytes], step: int, max_length: int) -> None:
    data = b"".join(gzip.compress(member) for member in members)
    assert decompress(data, step, max_length) == b"".join(members)


@given(st.binary(min_size=1, max_size=60), st.data())
def test_a_stream_that_is_cut_off_is_an_error(content: bytes, data: st.DataObject) -> None:
    stream = gzip.compress(content) + gzip.compress(content)
    first = len(stream) // 2
    end = data.draw(st.integers(1, len(stream) - 1).filter(lambda at: at != first))
    with pytest.raises(zlib.error):
        decompress(stream[:end], 7, 100)


@pytest.mark.parametrize("behind", [b"\0", b"\r\n", b"garbage", b"\x1f\x00"])
@pytest.mark.parametrize("step", [1, 1000])
def test_what_follows_the_last_member_is_an_error(behind: bytes, step: int) -> None:
    with pytest.raises(zlib.error):
        decompress(gzip.compress(b"hello") + behind, step, 100)


@pytest.mark.parametrize("data", [b"<html>", zlib.compress(b"hello")])
def test_what_is_not_gzip_is_an_error(data: bytes) -> None:
    with pytest.raises(zlib.error):
        decompress(data, 100, 100)


def test_a_damaged_checksum_is_an_error() -> None:
    data = bytearray(gzip.compress(b"hello"))
    data[-5] ^= 1
    with pytest.raises(zlib.error):
        decompress(bytes(data), 100, 100)


def test_a_bomb_gives_no_more_than_was_asked_for() -> None:
    bomb = gzip.compress(b"\0" * (8 << 20))
    decompressor = GzipDecompressor()
    assert len(decompressor.decompress(bomb, 1024)) == 1024
    assert decompressor.unconsumed_tail
    with pytest.raises(IncompleteDecompression, match="unconsumed_tail") as caught:
        decompressor.flush()
    assert isinstance(caught.value, ValueError)


def test_no_data_is_no_error() -> None:
    assert GzipDecompressor().flush() == b""


def test_no_limit_is_deprecated() -> None:
    decompressor = GzipDecompressor()
    with pytest.warns(
        DeprecationWarning, match="^GzipDecompressor.decompress without max_length is deprecated"
    ):
        assert decompressor.decompress(gzip.compress(b"a" * 5000) + gzip.compress(b"b")) == b"a" * 5000 + b"b"
    assert decompressor.flush() == b""
