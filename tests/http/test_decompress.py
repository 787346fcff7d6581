import gzip
import zlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.guard.profile import MIB, NATIVE
from eyewall.http.decompress import GZIP_MEMBERS, PIECE_BYTES, BodyDecompressor, decompressor_for
from eyewall.http.errors import (
    BodyTooLarge,
    DecompressionBomb,
    LocalProtocolError,
    RemoteProtocolError,
    UnsupportedCoding,
)

TEXT = b"The eyewall is the ring of strongest wind. " * 50


def raw_deflate(data):
    squeezer = zlib.compressobj(wbits=-15)
    return squeezer.compress(data) + squeezer.flush()


FORMS = {"gzip": gzip.compress, "deflate": zlib.compress, "raw": raw_deflate}


def decompress(form, chunks, max_bytes=MIB * 100, max_ratio=0):
    coding = "gzip" if form == "gzip" else "deflate"
    decompressor = BodyDecompressor(coding, max_bytes=max_bytes, max_ratio=max_ratio)
    pieces = []
    for chunk in chunks:
        for piece in decompressor.feed(chunk):
            assert 0 < len(piece) <= PIECE_BYTES
            pieces.append(piece)
    decompressor.finish()
    assert decompressor.received == sum(map(len, chunks))
    assert decompressor.sent == sum(map(len, pieces))
    return b"".join(pieces)


def single_bytes(data):
    return [bytes([byte]) for byte in data]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("data", [b"", b"x", TEXT, bytes(PIECE_BYTES * 3 + 1)])
def test_round_trip(form, data):
    compressed = FORMS[form](data)
    assert decompress(form, [compressed]) == data
    assert decompress(form, single_bytes(compressed)) == data
    assert decompress(form, [compressed, b""]) == data


@pytest.mark.parametrize("form", FORMS)
def test_an_empty_body_is_empty(form):
    assert decompress(form, []) == b""
    assert decompress(form, [b""]) == b""


@pytest.mark.parametrize("form", FORMS)
def test_truncated(form):
    compressed = FORMS[form](TEXT)
    for size in range(1, len(compressed)):
        with pytest.raises(RemoteProtocolError) as caught:
            decompress(form, [compressed[:size]])
        assert caught.value.status == 400


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("garbage", [b"\0", b"garbage", b"\x1f\x8b", b"\n" * 100_000])
def test_trailing_garbage(form, garbage):
    compressed = FORMS[form](TEXT)
    with pytest.raises(RemoteProtocolError):
        decompress(form, [compressed + garbage])
    with pytest.raises(RemoteProtocolError):
        decompress(form, [compressed, *single_bytes(garbage[:100])])


@pytest.mark.parametrize("form", FORMS)
def test_damaged(form):
    compressed = bytearray(FORMS[form](TEXT))
    for at in (0, 1, len(compressed) // 2):
        damaged = bytes(compressed[:at]) + bytes([compressed[at] ^ 0xFF]) + bytes(compressed[at + 1 :])
        try:
            assert decompress(form, [damaged]) != TEXT
        except RemoteProtocolError:
            pass
        else:
            assert form == "raw", "damage went unnoticed"


def test_gzip_members():
    assert decompress("gzip", [gzip.compress(b"a") + gzip.compress(b"") + gzip.compress(b"b")]) == b"ab"
    assert decompress("gzip", single_bytes(gzip.compress(b"a") + gzip.compress(b"b"))) == b"ab"
    with pytest.raises(RemoteProtocolError):
        decompress("gzip", [gzip.compress(b"") * (GZIP_MEMBERS + 1)])


@pytest.mark.parametrize("form", FORMS)
def test_size_limit(form):
    compressed = FORMS[form](TEXT)
    assert decompress(form, [compressed], max_bytes=len(TEXT)) == TEXT
    with pytest.raises(BodyTooLarge) as caught:
        decompress(form, [compressed], max_bytes=len(TEXT) - 1)
    assert caught.value.status == 413


@pytest.mark.parametrize("form", FORMS)
def test_bombs_go_off_early(form):
    bomb = FORMS[form](bytes(20 * MIB))
    decompressor = BodyDecompressor(
        "gzip" if form == "gzip" else "deflate", max_bytes=100 * MIB, max_ratio=100
    )
    with pytest.raises(DecompressionBomb) as caught:
        for _ in decompressor.feed(bomb):
            pass
    assert caught.value.status == 400
    assert decompressor.sent <= max(MIB, 100 * len(bomb)) + PIECE_BYTES
    with pytest.raises(LocalProtocolError):
        list(decompressor.feed(b"x"))
    with pytest.raises(LocalProtocolError):
        decompressor.finish()


def test_the_first_mebibyte_may_expand_as_it_likes():
    compressed = gzip.compress(bytes(MIB))
    assert len(compressed) * 100 < MIB
    assert decompress("gzip", [compressed], max_ratio=100) == bytes(MIB)


def test_pieces_are_made_when_they_are_taken():
    decompressor = BodyDecompressor("gzip", max_bytes=100 * MIB, max_ratio=0)
    pieces = decompressor.feed(gzip.compress(bytes(10 * MIB)))
    next(pieces)
    assert decompressor.sent <= PIECE_BYTES


@pytest.mark.parametrize(
    ("header", "coding"),
    [
        (None, None),
        ("", None),
        ("identity", None),
        (" Identity , ", None),
        ("gzip", "gzip"),
        ("GZip", "gzip"),
        ("x-gzip", "gzip"),
        ("deflate", "deflate"),
        ("identity, gzip", "gzip"),
    ],
)
def test_choosing(header, coding):
    decompressor = decompressor_for(header, NATIVE)
    if coding is None:
        assert decompressor is None
        return
    data = gzip.compress(b"x") if coding == "gzip" else zlib.compress(b"x")
    assert b"".join(decompressor.feed(data)) == b"x"
    assert (decompressor.max_bytes, decompressor.max_ratio) == (NATIVE.body_bytes, NATIVE.decompression_ratio)


@pytest.mark.parametrize("header", ["br", "gzip, gzip", "deflate, gzip", "x-deflate", "gzip\x00", "compress"])
def test_what_cannot_be_undone(header):
    with pytest.raises(UnsupportedCoding) as caught:
        decompressor_for(header, NATIVE)
    assert caught.value.status == 415


@given(
    st.sampled_from(sorted(FORMS)), st.binary(max_size=300), st.lists(st.integers(min_value=0), max_size=6)
)
def test_how_it_is_cut_makes_no_difference(form, data, cuts):
    body = FORMS[form](data)
    edges = sorted({0, len(body), *(place % (len(body) + 1) for place in cuts)})
    assert decompress(form, [body[start:stop] for start, stop in pairwise(edges)]) == data


@given(st.sampled_from(sorted(FORMS)), st.binary(max_size=60))
def test_anything_else_is_an_input_error(form, data):
    try:
        decompress(form, [data])
    except RemoteProtocolError:
        pass
