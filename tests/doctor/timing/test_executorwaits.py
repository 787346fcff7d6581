"""Executors and pools that are waited for, and those that are only busy."""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import sys
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, ClassVar, cast

import pytest

from eyewall.doctor.collector import Collector
from eyewall.doctor.definitions import Definitions
from eyewall.doctor.finding import Finding
from eyewall.doctor.places import Place
from eyewall.doctor.sweep import Sweep
from eyewall.doctor.timing import executorwaits
from eyewall.doctor.timing.executorwaits import ExecutorWaits
from eyewall.doctor.timing.standing import Kind, Standing, stand_of
from eyewall.guard.histogram import Histogram
from eyewall.guard.inventory import Item, Value
from eyewall.http import wsgi

from ...waiting import turns
from ..lines import line_of


class Executor(Item):
    """An executor that says what it is told to."""

    kind: ClassVar[str] = "executor"

    def __init__(self, name: str, caller: str = "") -> None:
        super().__init__(name)
        self.queued = 0
        self.caller = caller

    def state(self) -> Mapping[str, Value]:
        return {"workers": 4, "queued": self.queued, "waiting": 0}

    def callers(self) -> Counter[str]:
        return Counter({self.caller: self.queued} if self.caller else {})


class Pool(Item):
    """The same of a pool."""

    kind: ClassVar[str] = "pool"

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.waiting = 0
        self.waits = Histogram()

    def state(self) -> Mapping[str, Value]:
        return {"max_size": 2, "waiting": self.waiting, "held_longest": 7.0}

    def histograms(self) -> Mapping[str, Histogram]:
        return {"wait": self.waits}


class Queue:
    """The queue of an ordinary executor."""

    size = 0

    def qsize(self) -> int:
        return self.size


class Manager:
    """The thread that has the jobs of an executor of processes."""

    def __init__(self, processes: int, jobs: dict[int, Any]) -> None:
        self.processes = dict.fromkeys(range(processes))
        self.pending_work_items = jobs


class Scene:
    """A detector whose looks are ordered, on a clock of its own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        # Executors of other tests are none of ours.
        gc.collect()
        monkeypatch.setattr(executorwaits, "_plain_executors", lambda: self.plain)
        self.plain: dict[Any, int] = {}
        self.now = 0.0
        self.standing = Standing(Sweep())
        self.collector = Collector(clock=lambda: self.now)
        self.detector = ExecutorWaits(self.standing, clock=lambda: self.now)
        self.detector.start(asyncio.get_running_loop(), self.collector)

    def look(self) -> list[Finding]:
        self.detector.look()
        self.now += 0.5
        return [each for each in self.collector.findings() if each.rule != "findings-dropped"]


async def submits() -> None:
    await asyncio.get_running_loop().create_future()  # here


def test_a_queue_that_grows(run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    place = line_of(submits, "# here")

    async def main() -> None:
        some = Scene(monkeypatch)
        executor = Executor("reports", f"{place.file}:{place.line}")
        for _ in range(6):
            executor.queued += 10
            assert some.look() == []
        executor.queued += 10
        [finding] = some.look()
        assert (finding.rule, finding.place) == ("executor-saturated", place)
        assert finding.evidence.counts["queued"] == 70
        some.look()
        assert some.look()[0].count == 1

    run(main())


def test_batches_one_after_the_other(run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        some = Scene(monkeypatch)
        queue = Queue()
        some.plain = {queue: 4}
        # As looks may see it that come more seldom than they do.
        for size in (16, 56, 96, 48, 88, 40, 80, 108, 60, 108, 68, 108) * 3:
            queue.size = size
            assert some.look() == []

    run(main())


def test_tasks_that_wait_without_a_request(run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Of an executor of the interpreter's it is known which tasks wait for its jobs."""
    hold = threading.Event()

    async def waits(executor: concurrent.futures.Executor) -> None:
        await asyncio.get_running_loop().run_in_executor(executor, hold.wait)  # here

    async def main() -> None:
        some = Scene(monkeypatch)
        with concurrent.futures.ThreadPoolExecutor(1) as executor:
            tasks = [asyncio.create_task(waits(executor)) for _ in range(6)]
            try:
                await turns()
                some.plain = {executor._work_queue: 1}
                found: list[Finding] = []
                for _ in range(7):
                    assert found == []
                    found = some.look()
            finally:
                hold.set()
            await asyncio.gather(*tasks)
        [finding] = found
        assert finding.place == line_of(waits, "# here")
        assert finding.evidence.counts["queued"] == 5

    run(main())


def test_jobs_that_a_library_submits(run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """A server has the requests of a WSGI application run: the application is where the threads are."""
    hold = threading.Event()
    # By their names, these are a library's.
    library: dict[str, Any] = {"asyncio": asyncio, "__name__": "eyewall.http.wsgi"}
    source = (
        "async def serve(executor, application):\n"
        "    await asyncio.get_running_loop().run_in_executor(executor, lambda: application())\n"
    )
    exec(compile(source, wsgi.__file__, "exec"), library)

    def application() -> None:
        hold.wait()  # here

    async def main() -> None:
        some = Scene(monkeypatch)
        with concurrent.futures.ThreadPoolExecutor(1) as executor:
            tasks = [asyncio.create_task(library["serve"](executor, application)) for _ in range(6)]
            try:
                await turns()
                some.plain = {executor._work_queue: 1}
                found: list[Finding] = []
                for _ in range(7):
                    found = some.look()
            finally:
                hold.set()
            await asyncio.gather(*tasks)
        [finding] = found
        assert finding.place == line_of(application, "# here")
        assert finding.place in finding.evidence.stacks["a thread of it is in"]

    run(main())


def test_an_executor_of_processes(run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    async def submits(jobs: dict[int, Any]) -> None:
        future: concurrent.futures.Future[None] = concurrent.futures.Future()
        jobs[len(jobs)] = SimpleNamespace(future=future, fn=line_of)
        await asyncio.wrap_future(future)  # submits

    async def main() -> None:
        some = Scene(monkeypatch)
        jobs: dict[int, Any] = {}
        manager = Manager(2, jobs)
        module = SimpleNamespace(_threads_wakeups={manager: None})
        monkeypatch.setitem(sys.modules, "concurrent.futures.process", cast(Any, module))
        tasks = [asyncio.create_task(submits(jobs)) for _ in range(8)]
        await turns()
        found: list[Finding] = []
        for _ in range(7):
            assert found == []
            found = some.look()
        [finding] = found
        assert finding.place == line_of(submits, "# submits")
        assert (finding.evidence.counts["queued"], finding.evidence.counts["workers"]) == (6, 2)
        assert "a ProcessPoolExecutor" in finding.summary
        for each in tasks:
            each.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    run(main())


def test_a_batch_that_is_worked_off(run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        some = Scene(monkeypatch)
        executor = Executor("reports")
        executor.queued = 100
        for _ in range(40):
            assert some.look() == []
            executor.queued = max(0, executor.queued - 3)

    run(main())


def test_a_queue_that_is_kept_full_by_nobody_who_waits(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        some = Scene(monkeypatch)
        executor = Executor("pipeline")
        executor.queued = 20
        for _ in range(20):
            assert some.look() == []
        # But where requests wait for it, it is too small for them.
        task = asyncio.create_task(submits())
        await turns()
        stand = stand_of(task)
        assert stand is not None
        some.standing.stands = [stand._replace(kind=Kind.EXECUTOR)]
        [finding] = some.look()
        assert finding.place == line_of(submits, "# here")
        task.cancel()

    run(main())


def test_fewer_than_the_workers_can_do(run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        some = Scene(monkeypatch)
        executor = Executor("reports")
        for number in range(20):
            executor.queued = 4 if number % 2 else 9
            assert some.look() == []

    run(main())


def test_an_ordinary_executor(run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        some = Scene(monkeypatch)
        queue = Queue()
        some.plain = {queue: 2}
        for _ in range(7):
            queue.size += 3
            found = some.look()
        [finding] = found
        assert finding.rule == "executor-saturated"
        assert finding.evidence.counts["workers"] == 2

    run(main())


def test_a_pool_that_nobody_gets_anything_from(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        some = Scene(monkeypatch)
        pool = Pool("database")
        for _ in range(6):
            pool.waiting += 1
            assert some.look() == []
        pool.waiting += 1
        [finding] = some.look()
        assert finding.rule == "pool-waits"
        assert "nobody got one" in finding.summary
        assert finding.evidence.counts["seconds the longest is held"] == 7

    run(main())


@pytest.mark.parametrize(("wait", "told"), [(0.1, 0), (0.9, 1)])
def test_a_pool_that_is_waited_for(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, wait: float, told: int
) -> None:
    async def main() -> None:
        some = Scene(monkeypatch)
        pool = Pool("database")
        pool.waiting = 3
        for _ in range(8):
            pool.waiting += 1
            pool.waits.observe(wait)
            found = some.look()
        assert len(found) == told

    run(main())


def test_the_function_of_a_line() -> None:
    place = line_of(submits, "# here")
    assert Definitions().written(f"{place.file}:{place.line}") == place
    own = line_of(test_a_queue_that_grows, 'Executor("reports"')
    assert Definitions().written(f"{own.file}:{own.line}") == Place(
        own.file, own.line, "test_a_queue_that_grows.<locals>.main"
    )
    assert Definitions().written("?") is None
