"""Real threads."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import os
import threading
import weakref
from typing import Any

import pytest

from eyewall.base.context import request_id
from eyewall.guard.deadlines.deadline import Deadline, _current, remaining
from eyewall.guard.executors.errors import ExecutorFull
from eyewall.guard.executors.threads import ThreadExecutor

#: Seconds after which something that should have happened has not.
PATIENCE = 30.0
colour: contextvars.ContextVar[str] = contextvars.ContextVar("colour", default="none")


class Gate:
    """Jobs that end when the test says so."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.inside = threading.Semaphore(0)

    def enter(self) -> int:
        self.inside.release()
        assert self.opened.wait(PATIENCE)
        return threading.get_ident()

    def wait_for(self, count: int) -> None:
        """Waits until so many more jobs run."""
        for _ in range(count):
            assert self.inside.acquire(timeout=PATIENCE)


def test_as_many_threads_as_there_are_jobs_for_and_no_more(run: Any) -> None:
    async def main() -> None:
        executor = ThreadExecutor("crew", workers=3, queue=10)
        for _ in range(5):
            # One after the other needs one thread.
            await executor.run(int)
        assert len(named("crew")) == 1
        gate = Gate()
        futures = [executor.submit(gate.enter) for _ in range(8)]
        gate.wait_for(3)
        state = executor.state()
        assert (state["busy"], state["queued"]) == (3, 5)
        gate.opened.set()
        assert len({future.result(PATIENCE) for future in futures}) <= 3
        assert {thread.name for thread in named("crew")} == {f"eyewall-crew_{n}" for n in range(3)}
        report = await executor.close(PATIENCE)
        assert report.clean
        for thread in named("crew"):
            thread.join(PATIENCE)
        assert named("crew") == []

    run(main())


def named(name: str) -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name.startswith(f"eyewall-{name}_")]


def test_what_the_caller_knows_is_known_in_the_thread(run: Any) -> None:
    def look() -> tuple[str | None, str, float | None]:
        colour.set("changed in the thread")
        return request_id.get(), seen.get(), remaining()

    seen = colour

    async def main() -> None:
        executor = ThreadExecutor("context")
        request_id.set("r-1")
        colour.set("blue")
        _current.set(Deadline(100.0, lambda: 40.0))
        assert await executor.run(look) == ("r-1", "changed in the thread", 60.0)
        assert colour.get() == "blue"
        # asyncio's own interface does not carry the context; this executor does.
        future = asyncio.get_running_loop().run_in_executor(executor, request_id.get)
        assert await future == "r-1"
        _current.set(None)
        await executor.close(PATIENCE)

    run(main())


def test_one_that_is_slow_starves_no_other(run: Any) -> None:
    async def main() -> None:
        slow = ThreadExecutor("slow", workers=1, queue=0, full="reject")
        other = ThreadExecutor("other", workers=1)
        gate = Gate()
        stuck = slow.submit(gate.enter)
        gate.wait_for(1)
        with pytest.raises(ExecutorFull):
            await slow.run(int)
        assert await other.run(int) == 0
        gate.opened.set()
        stuck.result(PATIENCE)
        await slow.close(PATIENCE)
        await other.close(PATIENCE)

    run(main())


def test_a_default_executor_of_any_loop(run: Any) -> None:
    async def main() -> None:
        executor = ThreadExecutor("mine")
        loop = asyncio.get_running_loop()
        loop.set_default_executor(executor)
        name = await loop.run_in_executor(None, lambda: threading.current_thread().name)
        assert name == "eyewall-mine_0"
        return executor

    executor = run(main())
    # The loop has closed it.
    assert executor.closed


def test_one_that_everybody_has_forgotten_ends_its_threads() -> None:
    executor = ThreadExecutor("forgotten")
    executor.submit(int).result(PATIENCE)
    [thread] = named("forgotten")
    gone = weakref.ref(executor)
    del executor
    # The thread may be about to let go of it.
    thread.join(PATIENCE)
    gc.collect()
    assert not thread.is_alive()
    assert gone() is None


def test_jobs_that_submit_jobs(run: Any) -> None:
    async def main() -> None:
        executor = ThreadExecutor("nested", workers=1, queue=5)
        inner = await executor.run(lambda: executor.submit(int, "5"))
        assert await asyncio.wrap_future(inner) == 5
        assert (await executor.close(PATIENCE)).clean

    run(main())


def test_a_child_process_gets_threads_of_its_own() -> None:
    executor = ThreadExecutor("forked", workers=2, queue=3)
    gate = Gate()
    futures = [executor.submit(gate.enter) for _ in range(4)]
    gate.wait_for(2)
    pid = os.fork()
    if pid == 0:
        # No assertion may leave the child.
        code = 1
        try:
            state = executor.state()
            done = executor.submit(os.getpid).result(PATIENCE)
            if (state["busy"], state["queued"], done) == (0, 0, os.getpid()):
                code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    # The parent has all it had.
    gate.opened.set()
    for future in futures:
        future.result(PATIENCE)
    executor.shutdown()


def test_many_callers_from_many_threads() -> None:
    executor = ThreadExecutor("busy", workers=4, queue=8, full="reject")
    outcomes: list[str] = []

    def call() -> None:
        for number in range(200):
            try:
                assert executor.submit(divmod, number, 7).result(PATIENCE) == divmod(number, 7)
            except ExecutorFull:
                outcomes.append("refused")
            else:
                outcomes.append("done")

    callers = [threading.Thread(target=call) for _ in range(16)]
    for each in callers:
        each.start()
    for each in callers:
        each.join(PATIENCE)
    counters = executor.counters()
    assert len(outcomes) == counters["submitted"] == 3200
    assert (outcomes.count("done"), outcomes.count("refused")) == (counters["done"], counters["refused"])
    assert len(named("busy")) <= 4
    executor.shutdown()
