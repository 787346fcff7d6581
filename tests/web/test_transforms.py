import gzip
import zlib
from types import SimpleNamespace

import pytest

from eyewall.http.headers import HTTPHeaders
from eyewall.web.transforms import GZipContentEncoding, OutputTransform

LONG = b"hello world" * 200


def transform(chunks=(LONG,), accept="gzip", status=200, kind=GZipContentEncoding, **fields):
    """Sends `chunks` through a transform; returns the header fields and the pieces that come out."""
    headers = HTTPHeaders({"Content-Type": "text/html; charset=UTF-8"})
    for name, value in fields.items():
        headers[name.replace("_", "-")] = value
    request = SimpleNamespace(headers=HTTPHeaders({} if accept is None else {"Accept-Encoding": accept}))
    instance = kind(request)
    last = len(chunks) - 1
    _, headers, first = instance.transform_first_chunk(status, headers, chunks[0], last == 0)
    rest = [instance.transform_chunk(chunk, at == last) for at, chunk in enumerate(chunks) if at]
    return headers, [first, *rest]


def is_compressed(**kwargs):
    headers, pieces = transform(**kwargs)
    compressed = headers.get("Content-Encoding") == "gzip"
    content = b"".join(kwargs.get("chunks", (LONG,)))
    assert (gzip.decompress(b"".join(pieces)) if compressed else b"".join(pieces)) == content
    return compressed


def test_the_base_changes_nothing():
    headers, pieces = transform(chunks=(b"a", b"b"), kind=OutputTransform)
    assert dict(headers) == {"Content-Type": "text/html; charset=UTF-8"}
    assert pieces == [b"a", b"b"]


@pytest.mark.parametrize(
    ("accept", "compressed"),
    [
        ("gzip", True),
        ("deflate, gzip;q=0.5", True),
        ("*", True),
        ("GZIP", True),
        (None, False),
        ("", False),
        ("br", False),
        ("gzip;q=0", False),
        ("identity, gzip;q=0.5", False),
        ("notgzip", False),
    ],
)
def test_who_gets_it(accept, compressed):
    assert is_compressed(accept=accept) is compressed
    assert transform(accept=accept)[0]["Vary"] == "Accept-Encoding"


@pytest.mark.parametrize(
    ("ctype", "compressed"),
    [
        ("text/plain", True),
        ("TEXT/Plain ;charset=x", True),
        ("application/json; charset=UTF-8", True),
        ("image/svg+xml", True),
        ("image/png", False),
        ("", False),
    ],
)
def test_types(ctype, compressed):
    assert is_compressed(Content_Type=ctype) is compressed


@pytest.mark.parametrize(
    "kwargs",
    [
        {"chunks": (b"x" * (GZipContentEncoding.MIN_LENGTH - 1),)},
        {"Content_Encoding": "br"},
        {"status": 206},
        {"status": 206, "Content_Range": "bytes 0-1/2"},
        {"Cache_Control": "public, No-Transform"},
        {"status": 304, "chunks": (b"",)},
    ],
)
def test_left_alone(kwargs):
    assert transform(**kwargs)[0].get("Content-Encoding") != "gzip"
    assert is_compressed(**kwargs) is False


def test_length():
    headers, pieces = transform(Content_Length=str(len(LONG)))
    assert headers["Content-Length"] == str(len(pieces[0])) != str(len(LONG))
    headers, _ = transform(chunks=(LONG, b""), Content_Length=str(len(LONG)))
    assert "Content-Length" not in headers
    headers, _ = transform(accept=None, Content_Length=str(len(LONG)))
    assert headers["Content-Length"] == str(len(LONG))


def test_pieces_arrive_when_they_are_flushed():
    headers, pieces = transform(chunks=(b"short", b"next", b"", b"last"))
    assert headers["Content-Encoding"] == "gzip"
    stream = zlib.decompressobj(16 + zlib.MAX_WBITS)
    assert [stream.decompress(piece) for piece in pieces] == [b"short", b"next", b"", b"last"]
    assert stream.eof


def test_entity_tags_become_weak():
    assert transform(Etag='"x"')[0]["Etag"] == 'W/"x"'
    assert transform(Etag='W/"x"')[0]["Etag"] == 'W/"x"'
    assert transform(Etag='"x"', accept=None)[0]["Etag"] == '"x"'


@pytest.mark.parametrize(
    ("vary", "result"),
    [
        ("Accept-Language", "Accept-Language, Accept-Encoding"),
        ("accept-encoding", "accept-encoding"),
        ("*", "*"),
    ],
)
def test_vary_is_kept(vary, result):
    assert transform(Vary=vary)[0]["Vary"] == result
    headers = HTTPHeaders()
    headers.add("Vary", "Accept-Language")
    headers.add("Vary", "Cookie")
    request = SimpleNamespace(headers=HTTPHeaders())
    GZipContentEncoding(request).transform_first_chunk(200, headers, b"", True)
    assert [name.strip() for name in headers["Vary"].split(",")] == [
        "Accept-Language",
        "Cookie",
        "Accept-Encoding",
    ]


def test_subclasses_choose_types_and_lengths():
    class Everything(GZipContentEncoding):
        CONTENT_TYPES = {"application/x-mine"}
        MIN_LENGTH = 1

    assert is_compressed(kind=Everything, chunks=(b"x",), Content_Type="application/x-mine")
