"""However bytes are cut they mean the same, and nothing they say makes the engine fail."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyewall.guard.profile import NATIVE, TORNADO, Profile

from .generating import EXTENSIONS, POISON, damaged, pieces, request, stream
from .parsing import kinds, read, refusal

#: Small enough that limits are met.
TIGHT = NATIVE.replace(
    head_bytes=300,
    head_fields=6,
    target_bytes=40,
    body_bytes=60,
    chunk_extension_bytes=20,
    trailer_bytes=40,
    informational_responses=2,
)
PROFILES = st.sampled_from([NATIVE, TORNADO, TIGHT])

FRAGMENTS = st.one_of(
    st.sampled_from(
        [
            b"GET / HTTP/1.1\r\n",
            b"POST /a HTTP/1.0\r\n",
            b"HTTP/1.1 200 OK\r\n",
            b"HTTP/1.1 100 Continue\r\n\r\n",
            b"HTTP/1.1 204 No Content\r\n",
            b"Host: a\r\n",
            b"Content-Length: 5\r\n",
            b"Transfer-Encoding: chunked\r\n",
            b"Connection: close\r\n",
            b"X: y\n",
            b"\r\n",
            b"5\r\nhello\r\n",
            b"1;a=b\r\nx\r\n",
            b"0\r\n\r\n",
            b"0\r\nX: y\r\n\r\n",
            b"hello",
            b"x" * 70,
        ]
    ),
    st.sampled_from(POISON),
    st.binary(max_size=4),
)


@given(
    data=st.lists(FRAGMENTS, max_size=14).map(b"".join),
    cuts=st.lists(st.integers(0, 400), max_size=8),
    profile=PROFILES,
    client=st.booleans(),
    method=st.sampled_from(["GET", "HEAD", "CONNECT"]),
)
@settings(max_examples=400, deadline=None)
def test_cutting_makes_no_difference(
    data: bytes, cuts: list[int], profile: Profile, client: bool, method: str
) -> None:
    options: dict[str, Any] = {"client": client, "methods": [method] * 20, "eof": True}
    whole = read(data, profile, **options)
    ends = sorted(min(cut, len(data)) for cut in cuts)
    assert (
        read([data[a:b] for a, b in zip([0, *ends], [*ends, len(data)], strict=True)], profile, **options)
        == whole
    )
    assert read([data[at : at + 1] for at in range(len(data))], profile, **options) == whole


@pytest.mark.parametrize("profile", [NATIVE, TORNADO, TIGHT], ids=["native", "tornado", "tight"])
def test_cutting_thousands_makes_no_difference(profile: Profile) -> None:
    for number in range(1500):
        random = Random(f"cut {number}")
        data = stream(random)
        assert read(pieces(random, data), profile) == read(data, profile), (number, data)


@given(data=st.binary(max_size=300), profile=PROFILES, client=st.booleans())
@settings(max_examples=400, deadline=None)
def test_garbage_is_refused_or_waits_for_more(data: bytes, profile: Profile, client: bool) -> None:
    events = read(data, profile, client=client)
    refused = refusal(events)
    if refused is not None:
        assert 400 <= refused[0] < 600
        assert refused[1]


@given(data=st.binary(max_size=200), profile=PROFILES)
@settings(max_examples=200, deadline=None)
def test_garbage_for_content(data: bytes, profile: Profile) -> None:
    head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    events = read(head + data, profile)
    assert kinds(events)[0] == "head"


def test_a_thousand_damaged_requests_end_in_one_way_or_another() -> None:
    for number in range(1000):
        random = Random(f"end {number}")
        events = read(damaged(random, request(random)), eof=True)
        assert kinds(events)[-1] in ("error", "eof")


# -- what is written is read ----------------------------------------------------------------------------

TOKENS = st.text("!#$%&'*+-.^_`|~09azAZ", min_size=1, max_size=12)
VALUES = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=20
).map(lambda text: text.strip(" \t"))
PATHS = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="#?"), max_size=20
).map(lambda text: "/" + text)
QUERIES = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="#"), max_size=20)
SPECIAL = {
    "host",
    "connection",
    "content-length",
    "transfer-encoding",
    "expect",
    "upgrade",
}


@st.composite
def messages(draw: st.DrawFn) -> tuple[bytes, dict[str, Any], bytes, list[tuple[str, str]] | None]:
    method = draw(TOKENS.filter(lambda name: name != "CONNECT"))
    path, query = draw(PATHS), draw(st.none() | QUERIES)
    target = path if query is None else f"{path}?{query}"
    fields = draw(
        st.lists(st.tuples(TOKENS.filter(lambda name: name.lower() not in SPECIAL), VALUES), max_size=5)
    )
    space = draw(st.sampled_from(["", " ", "\t", " \t "]))
    lines = [f"{name}:{space}{value}{space}\r\n".encode("latin-1") for name, value in fields]
    body = draw(st.binary(max_size=60))
    trailers: list[tuple[str, str]] | None = None
    framing = draw(st.sampled_from(["none", "length", "chunked"]))
    content = b""
    if framing == "none":
        body = b""
    elif framing == "length":
        lines.append(b"Content-Length: %d\r\n" % len(body))
        content = body
    else:
        lines.append(b"Transfer-Encoding: chunked\r\n")
        rest = body
        while rest:
            size = draw(st.integers(1, len(rest)))
            content += b"%X%b\r\n%b\r\n" % (size, draw(st.sampled_from(EXTENSIONS)), rest[:size])
            rest = rest[size:]
        content += b"0\r\n"
        if draw(st.booleans()):
            trailers = [("X-Trailer", draw(VALUES))]
            content += f"x-trailer: {trailers[0][1]}\r\n".encode("latin-1")
        content += b"\r\n"
    lines.insert(draw(st.integers(0, len(lines))), b"Host: example.org\r\n")
    data = f"{method} {target} HTTP/1.1\r\n".encode() + b"".join(lines) + b"\r\n" + content
    said = {
        "method": method,
        "target": target,
        "path": path,
        "query": query or "",
        "host": "example.org",
        "fields": [(name.lower(), value) for name, value in fields],
    }
    return data, said, body, trailers


@given(requests=st.lists(messages(), min_size=1, max_size=3))
@settings(max_examples=150, deadline=None)
def test_what_is_written_is_read(
    requests: list[tuple[bytes, dict[str, Any], bytes, list[tuple[str, str]] | None]],
) -> None:
    events = read(b"".join(data for data, _, _, _ in requests), eof=True)
    assert refusal(events) is None
    events.pop()
    for _, said, body, trailers in requests:
        head = events.pop(0)[1]
        assert {name: head[name] for name in said if name != "fields"} == {
            name: value for name, value in said.items() if name != "fields"
        }
        found = [(name.lower(), value) for name, value in head["fields"] if name.lower() not in SPECIAL]
        assert found == said["fields"]
        if body:
            assert events.pop(0) == ("data", body)
        assert events.pop(0) == ("end", trailers)
    assert events == []
