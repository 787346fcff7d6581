"""The loop's default executor is bounded."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from eyewall.guard.deadlines.deadline import Deadline, _current
from eyewall.guard.executors.default import install
from eyewall.guard.executors.errors import ExecutorFull
from eyewall.guard.inventory import inventory
from eyewall.guard.profile import NATIVE, TORNADO, activate
from eyewall.loop.policy import new_event_loop

PATIENCE = 30.0


def test_loops_of_ours_have_one(event_loop_kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EYEWALL_LOOP", event_loop_kind)

    async def main() -> None:
        # The program chooses its limits when the loop is already there.
        activate(NATIVE.replace(executor_threads=1, executor_queue=1))
        loop = asyncio.get_running_loop()
        go = threading.Event()
        jobs = [loop.run_in_executor(None, go.wait, PATIENCE)]
        executor = inventory.find("executor", "default")
        assert executor is not None
        assert executor.state().items() >= {"workers": 1, "queue": 1, "busy": 1}.items()
        jobs.append(asyncio.ensure_future(asyncio.to_thread(threading.current_thread)))
        await asyncio.sleep(0)
        with pytest.raises(ExecutorFull, match="'default' is full"):
            await asyncio.to_thread(int)
        go.set()
        assert (await jobs[0], (await jobs[1]).name) == (True, "eyewall-default_0")

    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(main())


def test_tornados_takes_any_number() -> None:
    async def main() -> None:
        activate(TORNADO)
        executor = install()
        await asyncio.gather(*[asyncio.to_thread(int) for _ in range(2000)])
        assert executor.state()["queue"] is None

    asyncio.run(main())


def test_what_has_to_be_closed_is_closed_after_a_deadline_as_well(run: Any) -> None:
    async def main() -> None:
        install()
        _current.set(Deadline(0.0, lambda: 1.0))
        assert await asyncio.to_thread(int) == 0
        _current.set(None)

    run(main())


def test_any_loop_can_have_one(run: Any) -> None:
    async def main() -> Any:
        executor = install()
        assert await asyncio.get_running_loop().run_in_executor(None, int) == 0
        assert executor.counters()["done"] == 1
        return executor

    assert run(main()).closed


def test_a_drain_leaves_it_to_its_loop(run: Any) -> None:
    async def main() -> None:
        activate(NATIVE.replace(executor_threads=1))
        executor = install()
        go = threading.Event()
        jobs = [executor.submit(go.wait, PATIENCE), executor.submit(int)]
        left = await executor.drain(Deadline(0.0, lambda: 0.0))
        assert [each.split(",")[1] for each in left] == [" running for 0.0 s", " queued for 0.0 s"]
        go.set()
        assert jobs[0].result(PATIENCE)
        assert await executor.drain(Deadline(PATIENCE, lambda: 0.0)) == []
        # What comes after it needs it perhaps.
        assert await asyncio.to_thread(int) == 0

    run(main())
