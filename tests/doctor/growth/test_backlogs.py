"""Queues, timers, executors and write buffers that grow."""

from __future__ import annotations

import asyncio
import os
import queue
import socket
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import process as processes
from threading import Event
from typing import Any

import pytest

from eyewall.doctor.collector import Collector
from eyewall.doctor.detector import Detector
from eyewall.doctor.finding import Finding
from eyewall.doctor.growth.callbacks import Callbacks
from eyewall.doctor.growth.census import Census, CensusEnd
from eyewall.doctor.growth.executors import ExecutorQueues
from eyewall.doctor.growth.queues import QueuesThatGrow
from eyewall.doctor.growth.searches import Searches
from eyewall.doctor.growth.writebuffers import WriteBuffers, unsent
from eyewall.guard.executors.errors import ExecutorFull
from eyewall.guard.executors.threads import ThreadExecutor
from eyewall.loop.queues import Queue as TornadoQueue

from ..lines import line_of

STEP = 0.5
jobs: dict[str, Any] = {}
timers: list[asyncio.TimerHandle] = []


@pytest.fixture(autouse=True)
def _empty() -> Iterator[None]:
    yield
    jobs.clear()
    for each in timers:
        each.cancel()
    timers.clear()


class Ward:
    """The running loop under watch of `make`'s detectors, with a clock that a test turns."""

    def __init__(self, make: Callable[[Ward], list[Detector]]) -> None:
        self.begin = self.now = asyncio.get_running_loop().time()
        self.collector = Collector()
        self.census = Census(clock=self.time)
        self.searches = Searches(clock=self.time)
        self.detectors = [self.census, *make(self), CensusEnd(self.census), self.searches]
        for each in self.detectors:
            each.start(asyncio.get_running_loop(), self.collector)

    def time(self) -> float:
        return self.now

    def watch(self, seconds: float, each: Callable[[], object]) -> list[Finding]:
        found: list[Finding] = []
        for _ in range(int(seconds / STEP)):
            each()
            for detector in self.detectors:
                detector.look()
            found = self.collector.findings()
            if found:
                break
            self.now += STEP
        for detector in self.detectors if found else ():
            detector.stop()
        return found


# -- queues -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [asyncio.Queue, TornadoQueue, queue.Queue, queue.SimpleQueue])
def test_a_queue_without_a_bound(run: Callable[..., None], kind: Callable[[], Any]) -> None:
    def produce() -> None:
        for _ in range(10):
            jobs["mail"].put_nowait("letter")

    async def main() -> None:
        jobs["mail"] = kind()
        ward = Ward(lambda ward: [QueuesThatGrow(ward.census, ward.searches, ward.time)])
        [finding] = ward.watch(30.0, produce)
        assert finding.rule == "queue-grows"
        assert f"{__name__}.jobs['mail']" in finding.summary
        assert finding.place == line_of(produce, "put_nowait")

    run(main())


def test_queues_that_are_emptied_or_bounded(run: Callable[..., None]) -> None:
    async def main() -> None:
        jobs["one"] = one = asyncio.Queue[int]()
        jobs["two"] = two = asyncio.Queue[int](10_000)
        ward = Ward(lambda ward: [QueuesThatGrow(ward.census, ward.searches, ward.time)])

        def produce() -> None:
            for _ in range(30):
                one.put_nowait(1)
                two.put_nowait(1)
            if one.qsize() > 250:
                while not one.empty():
                    one.get_nowait()

        assert ward.watch(60.0, produce) == []

    run(main())


def test_a_queue_that_is_filled_at_a_start(run: Callable[..., None]) -> None:
    async def main() -> None:
        jobs["pool"] = pool = asyncio.LifoQueue[int]()
        ward = Ward(lambda ward: [QueuesThatGrow(ward.census, ward.searches, ward.time)])

        def fill() -> None:
            # For ten seconds.
            for _ in range(5 if pool.qsize() < 100 else 0):
                pool.put_nowait(1)

        assert ward.watch(60.0, fill) == []

    run(main())


# -- timers and callbacks -----------------------------------------------------------------------------------


def beat() -> None:
    pass


def of_timers(
    run: Callable[..., None],
    more: Callable[[float], object],
    seconds: float,
    load: Callable[[], float] = float,
) -> list[Finding]:
    """Returns what is found while `more` is called before each look, with the time."""
    found: list[Finding] = []

    async def main() -> None:
        ward = Ward(lambda ward: [Callbacks(load, ward.time)])
        found.extend(ward.watch(seconds, lambda: more(ward.now)))

    run(main())
    return found


def beats(now: float, delay: float = 1.0) -> None:
    for _ in range(5):
        timers.append(asyncio.get_running_loop().call_at(now + delay, beat))  # beats


def test_timers_that_are_set_again_and_again(run: Callable[..., None]) -> None:
    [finding] = of_timers(run, beats, 30.0)
    assert finding.rule == "timers-pile-up"
    assert finding.place == line_of(beats, "# beats")
    assert "beat" in finding.summary


def test_timers_that_will_come(run: Callable[..., None]) -> None:
    def more(now: float) -> None:
        beats(now, 60.0)
        while timers[0].when() < now:
            timers.pop(0).cancel()

    assert of_timers(run, more, 180.0) == []


def test_timers_for_each_connection(run: Callable[..., None]) -> None:
    assert of_timers(run, beats, 60.0, lambda: 3.0 * len(timers)) == []


def test_timers_of_tasks_that_sleep(run: Callable[..., None]) -> None:
    # They are told of as tasks, where those pile up.
    tasks: set[asyncio.Task[None]] = set()

    async def sleeps() -> None:
        await asyncio.sleep(60.0)

    async def main() -> None:
        ward = Ward(lambda ward: [Callbacks(float, ward.time)])
        found: list[Finding] = []
        while len(tasks) < 300:
            tasks.update(asyncio.create_task(sleeps()) for _ in range(5))
            await asyncio.sleep(0)
            # They come much later than the clock of the test says.
            found = ward.watch(10.0 * STEP, lambda: None)
        assert found == []
        for each in tasks:
            each.cancel()
        await asyncio.wait(tasks)

    run(main())


def test_callbacks_that_never_get_their_turn(run: Callable[..., None]) -> None:
    def more(now: float) -> None:
        for _ in range(500):
            asyncio.get_running_loop().call_soon(beat)

    [finding] = of_timers(run, more, 30.0)
    assert finding.rule == "callbacks-pile-up"
    assert "beat" in finding.summary


# -- executors ----------------------------------------------------------------------------------------------


async def flood(
    ward: Ward, ask: Callable[[], Coroutine[Any, Any, Any]], tasks: set[asyncio.Task[Any]]
) -> list[Finding]:
    """Has ever more tasks `ask`, and returns what is found then."""
    found: list[Finding] = []
    for _ in range(30):
        for _ in range(4):
            tasks.add(asyncio.create_task(ask()))
        await asyncio.sleep(0)
        found = ward.watch(STEP, lambda: None)
        if found:
            break
    return found


def test_a_plain_executor_that_is_flooded(run: Callable[..., None]) -> None:
    gate = Event()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        ward = Ward(lambda ward: [ExecutorQueues(ward.time)])
        pool = ThreadPoolExecutor(1)
        tasks: set[asyncio.Task[bool]] = set()

        async def ask() -> bool:
            return await loop.run_in_executor(pool, gate.wait)

        found = await flood(ward, ask, tasks)
        assert [each.rule for each in found] == ["executor-queue-grows"]
        assert found[0].place == line_of(ask, "run_in_executor")
        gate.set()
        await asyncio.gather(*tasks)
        pool.shutdown()

    run(main())


def test_an_executor_for_whose_jobs_nobody_waits(run: Callable[..., None]) -> None:
    gate = Event()

    def render() -> None:
        gate.wait()

    async def main() -> None:
        ward = Ward(
            lambda ward: [ExecutorQueues(ward.time), QueuesThatGrow(ward.census, ward.searches, ward.time)]
        )
        pool = ThreadPoolExecutor(1)

        def more() -> None:
            for _ in range(4):
                pool.submit(render)

        [finding] = ward.watch(30.0, more)
        assert finding.rule == "executor-queue-grows"
        assert finding.place == line_of(more, "pool.submit")
        gate.set()
        pool.shutdown()

    run(main())


def test_an_executor_of_processes(run: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        ward = Ward(lambda ward: [ExecutorQueues(ward.time)])
        # Without a process.
        monkeypatch.setattr(processes, "_threads_wakeups", {manager: None})
        tasks: set[asyncio.Task[None]] = set()

        async def ask() -> None:
            job = Future[None]()
            manager.pending_work_items[id(job)] = processes._WorkItem(job, os.getpid, (), {})
            await asyncio.wrap_future(job, loop=loop)  # here

        found = await flood(ward, ask, tasks)
        [finding] = found
        assert finding.rule == "executor-queue-grows"
        assert "ProcessPoolExecutor" in finding.summary
        assert finding.place == line_of(ask, "# here")
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    class Manager:
        """Has the jobs of an executor."""

        pending_work_items: dict[int, Any] = {}

    manager = Manager()
    run(main())


def test_a_guarded_executor_that_is_full(run: Callable[..., None]) -> None:
    gate = Event()

    async def main() -> None:
        ward = Ward(lambda ward: [ExecutorQueues(ward.time)])
        pool = ThreadExecutor("reports", workers=1, queue=5)
        futures = [pool.submit(gate.wait) for _ in range(6)]
        # Nobody is turned away: whoever fills it waits.
        assert ward.watch(20.0, lambda: None) == []

        def refused() -> None:
            with pytest.raises(ExecutorFull):
                pool.submit(gate.wait)

        [finding] = ward.watch(20.0, refused)
        assert finding.rule == "executor-full"
        assert "'reports'" in finding.summary
        assert finding.place is not None
        assert "pool.submit" in finding.place.source
        gate.set()
        for each in futures:
            each.result(10)
        await pool.close()

    run(main())


def test_executors_that_keep_up(run: Callable[..., None]) -> None:
    async def main() -> None:
        ward = Ward(lambda ward: [ExecutorQueues(ward.time)])
        pool, guarded = ThreadPoolExecutor(1), ThreadExecutor("busy", workers=1)

        def work() -> None:
            for each in [pool.submit(str) for _ in range(50)] + [guarded.submit(str) for _ in range(50)]:
                each.result(10)

        assert ward.watch(20.0, work) == []
        pool.shutdown()
        await guarded.close()

    run(main())


# -- write buffers ------------------------------------------------------------------------------------------


class Ticker(asyncio.Protocol):
    """Writes, and does not wait."""

    transport: Any

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def push(self) -> None:
        self.tick()

    def beat(self) -> None:
        self.push()

    def tick(self) -> None:
        self.transport.write(b"x" * 100_000)


def test_a_client_that_does_not_read(run: Callable[..., None]) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        ward = Ward(lambda ward: [WriteBuffers(ward.census, ward.time)])
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        transport, ticker = await loop.create_connection(Ticker, sock=ours)
        for _ in range(10):
            # What the system takes.
            ticker.tick()
            await asyncio.sleep(0)
        [finding] = ward.watch(30.0, ticker.tick)
        assert finding.rule == "write-buffer-grows"
        assert finding.place == line_of(Ticker.tick, "transport.write")
        assert finding.subject is not None
        assert finding.subject.handler == "Ticker"
        assert finding.evidence.counts["bytes"] > 256 * 1024
        transport.abort()
        await asyncio.sleep(0)
        theirs.close()

    run(main())


def test_pipes_that_are_only_read(run: Callable[..., None]) -> None:
    async def main() -> None:
        read, write = os.pipe()
        loop = asyncio.get_running_loop()
        transport, _ = await loop.connect_read_pipe(asyncio.Protocol, os.fdopen(read, "rb"))
        # Those of uvloop have such a method, which raises.
        assert unsent(transport) == 0
        transport.close()
        os.close(write)
        await asyncio.sleep(0)

    run(main())


def test_buffers_that_are_full_and_do_not_grow(run: Callable[..., None]) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        ward = Ward(lambda ward: [WriteBuffers(ward.census, ward.time)])
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        transport, ticker = await loop.create_connection(Ticker, sock=ours)
        for _ in range(20):
            ticker.tick()
            await asyncio.sleep(0)
        assert unsent(transport) > 128 * 1024
        assert ward.watch(30.0, lambda: None) == []
        transport.abort()
        await asyncio.sleep(0)
        theirs.close()

    run(main())
