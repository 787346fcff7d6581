"""Requests are recorded while somebody asks for them."""

from __future__ import annotations

import asyncio
import gc
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import pytest

from eyewall.base import probe
from eyewall.client.websocket import websocket_connect
from eyewall.doctor.places import Place
from eyewall.doctor.timing import timelines as module
from eyewall.doctor.timing.timelines import Allowance, Ring, Timeline, Timelines
from eyewall.web import Application, RequestHandler, accounting, dispatch, stream_request_body
from eyewall.web.accounting import BLOCKING
from eyewall.web.websocket import WebSocketHandler

from ...waiting import turns, until
from ...web.serving import conversing, fetch, head_of, serving
from ..lines import line_of


class Desk:
    """What handlers wait for, and the record of their requests, on a clock of its own."""

    every: ClassVar[list[Desk]] = []

    def __init__(self) -> None:
        self.every.append(self)
        self.now = 50.0
        self.timelines = Timelines(clock=lambda: self.now)
        self.lock = asyncio.Lock()

    def only(self) -> Timeline:
        [found] = self.timelines.ended()
        return found


class Base(RequestHandler):
    desk: Desk

    def initialize(self, desk: Desk) -> None:
        self.desk = desk


class Plain(Base):
    def get(self) -> None:
        self.write("plain")

    post = get


class Blocks(Base):
    def get(self) -> None:
        time.sleep(BLOCKING * 1.1)  # what is measured


class Never(Base):
    async def get(self) -> None:
        self.write("at once")


class Takes(Base):
    async def get(self) -> None:
        await asyncio.sleep(0)
        async with self.desk.lock:  # here
            self.write("taken")


@stream_request_body
class Streams(Base):
    def data_received(self, chunk: bytes) -> None:
        pass

    async def post(self) -> None:
        await asyncio.sleep(0)


class Downloads(Base):
    async def get(self) -> None:
        await self.flush()
        for _ in range(2 * module.RING):
            await asyncio.sleep(0)
        async with self.desk.lock:
            pass


class Fails(Base):
    async def get(self) -> None:
        await asyncio.sleep(0)
        raise KeyError("none")


class Socket(WebSocketHandler):
    def initialize(self, desk: Desk) -> None:
        self.desk = desk

    async def on_message(self, message: str | bytes) -> None:
        await asyncio.sleep(0)
        await self.write_message(message)


HANDLERS = (Plain, Blocks, Never, Takes, Streams, Downloads, Fails, Socket)


def application(desk: Desk) -> Application:
    return Application([(f"/{each.__name__.lower()}", each, {"desk": desk}) for each in HANDLERS])


@pytest.fixture(autouse=True)
def _counting() -> Iterator[None]:
    dispatch.keep_accounts(True)
    accounting.forget()
    yield
    dispatch.keep_accounts(False)
    accounting.forget()
    for each in Desk.every:
        each.timelines.stop()
    Desk.every.clear()
    assert probe.request_end.fire is None
    assert probe.request_begin.fire is None


def phases(timeline: Timeline) -> list[str]:
    return [each.phase for each in timeline.segments]


def is_whole(timeline: Timeline) -> bool:
    """Whether segments follow each other from the beginning of a request to its end."""
    at = timeline.started
    for each in timeline.segments:
        if abs(each.start - at) > 1e-4:
            return False
        at += each.seconds
    return abs(at - timeline.started - timeline.seconds) < 0.01


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/plain", ["running"]), ("/blocks", ["blocking"]), ("/never", ["running"])],
)
def test_handlers_that_are_never_suspended(run: Callable[..., Any], path: str, expected: list[str]) -> None:
    async def main() -> None:
        desk = Desk()
        async with serving(application(desk)) as port:
            assert desk.timelines.ask()
            await fetch(port, path)
            found = desk.only()
            # On a loaded machine anything may take longer.
            assert phases(found) in (expected, ["blocking"])
            assert (found.method, found.path, found.route, found.status) == ("GET", path, path, 200)
            assert found.handler == path[1:].capitalize()
            assert found.recorded
            assert not found.live
            assert is_whole(found)

    run(main())


def test_one_that_waits_for_a_lock(run: Callable[..., Any]) -> None:
    async def main() -> None:
        desk = Desk()
        await desk.lock.acquire()
        async with serving(application(desk)) as port:
            desk.timelines.ask()
            request = asyncio.create_task(fetch(port, "/takes"))
            await until(lambda: desk.lock._waiters)
            [live], beyond = desk.timelines.live(10)
            assert beyond == 0
            assert live.live
            assert live.recorded
            last = live.segments[-1]
            assert last.phase == "waiting"
            assert last.wait.place == line_of(Takes.get, "# here")
            assert last.wait.words.startswith("lock")
            assert live.status == 0
            assert desk.timelines.live(0) == ([], 1)
            assert desk.timelines.live(10, "/plain") == ([], 0)
            assert [each.id for each in desk.timelines.live(10, "/takes")[0]] == [live.id]
            desk.lock.release()
            await request
            found = desk.only()
            assert found.id == live.id
            assert [each.wait.place.function for each in found.segments if each.wait.place] == [
                "Takes.get",
                "Takes.get",
            ]
            assert phases(found)[1::2] == ["waiting", "waiting"]
            assert is_whole(found)
            assert desk.timelines.live(10) == ([], 0)

    run(main())


def test_one_that_began_before_anybody_looked(run: Callable[..., Any]) -> None:
    async def main() -> None:
        desk = Desk()
        await desk.lock.acquire()
        async with serving(application(desk)) as port:
            request = asyncio.create_task(fetch(port, "/takes"))
            await until(lambda: desk.lock._waiters)
            desk.timelines.ask()
            [live], _ = desk.timelines.live(10)
            assert not live.recorded
            assert live.segments[-1].wait.place == line_of(Takes.get, "# here")
            desk.lock.release()
            await request
            # Nobody knows what it did.
            assert desk.timelines.ended() == []
            assert desk.timelines.left_out == 1

    run(main())


@pytest.mark.parametrize("path", ["/plain", "/streams"])
def test_content_that_comes_late(run: Callable[..., Any], path: str) -> None:
    async def main() -> None:
        desk = Desk()
        async with conversing(application(desk)) as client:
            desk.timelines.ask()
            head = head_of(path, "POST", body=b"abcdef")
            await client.send(head[:-3])
            await turns()
            # What is timed is that it came later at all.
            await asyncio.sleep(0.01)
            await client.send(head[-3:])
            assert (await client.response()).status == 200
            found = desk.only()
            assert "receiving" in phases(found)
            assert sum(each.seconds for each in found.segments if each.phase == "receiving") >= 0.009
            assert is_whole(found)

    run(main())


def test_one_that_fails(run: Callable[..., Any]) -> None:
    async def main() -> None:
        desk = Desk()
        async with serving(application(desk)) as port:
            desk.timelines.ask()
            assert (await fetch(port, "/fails")).status == 500
            assert desk.only().status == 500

    run(main())


def test_a_response_that_goes_on_is_no_live_request(run: Callable[..., Any]) -> None:
    async def main() -> None:
        desk = Desk()
        await desk.lock.acquire()
        async with serving(application(desk)) as port:
            desk.timelines.ask()
            request = asyncio.create_task(fetch(port, "/downloads"))
            await until(lambda: desk.lock._waiters)
            assert desk.timelines.live(10) == ([], 0)
            desk.lock.release()
            await request
            found = desk.only()
            # It was suspended a few hundred times, and what is kept of that is bounded.
            assert found.left_out > 0
            assert len(found.segments) <= module.RING + 30

    run(main())


def test_websockets_fill_nothing(run: Callable[..., Any]) -> None:
    async def main() -> None:
        desk = Desk()
        async with serving(application(desk)) as port:
            desk.timelines.ask()
            client = await websocket_connect(f"ws://127.0.0.1:{port}/socket")
            before = len(desk.timelines.ended())
            for _ in range(20):
                await client.write_message("again")
                assert await client.read_message() == "again"
            assert desk.timelines.live(10) == ([], 0)
            assert len(desk.timelines.ended()) == before <= 1
            client.close()
            await client.read_message()

    run(main())


def test_the_lease(run: Callable[..., Any]) -> None:
    async def main() -> None:
        desk = Desk()
        await desk.lock.acquire()
        async with serving(application(desk)) as port:
            assert desk.timelines.recording == 0.0
            desk.timelines.ask()
            desk.now += module.LEASE - 1.0
            desk.timelines.ask()
            desk.now += module.LEASE - 1.0
            desk.timelines.look()
            assert desk.timelines.recording == pytest.approx(2 * module.LEASE - 2.0)
            await fetch(port, "/plain")
            request = asyncio.create_task(fetch(port, "/takes"))
            await until(lambda: desk.lock._waiters)
            [run_] = dispatch.dispatches().values()
            assert run_.handler._steps.record is not None
            desk.now += 1.5
            desk.timelines.look()
            # Nothing is left of it: neither what was kept nor what requests have to do.
            assert desk.timelines.recording == 0.0
            assert desk.timelines.ended() == []
            assert run_.handler._steps.record is None
            assert probe.request_end.fire is None
            del run_
            desk.lock.release()
            await request
            await fetch(port, "/never")
            assert desk.timelines.ended() == []

    run(main())


def test_every_request_of_a_route_is_measured(run: Callable[..., Any]) -> None:
    async def main() -> None:
        desk = Desk()
        async with serving(application(desk)) as port:
            await fetch(port, "/takes")
            desk.timelines.ask()
            for _ in range(accounting.BUDGET + 3):
                await fetch(port, "/takes")
            assert len(desk.timelines.ended()) == accounting.BUDGET + 3

    run(main())


def test_of_too_many_requests_some_are_left_out(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REQUESTS", 2)
    monkeypatch.setattr(module, "WAITS", 1)

    async def main() -> None:
        desk = Desk()
        async with serving(application(desk)) as port:
            desk.timelines.ask()
            for _ in range(2):
                await fetch(port, "/plain")
                await fetch(port, "/takes")
            assert desk.timelines.left_out == 2
            taken = next(each for each in desk.timelines.ended() if each.path == "/takes")
            places = [each.wait.place for each in taken.segments if each.phase == "waiting"]
            assert isinstance(places[0], Place)
            # A second begins.
            desk.now += 1.0
            await fetch(port, "/plain")
            assert desk.timelines.left_out == 2

    run(main())


def test_nothing_is_kept_alive(run: Callable[..., Any]) -> None:
    async def main() -> None:
        desk = Desk()
        handlers: list[weakref.ref[Any]] = []

        class Noted(Takes):
            def prepare(self) -> None:
                handlers.append(weakref.ref(self))

        async with serving(Application([("/", Noted, {"desk": desk})])) as port:
            desk.timelines.ask()
            await fetch(port, "/")
            await turns()
            gc.collect()
            assert len(desk.timelines.ended()) == 1
            assert handlers[0]() is None

    run(main())


def test_nobody_counts() -> None:
    dispatch.keep_accounts(False)
    timelines = Timelines()
    assert not timelines.ask()
    assert timelines.recording == 0.0
    timelines.look()
    timelines.stop()


def test_an_allowance() -> None:
    now = [10.0]
    allowance = Allowance(2, lambda: now[0])
    assert [allowance.take() for _ in range(3)] == [True, True, False]
    now[0] += 0.9
    assert not allowance.take()
    now[0] += 0.2
    assert [allowance.take() for _ in range(3)] == [True, True, False]


def test_the_ring_is_bounded() -> None:
    ring = Ring(3)
    items: list[Any] = list(range(20))
    for each in items:
        ring.add(each)
        assert ring.all() == items[max(0, each - 2) : each + 1]
        assert len(ring._items) < 6
    ring.clear()
    assert ring.all() == []
