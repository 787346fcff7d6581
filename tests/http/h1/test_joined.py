"""Two engines joined, without a socket: what a client asks and a server answers, through both roles and the writer."""

from __future__ import annotations

from random import Random
from typing import NamedTuple

import pytest

from eyewall.guard.profile import NATIVE, TORNADO, Profile
from eyewall.http.exchange import Exchange
from eyewall.http.h1.engine import DATA, END, HEAD, NEED_DATA, H1Engine

from ..wire import App, Bench, Sink, bench_test, turns


class Request(NamedTuple):
    method: str
    body: bytes
    chunked: bool
    version: str


class Answer(NamedTuple):
    status: int
    pieces: list[bytes]
    #: whole, counted, or chunked.
    how: str


STATUSES = [200, 200, 200, 200, 201, 204, 304, 404, 500, 299]


def bytes_of(random: Random) -> bytes:
    return bytes(random.choices(b"ab\r\n0:; HTTP/1.", k=random.choice([0, 1, 10, 3000, 40_000])))


def conversation(random: Random) -> list[tuple[Request, Answer]]:
    turns = []
    for number in range(random.randrange(1, 6)):
        method = random.choice(["GET", "GET", "POST", "PUT", "HEAD", "OPTIONS", "QUERY"])
        version = "1.0" if random.random() < 0.2 else "1.1"
        body = bytes_of(random) if random.random() < 0.5 else b""
        request = Request(method, body, version == "1.1" and random.random() < 0.5, version)
        status = random.choice(STATUSES)
        pieces = [bytes_of(random) for _ in range(random.randrange(4))]
        turns.append((request, Answer(status, pieces, random.choice(["whole", "counted", "chunked"]))))
        assert number < 6
    return turns


def written(number: int, request: Request, random: Random) -> bytes:
    lines = [f"{request.method} /{number} HTTP/{request.version}", "Host: a", "Connection: keep-alive"]
    if request.chunked:
        lines.append("Transfer-Encoding: chunked")
        content, rest = b"", request.body
        while rest:
            size = random.randrange(1, len(rest) + 1)
            content += b"%x\r\n%b\r\n" % (size, rest[:size])
            rest = rest[size:]
        content += b"0\r\n\r\n"
    else:
        if request.body or random.random() < 0.5:
            lines.append(f"Content-Length: {len(request.body)}")
        content = request.body
    return "\r\n".join([*lines, "", ""]).encode() + content


def give(exchange: Exchange, answer: Answer) -> None:
    body = b"".join(answer.pieces)
    if answer.how == "whole":
        exchange.respond(answer.status, "Reason", b"X-How: whole\r\n", body, len(body))
        return
    length = len(body) if answer.how == "counted" else -1
    first, *rest = answer.pieces or [b""]
    exchange.start(answer.status, "Reason", b"X-How: pieces\r\n", length, first)
    for piece in rest:
        exchange.write(piece)
    exchange.finish()


@pytest.mark.parametrize("profile", [NATIVE, TORNADO], ids=["native", "tornado"])
@pytest.mark.parametrize("part", range(4))
@bench_test
async def test_what_is_asked_is_heard_and_what_is_answered_is_read(part: int, profile: Profile) -> None:
    for number in range(part * 40, part * 40 + 40):
        random = Random(f"joined {number}")
        said = conversation(random)
        answers = iter(said)

        def end(sink: Sink) -> None:
            give(sink.exchange, next(answers)[1])  # noqa: B023

        bench = Bench(App(end), profile)
        client = bench.connect()
        stream = b"".join(written(at, request, random) for at, (request, _) in enumerate(said))
        while stream:
            size = random.choice([1, 5, 100, 5000, 100_000])
            client.send(stream[:size])
            stream = stream[size:]
            if random.random() < 0.3:
                await turns(2)
        await turns()
        heard = [(sink.exchange.head.method, sink.path, sink.content) for sink in bench.app.sinks]

        # A client of HTTP/1.0 is told the end of content of unknown length by the end of the connection.
        engine = H1Engine(NATIVE, client=True)
        read: list[tuple[int, bytes]] = []
        data = client.received
        at = 0
        engine.expect(said[0][0].method)
        closed = False
        while at < len(data) and not closed:
            size = random.choice([1, 7, 1000, 100_000])
            engine.feed(data[at : at + size])
            at += size
            while (event := engine.next_event()) != NEED_DATA:
                if event == HEAD:
                    assert engine.head is not None
                    assert engine.head.reason == "Reason"
                    read.append((engine.head.status, b""))
                    keep = engine.head.keep_alive
                elif event == DATA:
                    read[-1] = (read[-1][0], read[-1][1] + engine.data)
                elif event == END:
                    engine.start_next()
                    if len(read) < len(said):
                        engine.expect(said[len(read)][0].method)
                    closed = not keep
        if engine.in_body():
            assert engine.feed_eof() == END
            assert not client.open
        else:
            assert engine.feed_eof() == NEED_DATA

        served = len(read)
        assert served == len(heard)
        assert served == len(said) or not client.open
        for at, (request, answer) in enumerate(said[:served]):
            assert heard[at] == (request.method, f"/{at}", request.body), number
            bodiless = request.method == "HEAD" or answer.status in (204, 304)
            assert read[at] == (answer.status, b"" if bodiless else b"".join(answer.pieces)), number
        await bench.hang_up()
