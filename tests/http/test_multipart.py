from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyewall.http.errors import (
    HTTPInputError,
    LocalProtocolError,
    PartHeaderTooLarge,
    RemoteProtocolError,
    TooManyParts,
)
from eyewall.http.grammar import has_control
from eyewall.http.multipart import (
    PADDING_BYTES,
    End,
    MultipartEngine,
    PartBegin,
    PartData,
    PartEnd,
)

from .linear import assert_linear

HEAD = b'--1234\r\nContent-Disposition: form-data; name="a"\r\n\r\n'
PART = HEAD + b"b\r\n"
END = b"--1234--\r\n"


def parse(chunks, boundary=b"1234", **limits):
    """Returns [(name, filename, content type, content)], with what a stream of events must be checked."""
    limits = {"max_parts": 10, "max_header_bytes": 1000} | limits
    engine = MultipartEngine(boundary, **limits)
    events = [event for chunk in chunks for event in engine.feed(chunk)]
    events += engine.finish()
    parts = []
    inside = False
    for event in events[:-1]:
        if isinstance(event, PartBegin):
            assert not inside
            inside = True
            parts.append([event.name, event.filename, event.content_type, b""])
        elif isinstance(event, PartData):
            assert inside
            assert event.data
            parts[-1][3] += event.data
        else:
            assert isinstance(event, PartEnd)
            assert inside
            inside = False
    assert not inside
    assert isinstance(events[-1], End)
    assert engine.ended
    return [tuple(part) for part in parts]


def part(disposition, content=b"b"):
    if isinstance(disposition, str):
        disposition = disposition.encode()
    return b"--1234\r\nContent-Disposition: " + disposition + b"\r\n\r\n" + content + b"\r\n" + END


def test_parts():
    body = (
        PART
        + b'--1234\r\ncontent-disposition: Form-Data; name=f; filename="x y.txt"\r\n'
        + b"Content-Type: text/plain\r\nX-Other: 1\r\n\r\n\r\nline\r\n\r\n"
        + END
    )
    assert parse([body]) == [("a", None, None, b"b"), ("f", "x y.txt", "text/plain", b"\r\nline\r\n")]


def test_headers_are_at_hand():
    engine = MultipartEngine(b"1234", max_parts=1, max_header_bytes=100)
    (begin,) = engine.feed(b"--1234\r\nContent-Disposition: form-data; name=a\r\nX-a: \xe2\x82\xac\r\n\r\n")
    assert begin.headers["x-A"] == "€"


@pytest.mark.parametrize(
    ("body", "contents"),
    [
        (PART + END, [b"b"]),
        (PART + END[:-2], [b"b"]),
        (PART + END[:-2] + b"  ", [b"b"]),
        (PART + END + b"epilogue\r\n" + PART, [b"b"]),
        (PART + PART + END, [b"b", b"b"]),
        (PART.replace(b"1234\r\n", b"1234 \t\r\n") + END, [b"b"]),
        (HEAD + b"\r\n" + END, [b""]),
        # The line end of the empty line may be that of the delimiter.
        (HEAD + END, [b""]),
        (HEAD + HEAD[:6] + HEAD[6:] + END, [b"", b""]),
        # Not delimiters: something follows, or no line end stands before it.
        (HEAD + b"\r\n--12345\r\n--1234x\r\n--1234-\r\n--1234--x\r\n--123\r\n" + END,
         [b"\r\n--12345\r\n--1234x\r\n--1234-\r\n--1234--x\r\n--123"]),
        (HEAD + b"--12345\r\n" + END, [b"--12345"]),
        (HEAD + b"b--1234\r\n" + END, [b"b--1234"]),
        (HEAD + b"b\n--1234\r\n" + END, [b"b\n--1234"]),
        (HEAD + b"\r\n--1234\n\r\n--1234\r\r\n" + END, [b"\r\n--1234\n\r\n--1234\r"]),
        (HEAD + b"\r\r\n\r" + b"\r\n" + END, [b"\r\r\n\r"]),
        (HEAD + b"b\r\n--1234" + b" " * 100 + b"\r\n" + END, [b"b\r\n--1234" + b" " * 100]),
        (END, []),
        (END[:-2], []),
    ],
)  # fmt: skip
def test_where_content_ends(body, contents):
    assert [content for _, _, _, content in parse([body])] == contents
    assert [content for _, _, _, content in parse([bytes([byte]) for byte in body])] == contents


def test_a_part_without_headers_is_the_same_in_pieces():
    body = HEAD + b"--1234\r\n\r\n--1234\r\n\r\n"
    assert outcome([body]) == outcome([bytes([byte]) for byte in body])


def test_padding_is_the_same_in_pieces():
    for padding in range(PADDING_BYTES + 4):
        for closing in (b"", b"--"):
            body = PART + b"--1234" + closing + b" " * padding + b"\r\n" + PART[8:] + END
            assert outcome([body]) == outcome([bytes([byte]) for byte in body])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--1234",
        b"--1234-",
        PART,
        PART + b"--1234",
        PART + b"--1234-",
        PART + END[:-1],
        HEAD,
        HEAD + b"b" + END,
        b"preamble\r\n" + PART + END,
        b"\r\n" + PART + END,
        b"--1235\r\n" + PART + END,
        (PART + END).replace(b"\r\n", b"\n"),
        PART.replace(b"\r\n\r\n", b"\n\n") + END,
        PART.replace(b"\r\n\r\n", b"\r\nX: y\nZ: z\r\n\r\n") + END,
        b"--1234\r\n\r\nb\r\n" + END,
        b"--1234\r\nb\r\n" + END,
        b"--1234\r\n" + END,
        PART.replace(b"; name", b";\r\n name") + END,
        PART.replace(b"\r\n\r\n", b"\r\nno colon\r\n\r\n") + END,
        PART.replace(b"\r\n\r\n", b"\r\nX : y\r\n\r\n") + END,
        PART.replace(b"\r\n\r\n", b"\r\nX: a\x00b\r\n\r\n") + END,
        PART.replace(b"\r\n\r\n", b'\r\nContent-Disposition: form-data; name="z"\r\n\r\n') + END,
        b"--1234\r\nContent-Type: text/plain\r\n\r\nb\r\n" + END,
        part("attachment; name=a"),
        part("form-data"),
        part("form-data; filename=x"),
        part('form-data; name=""'),
        part("form-data; name=a; name=b"),
        part("form-data; name=a; filename=x; Filename=y"),
        part("form-data; name*=UTF-8''a; name*=UTF-8''b"),
        part('form-data; name="a'),
        part('form-data; name="a"b'),
        part(b"form-data; name=\xff"),
        part('form-data; name="a\rb"'),
        part('form-data; name="a\0b"'),
        part('form-data; name=a; filename="a\x08b"'),
        part("form-data; name*=UTF-8''a%0d%0ab"),
        part("form-data; name=a; filename*=UTF-8''a%00"),
        part("form-data; name=a; filename*0*=UTF-8''a%0a; filename*1=b"),
    ],
)
def test_refused(body):
    with pytest.raises(HTTPInputError) as caught:
        parse([body])
    assert getattr(caught.value, "status", 400) == 400
    with pytest.raises(HTTPInputError):
        parse([bytes([byte]) for byte in body])


@pytest.mark.parametrize(
    ("disposition", "name", "filename"),
    [
        ("form-data; name=files; filename=ab.txt", "files", "ab.txt"),
        ('form-data; name="a"; filename=""', "a", ""),
        ('form-data; name="測"; filename="测试.txt"', "測", "测试.txt"),
        ("form-data; name=a; filename=\"ab.txt\"; filename*=UTF-8''%C3%A1b.txt", "a", "áb.txt"),
        (r'form-data; name="a"; filename="C:\dir\x.txt"', "a", r"C:\dir\x.txt"),
        ('form-data; name="a"; filename="../../etc/passwd"', "a", "../../etc/passwd"),
        ('form-data; name="a%0d%0ab"', "a%0d%0ab", None),
        ("form-data;name=a ;filename = b", "a", "b"),
        *[
            ('form-data; name="a"; filename="{}"'.format(text.replace("\\", "\\\\").replace('"', '\\"')),
            "a", text) for text in ("a;b", 'a"b', 'a";b', 'a;"b', 'a";";.', 'a\\"b', "a\\b", "a b", "a\tb",
            "\\\\")
        ],
    ],
)  # fmt: skip
def test_names(disposition, name, filename):
    assert parse([part(disposition)]) == [(name, filename, None, b"b")]


def test_limits():
    body = PART * 3 + END
    assert len(parse([body], max_parts=3)) == 3
    with pytest.raises(TooManyParts) as caught:
        parse([body], max_parts=2)
    assert caught.value.status == 400
    with pytest.raises(TooManyParts):
        parse([PART + END], max_parts=0)
    header = len(b'Content-Disposition: form-data; name="a"')
    for chunks in ([PART + END], [bytes([byte]) for byte in PART + END]):
        assert len(parse(chunks, max_header_bytes=header)) == 1
        with pytest.raises(PartHeaderTooLarge):
            parse(chunks, max_header_bytes=header - 1)


def test_an_endless_header_is_cut_off_early():
    engine = MultipartEngine(b"1234", max_parts=1, max_header_bytes=1000)
    engine.feed(b"--1234\r\n")
    with pytest.raises(PartHeaderTooLarge):
        for _ in range(101):
            engine.feed(b"X: " + b"y" * 7)


def test_no_use_after_an_error():
    engine = MultipartEngine(b"1234", max_parts=1, max_header_bytes=1000)
    with pytest.raises(RemoteProtocolError):
        engine.feed(b"x")
    with pytest.raises(LocalProtocolError):
        engine.feed(b"x")
    with pytest.raises(LocalProtocolError):
        engine.finish()


@pytest.mark.parametrize("boundary", [b"", b"x" * 71, b"a\r\nb", b"a\nb", b"a ", b"\xe9", b"a\0", b"a\x7f"])
def test_bad_boundaries(boundary):
    with pytest.raises(RemoteProtocolError):
        MultipartEngine(boundary, max_parts=1, max_header_bytes=1000)


@pytest.mark.parametrize("boundary", [b"-", b"--", b"a b", b"=?:'()+_,-./", b"x" * 70])
def test_odd_boundaries(boundary):
    body = (PART + PART + END).replace(b"1234", boundary)
    expected = [("a", None, None, b"b")] * 2
    assert parse([body], boundary) == expected
    assert parse([bytes([byte]) for byte in body], boundary) == expected


def test_content_is_handed_out_at_once():
    engine = MultipartEngine(b"1234", max_parts=1, max_header_bytes=1000)
    engine.feed(HEAD)
    chunk = b"x" * 1000
    (event,) = engine.feed(chunk)
    assert event.data is chunk
    (event,) = engine.feed(b"yyy\r\n--12")
    assert event.data == b"yyy"
    (event,) = engine.feed(b"z")
    assert event.data == b"\r\n--12z"


def outcome(chunks, **limits):
    try:
        return parse(chunks, **limits)
    except HTTPInputError as error:
        return type(error), str(error)


def cut(body, cuts):
    edges = sorted({0, len(body), *(place % (len(body) + 1) for place in cuts)})
    return [body[start:stop] for start, stop in pairwise(edges)]


# Pieces of which bodies are made that nearly are multipart.
PIECES = st.sampled_from(
    [
        b"--1234", b"\r\n--1234", b"--", b"\r\n", b"\r", b"\n", b"-", b" ", b"x", b"\r\n\r\n", b"1234",
        b"\0", b'Content-Disposition: form-data; name="a"', b"; filename*=UTF-8''%0d", b"Content-Type: x",
        HEAD, PART, END,
    ]
)  # fmt: skip


@settings(max_examples=300)
@given(st.lists(PIECES, max_size=20), st.lists(st.integers(min_value=0), max_size=12))
def test_how_it_is_cut_makes_no_difference(pieces, cuts):
    body = HEAD + b"".join(pieces)
    whole = outcome([body])
    assert outcome(cut(body, cuts)) == whole
    assert outcome([bytes([byte]) for byte in body]) == whole
    if isinstance(whole, list):
        for name, filename, _, content in whole:
            assert not has_control(name + (filename or ""))
            assert b"\r\n--1234\r\n" not in content


NAMES = st.text(
    st.characters(blacklist_categories=("Cc", "Cs"), blacklist_characters='"\\;'), min_size=1, max_size=8
)
CONTENT = st.one_of(
    st.binary(max_size=40), st.lists(st.sampled_from([b"\r", b"\n", b"-", b"--", b"12", b"34"])).map(b"".join)
)


@given(
    st.lists(st.tuples(NAMES, CONTENT, st.one_of(st.none(), NAMES)), max_size=8),
    st.lists(st.integers(min_value=0), max_size=8),
)
def test_round_trip(parts, cuts):
    boundary = b"12345678"
    body = b""
    for name, content, filename in parts:
        disposition = f'form-data; name="{name}"' + (f'; filename="{filename}"' if filename else "")
        body += b"--%b\r\nContent-Disposition: %b\r\n\r\n%b\r\n" % (boundary, disposition.encode(), content)
    body += b"--%b--\r\n" % boundary
    parsed = parse(cut(body, cuts), boundary)
    assert parsed == [(name, filename, None, content) for name, content, filename in parts]


@pytest.mark.parametrize(
    "hostile",
    [
        lambda n: HEAD + b"\r\n--1234x" * n,
        lambda n: HEAD + b"\r" * n,
        lambda n: HEAD + b"\r\n--123" * n,
        lambda n: HEAD + b"\r\n--1234" + b" " * n,
        lambda n: PART * n,
        lambda n: b'--1234\r\nContent-Disposition: form-data; x="' + b";" * n + b'"; name="a"\r\n\r\nb',
        lambda n: b"--1234\r\n" + b"X: y\r\n" * n,
    ],
)
def test_linear(hostile):
    def feed(body, size):
        engine = MultipartEngine(b"1234", max_parts=10**6, max_header_bytes=10**6)
        for at in range(0, len(body), size):
            engine.feed(body[at : at + size])

    assert_linear(lambda n: feed(hostile(n), 10**9), small=60)
    assert_linear(lambda n: feed(hostile(n), 3), small=60)


@pytest.mark.parametrize("bare_start", [False, True])
def test_a_body_without_a_boundary_at_the_beginning(bare_start):
    head = b'Content-Disposition: form-data; name="a"\r\n\r\n'
    body = head + b"b\r\n" + PART + END
    for chunks in ([body], [body[:10], body[10:]], [body[i : i + 1] for i in range(len(body))]):
        if bare_start:
            assert parse(chunks, bare_start=True) == [("a", None, None, b"b")] * 2
        else:
            with pytest.raises(HTTPInputError, match="no boundary at the beginning"):
                parse(chunks)
    # It changes nothing for others, and is no way around the limits.
    assert parse([PART + END], bare_start=bare_start) == [("a", None, None, b"b")]
    with pytest.raises((TooManyParts, HTTPInputError)):
        parse([body], bare_start=bare_start, max_parts=1)
    with pytest.raises((PartHeaderTooLarge, HTTPInputError)):
        parse([b"a" * 2000], bare_start=bare_start)
