"""Requests in flight at a limit, byte by byte: they pass, wait, or are refused."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import pytest

from eyewall.guard import registry
from eyewall.guard.limits.requestlimit import RequestLimit
from eyewall.guard.profile import NATIVE, Profile
from eyewall.http.limiting import is_below

from .wire import App, Bench, Sink, answer, bench_test, chunked, get, later, post, turns

REFUSED = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"


def limits(most: int, queue: int = 0, patience: float = 1000.0) -> Profile:
    return NATIVE.replace(requests=most, request_queue=queue, request_queue_timeout=patience)


def limit_of(bench: Bench) -> RequestLimit:
    limit = bench.server.request_limit
    assert limit is not None
    return limit


class Taker(asyncio.Protocol):
    """Takes over a connection."""

    release: Any = None


async def end(bench: Bench) -> None:
    """However a test ends, nothing is in flight any more."""
    await bench.hang_up()
    limit = limit_of(bench)
    assert (limit.gate.busy, limit.gate.waiting) == (0, 0)


def test_without_a_limit_nothing_stands_between() -> None:
    async def main() -> None:
        bench = Bench()
        assert bench.server.request_limit is None
        assert bench.server.app is bench.app

    asyncio.run(main())


@bench_test
async def test_what_is_too_much_is_refused_and_the_connection_kept() -> None:
    bench = Bench(App(later), limits(1))
    first, second = bench.connect(get("/a")), bench.connect(get("/b") * 2)
    assert first.received == b""
    assert second.received == REFUSED * 2
    assert [sink.path for sink in bench.app.sinks] == ["/a"]
    answer(bench.app.sinks[0])
    second.send(get("/c"))
    answer(bench.app.sinks[1])
    assert second.received[len(REFUSED) * 2 :].endswith(b"/c")
    assert second.open
    assert limit_of(bench).counters() == {
        "passed": 2,
        "queued": 0,
        "full": 2,
        "expired": 0,
        "abandoned": 0,
    }
    await end(bench)


@bench_test
async def test_a_refusal_ends_a_connection_that_asks_for_it() -> None:
    bench = Bench(App(later), limits(1))
    bench.connect(get())
    other = bench.connect(get("/", "Connection: close"))
    assert b"\r\nConnection: close\r\n" in other.received
    await turns()
    assert not other.open
    head = bench.connect(get(method="HEAD"))
    assert head.received == REFUSED
    await end(bench)


@bench_test
async def test_content_of_a_refused_request_is_dropped_where_it_is_little() -> None:
    bench = Bench(App(later), limits(1))
    bench.connect(get("/a"))
    other = bench.connect(post(b"x" * 1000, "/b") + chunked(b"y" * 1000, "/c") + get("/d"))
    assert other.received == REFUSED * 3
    assert other.open
    much = bench.connect(post(b"x" * 1_000_000, "/e"))
    assert b"\r\nConnection: close\r\n" in much.received
    waiting = bench.connect(get("/f", "Content-Length: 10", "Expect: 100-continue", method="POST"))
    assert b" 100 " not in waiting.received
    assert b"\r\nConnection: close\r\n" in waiting.received
    await end(bench)


@bench_test
async def test_a_limit_that_is_not_reached_is_not_noticed() -> None:
    bench = Bench(App(), limits(1))
    client = bench.connect(get("/a") + post(b"b", "/b") + get("/c"))
    assert [response.body for response in client.responses()] == [b"/a", b"/b", b"/c"]
    assert limit_of(bench).gate.busy == 0
    await end(bench)


@bench_test
async def test_what_waits_is_served_in_turn() -> None:
    bench = Bench(App(later), limits(1, queue=2))
    clients = [bench.connect(get(f"/{number}")) for number in range(4)]
    assert clients[3].received == REFUSED
    assert len(bench.app.sinks) == 1
    for number in range(3):
        answer(bench.app.sinks[number])
        assert clients[number].responses()[0].body == b"/%d" % number
        await turns()
    assert [sink.path for sink in bench.app.sinks] == ["/0", "/1", "/2"]
    assert limit_of(bench).histograms()["waited"].count == 2
    assert limit_of(bench).counters()["queued"] == 2
    await end(bench)


@bench_test
async def test_pipelined_requests_wait_behind_one_that_waits() -> None:
    bench = Bench(App(later), limits(1, queue=1))
    bench.connect(get("/a"))
    other = bench.connect(get("/b") + get("/c"))
    assert limit_of(bench).gate.waiting == 1
    answer(bench.app.sinks[0])
    await turns()
    assert [sink.path for sink in bench.app.sinks] == ["/a", "/b"]
    answer(bench.app.sinks[1])
    await turns()
    answer(bench.app.sinks[2])
    assert [response.body for response in other.responses()] == [b"/b", b"/c"]
    await end(bench)


@bench_test
async def test_content_of_what_waits_is_passed_on_whole() -> None:
    bench = Bench(App(later), limits(1, queue=3))
    bench.connect(get("/a"))
    body = bytes(range(256)) * 40
    early = bench.connect(post(body, "/early"))
    late = bench.connect(get("/late", f"Content-Length: {len(body)}", method="POST"))
    pieces = bench.connect(chunked(body, "/pieces", size=1000))
    late.send(body[:3000])
    answer(bench.app.sinks[0])
    await turns()
    answer(bench.app.sinks[1])
    await turns()
    late.send(body[3000:])
    answer(bench.app.sinks[2])
    await turns()
    answer(bench.app.sinks[3])
    assert [sink.content for sink in bench.app.sinks[1:]] == [body] * 3
    assert all(sink.told[-1] == "end" for sink in bench.app.sinks)
    for client in (early, late, pieces):
        assert client.statuses == [200]
    await end(bench)


@bench_test
async def test_what_an_application_does_with_content_holds_after_waiting() -> None:
    """An awaitable pauses the content; an error of it ends the request."""
    gates: list[asyncio.Future[None]] = []

    def on_data(sink: Sink, chunk: bytes) -> Any:
        gates.append(asyncio.get_running_loop().create_future())
        return gates[-1]

    bench = Bench(App(later, on_data=on_data), limits(1, queue=2))
    bench.connect(get("/a"))
    good, bad = bench.connect(post(b"good", "/good")), bench.connect(post(b"bad", "/bad"))
    answer(bench.app.sinks[0])
    await turns()
    assert bench.app.sinks[1].told == ["data"]
    gates[0].set_result(None)
    await turns()
    assert bench.app.sinks[1].told == ["data", "end"]
    answer(bench.app.sinks[1])
    assert good.statuses == [200]
    await turns()
    gates[1].set_exception(ValueError("spoilt"))
    await turns()
    assert bad.statuses == [500]
    await end(bench)


@bench_test
async def test_an_application_that_fails_after_waiting() -> None:
    def fail(sink: Sink) -> None:
        if sink.path != "/a":
            raise ValueError("no")

    bench = Bench(App(later, on_begin=fail), limits(1, queue=1))
    bench.connect(get("/a"))
    other = bench.connect(get("/b"))
    answer(bench.app.sinks[0])
    await turns()
    assert other.statuses == [500]
    await end(bench)


@pytest.mark.parametrize("body", [b"", b"content"])
@bench_test
async def test_who_waits_for_too_long_is_refused(body: bytes) -> None:
    bench = Bench(App(later), limits(1, queue=5))
    first = bench.connect(get("/a"))
    others = [bench.connect(post(body, "/b") if body else get("/b")) for _ in range(3)]
    limit_of(bench).gate.expire(math.inf)
    await turns()
    for client in others:
        assert client.received == REFUSED
        assert client.open
        client.send(get("/c"))
    answer(bench.app.sinks[0])
    await turns()
    assert first.statuses == [200]
    assert [sink.path for sink in bench.app.sinks] == ["/a", "/c"]
    assert limit_of(bench).counters()["expired"] == 3
    await end(bench)


@bench_test
async def test_who_leaves_while_waiting_takes_nobodys_place() -> None:
    bench = Bench(App(later), limits(1, queue=3))
    bench.connect(get("/a"))
    gone, stays = bench.connect(get("/b")), bench.connect(get("/c"))
    gone.transport.reset()
    await turns()
    assert limit_of(bench).gate.waiting == 1
    answer(bench.app.sinks[0])
    await turns()
    assert [sink.path for sink in bench.app.sinks] == ["/a", "/c"]
    answer(bench.app.sinks[1])
    assert stays.statuses == [200]
    await end(bench)


@bench_test
async def test_who_leaves_in_the_moment_of_getting_a_place_gives_it_back() -> None:
    bench = Bench(App(later), limits(1, queue=3))
    bench.connect(get("/a"))
    gone, stays = bench.connect(get("/b")), bench.connect(get("/c"))
    answer(bench.app.sinks[0])
    assert limit_of(bench).gate.waiting == 1
    gone.connection.connection_lost(None)
    await turns()
    assert [sink.path for sink in bench.app.sinks] == ["/a", "/c"]
    answer(bench.app.sinks[1])
    assert stays.statuses == [200]
    await end(bench)


@pytest.mark.parametrize(
    "how", ["answered", "streamed", "broken off", "left", "failed", "refused", "upgraded", "detached"]
)
@bench_test
async def test_a_place_is_given_back_however_a_request_ends(how: str) -> None:
    def on_end(sink: Sink) -> None:
        if how == "failed":
            raise ValueError("no")

    bench = Bench(App(on_end), limits(1))
    content = {"refused": get("/", "Transfer-Encoding: chunked", method="POST") + b"zzz\r\n"}
    client = bench.connect(content.get(how, get("/a")))
    exchange = bench.app.exchanges[0]
    if how == "answered":
        answer(bench.app.sinks[0])
    elif how == "streamed":
        exchange.start(200, "OK", b"", -1, b"a")
        exchange.write(b"b")
        assert limit_of(bench).gate.busy == 1
        exchange.finish()
    elif how == "broken off":
        exchange.break_off()
    elif how == "left":
        client.transport.reset()
    elif how == "upgraded":
        protocol: Any = Taker()
        exchange.upgrade(protocol, b"")
        assert limit_of(bench).gate.busy == 0
        protocol.release()
    elif how == "detached":
        exchange.detach().close()
    await turns()
    assert limit_of(bench).gate.busy == 0
    assert limit_of(bench).gate.passed == 1
    if how != "upgraded":
        await end(bench)


@bench_test
async def test_a_place_may_be_kept_for_work_that_goes_on() -> None:
    bench = Bench(App(later), limits(1))
    client = bench.connect(get("/a"))
    exchange = bench.app.exchanges[0]
    exchange.kept = True
    client.transport.reset()
    await turns()
    assert limit_of(bench).gate.busy == 1
    exchange.give_back()
    exchange.give_back()
    assert limit_of(bench).gate.busy == 0
    await end(bench)


@bench_test
async def test_what_is_exempt_always_gets_in() -> None:
    bench = Bench(App(later), limits(1))
    bench.connect(get("/a"))
    for path in ("/livez", "/readyz?verbose", "/startupz"):
        bench.connect(get(path))
    assert [sink.path for sink in bench.app.sinks] == ["/a", "/livez", "/readyz", "/startupz"]
    refused = bench.connect(get("/livez/else"))
    assert refused.received == REFUSED
    assert limit_of(bench).gate.busy == 1
    await end(bench)


@bench_test
async def test_what_is_exempt_takes_nobodys_place() -> None:
    bench = Bench(App(later))
    limit = RequestLimit("one", 1)
    bench.server.limit_requests(limit, ("/livez", "/admin/"))
    for path in ("/livez", "/livez?verbose", "/admin/", "/admin/jobs"):
        bench.connect(get(path))
    assert (limit.gate.busy, limit.gate.passed) == (0, 0)
    bench.connect(get("/a"))
    assert [sink.path for sink in bench.app.sinks] == ["/livez", "/livez", "/admin/", "/admin/jobs", "/a"]
    for path in ("/admin", "/livez/", "/b"):
        assert bench.connect(get(path)).received == REFUSED
    assert (limit.gate.busy, limit.gate.passed) == (1, 1)
    await end(bench)


@pytest.mark.parametrize("options", [{"decompress_request": True}, {"chunk_size": 1000}])
def test_paths_that_an_app_names_are_exempt_whatever_stands_between(options: dict[str, Any]) -> None:
    class Named(App):
        exempt = ("/how/are/you",)

    @bench_test
    async def main() -> None:
        bench = Bench(Named(later), limits(1), **options)
        bench.connect(get("/a"))
        bench.connect(get("/how/are/you"))
        assert [sink.path for sink in bench.app.sinks] == ["/a", "/how/are/you"]
        assert bench.connect(get("/b")).received == REFUSED
        await end(bench)

    main()


@pytest.mark.parametrize(
    ("path", "below"),
    [
        ("/admin/", True),
        ("/admin/x", True),
        ("/admin", False),
        ("/a", True),
        ("/a/", False),
        ("/ax", False),
        ("", False),
    ],
)
def test_paths_below(path: str, below: bool) -> None:
    assert is_below(path, ("/admin/", "/a")) is below


@bench_test
async def test_raising_the_limit_lets_the_next_in() -> None:
    bench = Bench(App(later), limits(1, queue=9))
    clients = [bench.connect(get(f"/{number}")) for number in range(4)]
    limit_of(bench).allow(3)
    await turns()
    assert len(bench.app.sinks) == 3
    limit_of(bench).allow(1)
    for number in range(3):
        answer(bench.app.sinks[number])
        await turns()
    assert len(bench.app.sinks) == 4
    answer(bench.app.sinks[3])
    assert all(client.statuses == [200] for client in clients)
    await end(bench)


@bench_test
async def test_leave_to_send_content_is_given_when_there_is_a_place() -> None:
    bench = Bench(App(later), limits(1, queue=1))
    bench.connect(get("/a"))
    other = bench.connect(get("/b", "Content-Length: 4", "Expect: 100-continue", method="POST"))
    assert other.received == b""
    answer(bench.app.sinks[0])
    await turns()
    assert other.received == b"HTTP/1.1 100 Continue\r\n\r\n"
    other.send(b"data")
    answer(bench.app.sinks[1])
    assert bench.app.sinks[1].content == b"data"
    assert other.statuses == [100, 200]
    await end(bench)


@bench_test
async def test_what_waits_can_be_refused_by_others() -> None:
    bench = Bench(App(later), limits(1, queue=5))
    bench.connect(get("/a"))
    refused, other = bench.connect(get("/b")), bench.connect(get("/c"))
    entries = {entry.label: entry for entry in registry.requests.entries()}
    entries["GET /b"].close()
    entries["GET /c"].abort()
    await turns()
    assert refused.received == other.received == REFUSED
    assert refused.open
    assert limit_of(bench).gate.waiting == 0
    answer(bench.app.sinks[0])
    await turns()
    assert [sink.path for sink in bench.app.sinks] == ["/a"]
    refused.send(get("/d"))
    answer(bench.app.sinks[1])
    assert refused.responses()[1].body == b"/d"
    await end(bench)


@bench_test
async def test_a_place_that_comes_after_the_end_is_given_back() -> None:
    """Whoever has broken off a response that waits finds nobody to tell, and the gate does not know."""
    bench = Bench(App(later), limits(1, queue=5))
    bench.connect(get("/a"))
    other = bench.connect(get("/b"))
    exchange = other.connection.exchange
    assert exchange is not None
    exchange.break_off()
    answer(bench.app.sinks[0])
    await turns()
    assert len(bench.app.sinks) == 1
    assert (limit_of(bench).gate.busy, limit_of(bench).gate.waiting) == (0, 0)
    await end(bench)


@bench_test
async def test_the_last_limit_that_is_set_is_the_one() -> None:
    bench = Bench(App(later), limits(1))
    first = limit_of(bench)
    second, third = RequestLimit("second", 5), RequestLimit("third", 2)
    for limit in (second, third):
        bench.server.limit_requests(limit)
    bench.connect(get("/a"))
    other = bench.connect(get("/b"))
    assert bench.connect(get("/c")).received == REFUSED
    assert [limit.gate.busy for limit in (first, second, third)] == [0, 0, 2]
    for sink in list(bench.app.sinks):
        answer(sink)
    assert other.statuses == [200]
    assert [limit.gate.busy for limit in (first, second, third)] == [0, 0, 0]
    await end(bench)
