"""WebSockets, handlers and connections that stay after they ended."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections import deque
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest

from eyewall.doctor.collector import Collector
from eyewall.doctor.finding import Finding, Subject
from eyewall.doctor.growth import kept
from eyewall.doctor.growth.census import Census, CensusEnd
from eyewall.doctor.growth.endings import ENDINGS
from eyewall.doctor.growth.kept import PATIENCE, Kept
from eyewall.doctor.growth.searches import Searches
from eyewall.web.websocket import WebSocketHandler

from ..lines import line_of

STEP = 0.5
kept_sockets: list[socket.socket] = []
joins: list[Callable[..., None]] = []
callbacks: set[Callable[..., None]] = set()


class Chat(WebSocketHandler):
    """Handlers that put themselves somewhere, and have no connection."""

    clients: set[Any] = set()
    away: dict[int, Any] = {}

    def __init__(self) -> None:
        self._on_close_called = False

    def open(self) -> None:
        self.clients.add(self)

    def on_message(self, message: str | bytes) -> None:
        self.away[id(self)] = self

    def listen(self, subscribe: Callable[[Callable[..., None]], None]) -> None:
        subscribe(self.on_message)

    def end(self) -> None:
        self._on_close_called = True

    def forget(self) -> None:
        self.away.pop(id(self), None)


@pytest.fixture(autouse=True)
def _empty() -> Iterator[None]:
    gc.collect()
    yield
    Chat.clients.clear()
    Chat.away.clear()
    recent.latest.clear()
    recent.newest.clear()
    recent.parked.clear()
    kept_sockets.clear()


class Recent:
    """Keeps no more than some, or is swept."""

    def __init__(self) -> None:
        self.latest: deque[Any] = deque(maxlen=50)
        self.newest: list[Any] = []
        self.parked: dict[int, Any] = {}

    def note(self, handler: Chat) -> None:
        self.latest.append(handler)

    def add(self, handler: Chat) -> None:
        self.newest.append(handler)
        if len(self.newest) > 50:
            del self.newest[0]

    def park(self, handler: Chat) -> None:
        self.parked[id(handler)] = handler

    async def sweep(self) -> None:
        while True:
            await asyncio.sleep(5)
            for key in list(self.parked):
                del self.parked[key]


recent = Recent()


class Ward:
    """The running loop under watch, with a clock that a test turns."""

    def __init__(self) -> None:
        self.now = 0.0
        self.collector = Collector()
        # However long a census takes in this process, it says nothing of when the next one is due.
        census = Census(clock=lambda: self.now, work=lambda: 0.0)
        searches = Searches(clock=lambda: self.now)
        self._detectors = [census, Kept(census, searches, lambda: self.now), CensusEnd(census), searches]
        for each in self._detectors:
            each.start(asyncio.get_running_loop(), self.collector)

    def watch(self, seconds: float) -> list[Finding]:
        found: list[Finding] = []
        for _ in range(int(seconds / STEP)):
            for each in self._detectors:
                each.look()
            found = self.collector.findings()
            if found:
                break
            self.now += STEP
        return found


def opened(count: int) -> list[Chat]:
    handlers = [Chat() for _ in range(count)]
    for each in handlers:
        each.open()
    return handlers


def test_websockets_that_nobody_takes_out(run: Callable[..., None]) -> None:
    async def main() -> None:
        ward = Ward()
        for each in opened(7):
            each.end()
        del each
        [finding] = ward.watch(30.0)
        assert finding.rule == "websocket-kept"
        assert finding.place == line_of(Chat.open, "clients.add")
        assert finding.subject == Subject(handler="Chat")
        assert f"{__name__}.Chat.clients (set)" in finding.summary
        assert finding.evidence.counts == {"ended WebSockets that stay": 7}
        assert ward.now >= PATIENCE

    run(main())


def test_websockets_in_a_variable_of_a_closure(run: Callable[..., None]) -> None:
    def room() -> Callable[[Chat], None]:
        members: list[Chat] = []

        def join(member: Chat) -> None:
            members.append(member)

        return join

    async def main() -> None:
        ward = Ward()
        joins.append(room())
        for _ in range(7):
            chat = Chat()
            joins[0](chat)
            chat.end()
        del chat
        [finding] = ward.watch(30.0)
        assert finding.place is not None
        assert finding.place.line == line_of(room, "members.append").line

    try:
        run(main())
    finally:
        joins.clear()


def test_websockets_whose_method_a_library_has(run: Callable[..., None]) -> None:
    async def main() -> None:
        ward = Ward()
        for _ in range(7):
            chat = Chat()
            chat.listen(callbacks.add)
            chat.end()
        del chat
        [finding] = ward.watch(30.0)
        assert finding.place == line_of(Chat.listen, "self.on_message")

    try:
        run(main())
    finally:
        callbacks.clear()


def test_websockets_that_are_open_or_few(run: Callable[..., None]) -> None:
    async def main() -> None:
        ward = Ward()
        handlers = opened(20)
        handlers[0].end()
        handlers[1].end()
        assert ward.watch(60.0) == []

    run(main())


def test_what_is_kept_until_a_timer_comes(run: Callable[..., None]) -> None:
    async def main() -> None:
        loop, ward = asyncio.get_running_loop(), Ward()
        handlers = [Chat() for _ in range(7)]
        timers = []
        for each in handlers:
            each.on_message("token")
            each.end()
            timers.append(loop.call_later(20.0, each.forget))
        del handlers, each
        assert ward.watch(18.0) == []
        # The time has come, and they are still there.
        for timer in timers:
            timer.cancel()
        [finding] = ward.watch(60.0)
        assert f"{__name__}.Chat.away" in finding.summary

    run(main())


def test_what_is_kept_until_something_wakes_up(run: Callable[..., None]) -> None:
    async def expires(handler: Chat) -> None:
        await asyncio.sleep(20.0)
        handler.forget()

    async def main() -> None:
        ward = Ward()
        tasks = []
        for _ in range(7):
            handler = Chat()
            handler.on_message("token")
            handler.end()
            tasks.append(asyncio.create_task(expires(handler)))
        del handler
        await asyncio.sleep(0)
        assert ward.watch(18.0) == []
        for task in tasks:
            task.cancel()

    run(main())


def test_a_method_that_is_cached(run: Callable[..., None]) -> None:
    class Profile(Chat):
        @cache  # noqa: B019 - the fault
        def profile(self) -> int:
            return id(self)

    async def main() -> None:
        ward = Ward()
        for _ in range(7):
            handler = Profile()
            handler.profile()
            handler.end()
        del handler
        [finding] = ward.watch(60.0)
        assert finding.place is not None
        assert finding.place.function == Profile.profile.__wrapped__.__qualname__
        Profile.profile.cache_clear()

    run(main())


class Cycle:
    """A request, as uvicorn knows it."""

    response_complete = disconnected = False

    async def receive(self) -> None:
        pass


def test_requests_of_starlette() -> None:
    requests = pytest.importorskip("starlette.requests")
    [ending] = [each for each in ENDINGS if each.module == "starlette.requests"]
    cycle = Cycle()
    request = requests.Request({"type": "http"}, cycle.receive)
    assert not ending.ended(request)
    cycle.response_complete = True
    assert ending.ended(request)


@pytest.mark.parametrize("keep", [recent.note, recent.add])
def test_the_latest_ones(run: Callable[..., None], keep: Callable[[Chat], None]) -> None:
    async def main() -> None:
        ward = Ward()
        for _ in range(20):
            handler = Chat()
            handler.end()
            keep(handler)
        del handler
        assert ward.watch(30.0) == []

    run(main())


def test_what_is_swept(run: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    # In a process of this size, each search takes long.
    monkeypatch.setattr(kept, "SWEPT", 30.0)

    async def main() -> None:
        ward = Ward()
        task = asyncio.create_task(recent.sweep())
        for _ in range(20):
            handler = Chat()
            handler.end()
            recent.park(handler)
        del handler
        await asyncio.sleep(0)
        assert ward.watch(25.0) == []
        # It does not do what it looks like.
        [finding] = ward.watch(80.0)
        assert f"{__name__}.recent.parked" in finding.summary
        assert finding.place == line_of(Recent.park, "self.parked")
        task.cancel()

    run(main())


def test_what_is_let_go_of_after_a_while(run: Callable[..., None]) -> None:
    async def main() -> None:
        ward = Ward()
        found: list[Finding] = []
        times: list[tuple[float, int]] = []
        # One ends each second, and goes after ten, as no timer tells beforehand.
        for _ in range(4):
            handler = Chat()
            handler.on_message("token")
            handler.end()
            times.append((ward.now, id(handler)))
            del handler
            found += ward.watch(3.0)
            while times and ward.now - times[0][0] >= 8.0:
                Chat.away.pop(times.pop(0)[1])
        for _ in range(100):
            for _ in range(3):
                handler = Chat()
                handler.on_message("token")
                handler.end()
                times.append((ward.now, id(handler)))
                del handler
            found += ward.watch(1.0)
            while times and ward.now - times[0][0] >= 8.0:
                Chat.away.pop(times.pop(0)[1])
        assert found == []

    run(main())


def test_garbage_that_the_collector_has_not_come_to(run: Callable[..., None]) -> None:
    async def main() -> None:
        ward = Ward()
        gc.disable()
        try:
            for _ in range(10):
                handler = Chat()
                handler.itself = handler  # type: ignore[attr-defined]
                handler.end()
            del handler
            assert ward.watch(30.0) == []
        finally:
            gc.enable()

    run(main())


def test_a_handler_whose_coroutine_goes_on(run: Callable[..., None]) -> None:
    class Working(Chat):
        async def work(self, gate: asyncio.Event) -> None:
            await gate.wait()

    async def main() -> None:
        ward, gate, tasks = Ward(), asyncio.Event(), []
        for _ in range(10):
            handler = Working()
            handler.end()
            tasks.append(asyncio.create_task(handler.work(gate)))
        del handler
        await asyncio.sleep(0)
        assert ward.watch(30.0) == []
        gate.set()
        await asyncio.gather(*tasks)

    run(main())


def test_sockets_that_are_closed(run: Callable[..., None]) -> None:
    async def main() -> None:
        ward = Ward()
        for _ in range(25):
            kept_sockets.append(socket.socket())
            kept_sockets[-1].close()
        [finding] = ward.watch(30.0)
        assert finding.rule == "connection-kept"
        assert f"{__name__}.kept_sockets[" in finding.summary

    run(main())
