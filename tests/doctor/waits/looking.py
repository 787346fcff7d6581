"""The detector of waits at work on the running loop, with a clock and looks that a test orders."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from eyewall.doctor.collector import Collector
from eyewall.doctor.finding import Finding
from eyewall.doctor.sweep import Sweep
from eyewall.doctor.waits.detector import Waits
from eyewall.doctor.waits.links import chain_of

from ..patient import turns


class Looking:
    """`look` is one round of looks, `after` are several within so many seconds."""

    def __init__(self, slice_: int = 1000) -> None:
        self.now = 1000.0
        self.collector = Collector()
        self.sweep = Sweep(slice_)
        self.waits = Waits(self.sweep, clock=lambda: self.now, watch=lambda: 0.0, spent=lambda: 0.0)
        self.loop = asyncio.get_running_loop()
        self.tasks: list[asyncio.Task[Any]] = []

    def look(self) -> list[Finding]:
        while True:
            # The tasks of other tests' loops are gone through, too.
            self.sweep.look()
            self.waits.look()
            self.sweep.forget()
            if self.sweep.last:
                break
        return self.collector.findings()

    def after(self, seconds: float, looks: int = 12) -> list[Finding]:
        for _ in range(looks):
            self.now += seconds / looks
            self.look()
        return self.collector.findings()

    async def start(self, *coros: Coroutine[Any, Any, Any]) -> None:
        """Starts tasks, named "one", "two", …, and lets them run until they wait."""
        names = ("one", "two", "three", "four", "five", "six")
        self.tasks.extend(
            self.loop.create_task(coro, name=names[number] if number < len(names) else str(number))
            for number, coro in enumerate(coros, len(self.tasks))
        )
        await turns(10)


@contextmanager
def looking(slice_: int = 1000) -> Iterator[Looking]:
    """Watches the running loop, and ends the tasks that were started."""
    found = Looking(slice_)
    found.sweep.start(found.loop, found.collector)
    found.waits.start(found.loop, found.collector)
    try:
        yield found
    finally:
        found.waits.stop()
        found.sweep.stop()
        end(found.tasks)


def end(tasks: list[asyncio.Task[Any]]) -> None:
    """Cancels `tasks`, and what they wait for in generator-based coroutines, which a task does not cancel."""
    ends = [chain_of(task).end for task in tasks]
    for task in tasks:
        task.cancel()
    for future in ends:
        if isinstance(future, asyncio.Future) and not isinstance(future, asyncio.Task):
            future.cancel()
