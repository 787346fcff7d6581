"""Tasks that nothing refers to but what they wait for.

asyncio itself keeps weak references only. Such a task lives as long as the future that it waits for, and its result, or
its exception, reaches nobody; where that future goes, the task goes with it, in the middle of its work.

The number of references says it. A suspended task is referred to by the callback that wakes it, and by nothing else
where nobody has kept it; whoever waits for it, or has put a callback on it, is found among its own callbacks. Only
tasks of the application are told of: what a library starts and lets go is its own affair.
"""

from __future__ import annotations

import asyncio
import sys
import weakref
from typing import Any

from eyewall.doctor.collector import Collector
from eyewall.doctor.finding import Evidence, Finding, Severity
from eyewall.doctor.places import await_chain, best_of, definition, definition_of, is_own, origin_of
from eyewall.doctor.subjects import subject_of_task
from eyewall.doctor.sweep import Sweep

#: Looks at which a task must have been without a reference, one after the other, until it is told of.
LOOKS = 2


class Unreferenced:
    """The detector of tasks that nobody keeps. `sweep` has the tasks to look at."""

    name = "tasks that nobody keeps"

    def __init__(self, sweep: Sweep, looks: int = LOOKS) -> None:
        self._sweep = sweep
        self._looks = looks
        self._collector: Collector | None = None
        self._seen: weakref.WeakKeyDictionary[asyncio.Task[Any], int] = weakref.WeakKeyDictionary()

    def start(self, loop: asyncio.AbstractEventLoop, collector: Collector) -> None:
        """Begins to look."""
        self._collector = collector

    def look(self) -> None:
        """Looks at a slice of the tasks."""
        collector = self._collector
        if collector is None:
            return
        tasks = self._sweep.tasks
        for task in tasks:
            # The list, this variable, the argument, and the callback that wakes the task.
            if sys.getrefcount(task) > 4:
                if self._seen:
                    self._seen.pop(task, None)
            elif _waits_alone(task):
                looks = self._seen.get(task, 0) + 1
                self._seen[task] = looks
                if looks == self._looks:
                    collector.report(_finding(task))

    def stop(self) -> None:
        """Ends looking."""
        self._collector = None
        self._seen.clear()


def _waits_alone(task: asyncio.Task[Any]) -> bool:
    """Whether `task`, which something refers to once, is suspended, the application's, and of interest to nobody."""
    if task.done() or getattr(task, "_fut_waiter", None) is None or task._callbacks:
        return False
    defined = definition_of(task)
    return defined is not None and is_own(defined)


def _finding(task: asyncio.Task[Any]) -> Finding:
    coro: Any = task.get_coro()
    defined = definition(coro.cr_code)
    origin = origin_of(task)
    created = best_of(origin)
    chain = await_chain(task)
    return Finding(
        "task-unreferenced",
        Severity.WARNING,
        f"Nothing refers to the task of {defined.function}: asyncio may collect it before it has ended, and nobody "
        "learns of its end",
        "Keep the task where it is needed, in a set for instance, from which a done-callback removes it and reads its "
        "exception; or start it in an asyncio.TaskGroup.",
        place=created if created is not None and is_own(created) else defined,
        subject=subject_of_task(task),
        evidence=Evidence(stacks={"created in": origin, "defined in": (defined,), "waits in": chain.places}),
    )
