"""The engine against llhttp, the parser of Node.js, over more than ten thousand requests.

What both take whole they must take for the same thing: two readings of one request are how requests are smuggled.
Where they differ in what they take, the engine must be the stricter one, but for these:

- Methods. llhttp knows a fixed list. RFC 9110 section 9.1 has any token, and which of them are served is for the
  application to say (405).
- HTTP/1.2 to HTTP/1.9. RFC 9110 section 2.5 has them served as the highest minor version that is known.
- What comes behind a request that closes the connection. llhttp complains; here the driver closes and never looks.
- White space within the extensions of chunks, which RFC 9112 section 7.1.1 has recipients parse.

And two differences in what is read, which are httptools' and llhttp's alone:

- Content of a request that asks for an upgrade. httptools leaves it to the other protocol. RFC 9110 section 7.8 has
  the request come whole before another protocol can begin, as here.
- A HTTP/1.0 request whose Connection says close and keep-alive. llhttp keeps the connection; here close counts.
"""

from __future__ import annotations

import re
from random import Random
from typing import Any, NamedTuple

import pytest

from eyewall.guard.profile import NATIVE, TORNADO, Profile

from .generating import damaged, request, stream
from .parsing import read, refusal

httptools = pytest.importorskip("httptools")

#: Streams, of one to three requests each; three in five are damaged.
STREAMS = 12_000
PART = 1_000

METHOD = ("Invalid method encountered", "Expected space after method")
MINOR = ("Invalid minor version", "Invalid HTTP version")
EXTENSION = "Invalid character in chunk extensions name"
AFTER_CLOSE = "Data after `Connection: close`"


class Message(NamedTuple):
    method: bytes
    target: bytes
    fields: list[tuple[bytes, bytes]]
    trailers: list[tuple[bytes, bytes]]
    body: bytes
    keep_alive: bool
    upgrade: bool


class Recorder:
    """Writes down what llhttp says."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.parser: Any = None

    def on_message_begin(self) -> None:
        self.url = self.body = b""
        self.fields: list[tuple[bytes, bytes]] = []
        self.trailers: list[tuple[bytes, bytes]] = []
        self.method = b""

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        (self.trailers if self.method else self.fields).append((name.lower(), value.strip(b" \t")))

    def on_headers_complete(self) -> None:
        self.method = self.parser.get_method()
        self.keep_alive = self.parser.should_keep_alive()
        self.upgrade = self.parser.should_upgrade()

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.messages.append(
            Message(
                self.method,
                origin(self.url),
                self.fields,
                self.trailers,
                self.body,
                self.keep_alive,
                self.upgrade,
            )
        )


def origin(url: bytes) -> bytes:
    """The target in origin-form, as the engine has it."""
    _scheme, separator, rest = url.partition(b"://")
    if not separator or url.startswith(b"/"):
        return url
    at = min((index for index in (rest.find(b"/"), rest.find(b"?")) if index >= 0), default=len(rest))
    path = rest[at:]
    return path if path.startswith(b"/") else b"/" + path


def by_llhttp(data: bytes) -> tuple[list[Message], str | None]:
    """The messages that are complete, and what llhttp complains about."""
    recorder = Recorder()
    recorder.parser = httptools.HttpRequestParser(recorder)
    try:
        recorder.parser.feed_data(data)
    except httptools.HttpParserUpgrade:
        return recorder.messages, None
    except httptools.HttpParserError as error:
        return recorder.messages, str(error)
    return recorder.messages, None


def by_engine(data: bytes, profile: Profile) -> tuple[list[Message], bool, bool]:
    """The messages that are complete, up to the last that is served; whether all was taken; and whether all that
    came behind the last was left alone.
    """
    events = read(data, profile, eof=True)
    messages: list[Message] = []
    ended = False
    for event in events:
        if event[0] == "head":
            if ended:
                return messages, True, True
            head, body = event[1], b""
        elif event[0] == "data":
            body = event[1]
        elif event[0] == "end":
            fields = [(name.lower().encode(), value.encode("latin-1")) for name, value in head["fields"]]
            trailers = [(name.lower().encode(), value.encode("latin-1")) for name, value in event[1] or ()]
            messages.append(
                Message(
                    head["method"].encode(),
                    head["target"].encode("latin-1"),
                    fields,
                    trailers,
                    body,
                    head["keep_alive"],
                    head["upgrade"],
                )
            )
            # An upgrade that llhttp takes as one ends what it reads.
            ended = not head["keep_alive"] or head["method"] == "CONNECT" or head["upgrade"]
    return messages, ended or refusal(events) is None, ended


def same(ours: Message, theirs: Message) -> bool:
    if ours[:3] != theirs[:3]:
        return False
    if ours.method == b"CONNECT":
        return not ours.body and not theirs.body
    if ours.upgrade:
        return theirs.upgrade and not theirs.body
    options = b",".join(value for name, value in ours.fields if name == b"connection").lower().split(b",")
    says_both = {b"close", b"keep-alive"} <= {option.strip(b" \t") for option in options}
    return ours[3:5] == theirs[3:5] and (
        ours.keep_alive == theirs.keep_alive or (says_both and not ours.keep_alive)
    )


def known(complaint: str, messages: list[Message], data: bytes) -> bool:
    """Whether a request that the engine takes and llhttp does not is one of the differences above."""
    if complaint == AFTER_CLOSE:
        return True
    if complaint in METHOD:
        return any(message.method not in LLHTTP_METHODS for message in messages)
    if complaint in MINOR:
        return re.search(rb" HTTP/1.[2-9]\r\n", data) is not None
    return complaint == EXTENSION and re.search(rb"[;=][^\r\n]*[ \t]", data) is not None


LLHTTP_METHODS = frozenset(
    b"DELETE GET HEAD POST PUT CONNECT OPTIONS TRACE COPY LOCK MKCOL MOVE PROPFIND PROPPATCH SEARCH UNLOCK BIND "
    b"REBIND UNBIND ACL REPORT MKACTIVITY CHECKOUT MERGE M-SEARCH NOTIFY SUBSCRIBE UNSUBSCRIBE PATCH PURGE "
    b"MKCALENDAR LINK UNLINK SOURCE QUERY".split()
)


@pytest.mark.parametrize("part", range(STREAMS // PART))
def test_the_engine_and_llhttp_agree(part: int) -> None:
    both = 0
    for number in range(part * PART, part * PART + PART):
        data = stream(Random(number))
        ours, taken, ended = by_engine(data, NATIVE)
        theirs, complaint = by_llhttp(data)
        if ended and len(theirs) >= len(ours):
            # What is behind the last request that is served is nobody's.
            theirs, complaint = theirs[: len(ours)], None
        for our, their in zip(ours, theirs, strict=False):
            assert same(our, their), (number, data, our, their)
        if taken and complaint is None:
            assert len(ours) == len(theirs), (number, data)
            both += 1
        if len(ours) > len(theirs) or (taken and complaint is not None):
            # Something was taken here and not there.
            assert complaint is not None, (number, data)
            assert known(complaint, ours, data), (number, complaint, data)
    # The comparison is worth something.
    assert both > PART / 3


@pytest.mark.parametrize("part", range(2))
def test_a_lenient_engine_reads_nothing_into_it_either(part: int) -> None:
    for number in range(part * PART, part * PART + PART):
        data = stream(Random(-1 - number))
        ours, _, _ = by_engine(data, TORNADO)
        theirs, _ = by_llhttp(data)
        for our, their in zip(ours, theirs, strict=False):
            assert same(our, their), (number, data, our, their)


def test_undamaged_requests_are_all_taken() -> None:
    for number in range(500):
        random = Random(f"valid {number}")
        data = request(random)
        ours, taken, _ = by_engine(data, NATIVE)
        assert taken
        assert len(ours) == 1, (number, data)


def test_the_damage_is_damage() -> None:
    refused = 0
    for number in range(500):
        random = Random(f"damaged {number}")
        refused += not by_engine(damaged(random, request(random)), NATIVE)[1]
    assert refused > 250
