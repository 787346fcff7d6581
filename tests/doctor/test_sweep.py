"""All tasks of a loop, a slice at a time."""

from __future__ import annotations

import asyncio
import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from eyewall.doctor.collector import Collector
from eyewall.doctor.sweep import Sweep

from .patient import turns


def test_every_task_is_seen_done_or_not(run: Callable[..., None]) -> None:
    async def main() -> None:
        sweep = Sweep(size=10)
        sweep.start(asyncio.get_running_loop(), Collector())
        tasks = {asyncio.create_task(turns(1 if number % 2 else 100)) for number in range(25)}
        await turns(10)
        assert {task.done() for task in tasks} == {True, False}
        seen: list[asyncio.Task[Any]] = []
        while not tasks <= set(seen):
            sweep.look()
            # Fewer where tasks of loops that have ended are among them.
            assert len(sweep.tasks) <= 10
            seen.extend(sweep.tasks)
        assert len(seen) == len(set(seen))
        sweep.forget()
        assert sweep.tasks == []
        sweep.stop()
        sweep.look()
        assert sweep.tasks == []
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    run(main())


def test_tasks_of_other_loops_are_left_alone(run: Callable[..., None]) -> None:
    others: list[asyncio.Task[None]] = []

    async def other() -> None:
        others.append(asyncio.create_task(turns()))
        await others[0]

    async def main() -> None:
        thread = threading.Thread(target=lambda: asyncio.run(other()))
        thread.start()
        thread.join()
        sweep = Sweep()
        sweep.start(asyncio.get_running_loop(), Collector())
        sweep.look()
        assert sweep.tasks == [asyncio.current_task()]
        sweep.stop()

    run(main())


@pytest.mark.skipif(
    sys.version_info >= (3, 14), reason="asyncio has lists by thread, which nobody can replace"
)
def test_collected_tasks_and_other_versions(
    run: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        sweep = Sweep()
        sweep.start(loop, Collector())
        task = asyncio.create_task(turns())
        known: weakref.WeakSet[Any] = weakref.WeakSet([task])
        monkeypatch.delattr(asyncio.tasks, "_all_tasks", raising=False)
        monkeypatch.setattr(asyncio.tasks, "_scheduled_tasks", known, raising=False)
        sweep.look()
        assert sweep.tasks == [task]
        sweep.stop()
        sweep.look()
        assert sweep.tasks == []
        await task
        monkeypatch.undo()

    run(main())
