"""What runs faults: each once at a time, until it was found, and never for longer than its time.

    press       the fault's `press` runs as a task
    found       the doctor has named its line since then: it may be looked at for a moment
    mended      its tasks are cancelled, its requests too, and what it has kept is let go of

Where somebody presses mend, or there is no doctor, or it does not find it, the end comes all the same.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from eyewall.base.loggers import app_log
from eyewall.cli.demo.breaking.fault import Fault
from eyewall.cli.demo.breaking.shop import Shop
from eyewall.cli.demo.customers import Customers
from eyewall.doctor.finding import Finding
from eyewall.web.dispatch import dispatches

#: Seconds between two questions whether it was found, and for which it goes on afterwards.
INTERVAL = 0.25
LINGER = 1.0
#: Seconds until it begins: whoever has pressed gets an answer first.
DELAY = 0.1
#: Seconds for which its end waits, at most, until the shop has come to requests whose customers have left.
SETTLED = 2.0


class _Run:
    """A fault that runs."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.began = time.monotonic()
        self.enough = asyncio.Event()
        self.task: asyncio.Task[None] | None = None


class Breaker:
    """Runs faults; `folder` is for their files, and `findings` returns what the doctor has found."""

    def __init__(self, folder: Path, findings: Callable[[], list[Finding]]) -> None:
        self.shop = Shop(folder)
        self._findings = findings
        self._runs: dict[str, _Run] = {}

    def press(self, fault: Fault) -> bool:
        """Begins a fault. Returns False where it runs already."""
        if fault.name in self._runs:
            return False
        run = self._runs[fault.name] = _Run(fault)
        run.task = asyncio.create_task(self._run(run))
        return True

    def mend(self, fault: Fault) -> None:
        """Ends a fault, if it runs."""
        run = self._runs.get(fault.name)
        if run is not None:
            run.enough.set()

    def running(self) -> dict[str, float]:
        """Returns which faults run, and for how many seconds they have."""
        now = time.monotonic()
        return {name: round(now - run.began, 1) for name, run in self._runs.items()}

    def found(self) -> dict[str, Finding]:
        """Returns what the doctor has found of the faults, by their names."""
        found: dict[str, Finding] = {}
        for each in self._findings():
            place = each.place
            fault = None if place is None else self.shop.fault(place.file)
            if (
                fault is not None
                and place is not None
                and each.rule == fault.rule
                and place.line in fault.lines
            ):
                # Of a fault with two lines, the one that was seen last.
                before = found.get(fault.name)
                if before is None or before.last_seen < each.last_seen:
                    found[fault.name] = each
        return found

    async def close(self) -> None:
        """Ends all of it."""
        tasks = []
        for run in self._runs.values():
            run.enough.set()
            assert run.task is not None
            tasks.append(run.task)
        # One that has failed has been told of.
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.shop.close()

    async def _run(self, run: _Run) -> None:
        fault = run.fault
        try:
            await _either(run.enough, DELAY)
            if not run.enough.is_set():
                before = self.found().get(fault.name)
                module, customers = self.shop.enter(fault)
                pressing = asyncio.create_task(module.press(customers))
                try:
                    await self._until_found(run, before)
                finally:
                    await _mend(fault, module, pressing, customers)
        finally:
            del self._runs[fault.name]

    async def _until_found(self, run: _Run, before: Finding | None) -> None:
        end = run.began + run.fault.seconds
        while time.monotonic() < end and not run.enough.is_set():
            await _either(run.enough, INTERVAL)
            found = self.found().get(run.fault.name)
            if found is not None and _is_news(found, before):
                if not run.fault.blocks:
                    # What blocks is over by now.
                    await _either(run.enough, LINGER)
                return


def _is_news(found: Finding, before: Finding | None) -> bool:
    return before is None or (found.place, found.count) != (before.place, before.count)


async def _either(event: asyncio.Event, seconds: float) -> None:
    """Waits for an event, or so many seconds."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass


async def _mend(fault: Fault, module: ModuleType, pressing: asyncio.Task[None], customers: Customers) -> None:
    pressing.cancel()
    _release(module)
    await asyncio.wait([pressing])
    if not pressing.cancelled() and (error := pressing.exception()) is not None:
        app_log.error("the fault %r failed otherwise than it should", fault.name, exc_info=error)
    # A request whose customer has left may have reached the shop all the same.
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(SETTLED):
            await customers.settled()
    _release(module)


def _release(module: ModuleType) -> None:
    """Lets go of what a fault has kept, and ends what waits."""
    # First what makes others go on; then those that would not.
    if hasattr(module, "mend"):
        module.mend()
    for task in _tasks_of(module):
        task.cancel()


def _tasks_of(module: ModuleType) -> list[asyncio.Task[Any]]:
    """Returns the tasks of a module's coroutines and of requests for its handlers."""
    requests = {task for task, run in dispatches().items() if type(run.handler).__module__ == module.__name__}
    own = {
        task
        for task in asyncio.all_tasks()
        if getattr(getattr(task.get_coro(), "cr_code", None), "co_filename", None) == module.__file__
    }
    return [task for task in requests | own if not task.done()]
