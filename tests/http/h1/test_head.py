"""What a head answers without being taken apart."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from eyewall.guard.profile import NATIVE, TORNADO
from eyewall.http.h1.engine import HEAD, H1Engine
from eyewall.http.h1.head import Head, parse_block
from eyewall.http.headers import HTTPHeaders
from eyewall.http.names import spellings

NAMES = st.sampled_from(
    [
        "a",
        "b",
        "ab",
        "ba",
        "Cookie",
        "cookie",
        "X-A",
        "x-a",
        "Accept",
        "accept-encoding",
        "Accept-Language",
        "e",
    ]
)
VALUES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=8)


def head_with(fields: list[tuple[str, str]], end: bytes = b"\r\n") -> Head:
    block = b"".join(f"{name}: {value}".encode("latin-1") + end for name, value in fields)
    engine = H1Engine(NATIVE if end == b"\r\n" else TORNADO)
    engine.feed(b"GET / HTTP/1.0" + end + block + end)
    assert engine.next_event() == HEAD
    head = engine.head
    assert head is not None
    assert head.block[head.start : head.end] == block
    return head


@given(fields=st.lists(st.tuples(NAMES, VALUES), max_size=8), end=st.sampled_from([b"\r\n", b"\n"]))
def test_find_and_fields_agree(fields: list[tuple[str, str]], end: bytes) -> None:
    head = head_with(fields, end)
    headers = HTTPHeaders.from_fields(head.fields())
    assert [(name.lower(), value) for name, value in head.fields()] == [
        (name.lower(), value.strip(" \t")) for name, value in fields
    ]
    for name in (
        "a",
        "b",
        "ab",
        "cookie",
        "x-a",
        "accept",
        "accept-encoding",
        "accept-language",
        "e",
        "absent",
    ):
        assert head.find(name.encode()) == headers.get(name)
        if headers.get(name) is not None:
            assert head.may_have(name.encode())


def test_find_looks_at_names_only() -> None:
    head = head_with([("X", "Cookie: a"), ("Cookies", "b"), ("XCookie", "c"), ("Cooki", "e: d")])
    assert head.find(b"cookie") is None
    assert head.find(b"cookies") == "b"


def test_an_absent_field_is_told_without_looking() -> None:
    head = head_with([("Host", "a")])
    assert not head.may_have(b"cookie")
    assert head.may_have(b"host")


def test_rename() -> None:
    head = head_with([("content-encoding", "gzip"), ("X", "\xff")])
    head.rename(b"content-encoding", b"X-Consumed-Content-Encoding")
    assert head.fields() == [("X-Consumed-Content-Encoding", "gzip"), ("X", "\xff")]
    assert head.find(b"content-encoding") is None
    assert head.find(b"x-consumed-content-encoding") == "gzip"


def test_names_are_spelled_in_one_place() -> None:
    block = b"x-only-here: 1\r\n"
    spellings.pop("x-only-here", None)
    assert parse_block(block, 0, len(block)) == [("X-Only-Here", "1")]
    assert spellings["x-only-here"] == "X-Only-Here"
    block = b"x" * 100 + b": 1\r\n"
    assert parse_block(block, 0, len(block)) == [("X" + "x" * 99, "1")]
    assert "x" * 100 not in spellings


def test_a_client_can_fill_the_cache_of_names_only_so_far() -> None:
    from eyewall.http.names import CACHE_SIZE

    for at in range(CACHE_SIZE * 2):
        block = b"x-%d: 1\r\n" % at
        parse_block(block, 0, len(block))
    assert len(spellings) <= CACHE_SIZE
