"""Tasks that belong to something: a handler, a WebSocket, a connection. None outlives it unnoticed, no error is lost.

    tasks = OwnedTasks("GET /report")
    tasks.spawn(watch())                        # cancelled when the owner ends
    tasks.spawn(store(), at_end="await")        # goes on, and the drain waits for it

An exception in one is logged, and told to the probe slot `task_error`, in the moment in which it ends.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, Literal, TypeVar

from eyewall.base import probe
from eyewall.base.loggers import app_log
from eyewall.guard.deadlines.deadline import Deadline, unbounded
from eyewall.guard.inventory import Item, Value
from eyewall.guard.lifecycle.drain import TASKS, Drain, process_drain

T = TypeVar("T")

#: What becomes of a task when its owner ends: it is cancelled, or it goes on and is waited for.
AtEnd = Literal["cancel", "await"]

#: Seconds that tasks have to end when they are cancelled at the end of the drain.
_LAST = 1.0


class TaskRegister(Item):
    """All tasks of all owners in this process, which the drain waits for. It keeps them alive: a loop does not."""

    kind = "tasks"
    phase = TASKS

    def __init__(self, drain: Drain = process_drain) -> None:
        self._spawned = self._failed = 0
        self._tasks: dict[asyncio.Task[Any], tuple[str, float]] = {}
        #: Those that are cancelled when their owner ends.
        self._brief: set[asyncio.Task[Any]] = set()
        super().__init__("tasks")
        drain.join(self)

    def add(self, task: asyncio.Task[Any], owner: str, at_end: AtEnd = "await") -> None:
        """Takes a task on, until it ends. With "cancel" the drain does not wait for it: its owner's end is near."""
        self._spawned += 1
        self._tasks[task] = (owner, time.monotonic())
        if at_end == "cancel":
            self._brief.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        owner, _ = self._tasks.pop(task)
        self._brief.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is None:
            return
        self._failed += 1
        self.tell("failed", task=task.get_name(), owner=owner, error=repr(error))
        app_log.error("Uncaught exception in the task %s of %s", _named(task), owner, exc_info=error)
        if probe.task_error.fire is not None:
            probe.task_error.fire(task, error)

    def __len__(self) -> int:
        return len(self._tasks)

    def state(self) -> Mapping[str, Value]:
        """Returns how many run, and how many of them end with their owners."""
        return {"tasks": len(self._tasks), "brief": len(self._brief)}

    def counters(self) -> Mapping[str, int]:
        """Returns how many there have been, and how many have raised."""
        return {"spawned": self._spawned, "failed": self._failed}

    async def drain(self, deadline: Deadline) -> Sequence[str]:
        """See `guard.drain.Participant`."""
        for task in self._here():
            if task in self._brief:
                task.cancel()
        while (tasks := self._here()) and deadline.remaining():
            await asyncio.wait(tasks, timeout=deadline.remaining())
        left = self.pending()
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_LAST)
        return left

    def _here(self) -> list[asyncio.Task[Any]]:
        """Those of this loop: others can't be waited for from here."""
        loop = asyncio.get_running_loop()
        return [task for task in list(self._tasks) if task.get_loop() is loop]

    def pending(self) -> list[str]:
        """See `guard.drain.Participant`."""
        # For a process that ends, and is not ready to.
        from eyewall.guard.deadlines.awaiting import suspension

        now = time.monotonic()
        return [
            f"task: {_named(task)} of {owner}, {now - began:.1f} s, at {suspension(task).place or 'its beginning'}"
            for task, (owner, began) in list(self._tasks.items())
        ]


def _named(task: asyncio.Task[Any]) -> str:
    coroutine = task.get_coro()
    return f"{task.get_name()} ({getattr(coroutine, '__qualname__', coroutine)})"


#: The one of this process.
task_register = TaskRegister()


class OwnedTasks:
    """The tasks of one owner, whose `name` is for the log. They run on the loop on which they are spawned.

    `register` has all of them, so that a process that drains waits for those that go on.
    """

    __slots__ = ("_ended", "_register", "_tasks", "name")

    def __init__(self, name: str, register: TaskRegister = task_register) -> None:
        self.name = name
        self._register = register
        self._tasks: dict[asyncio.Task[Any], AtEnd] = {}
        self._ended = False

    def spawn(
        self, coroutine: Coroutine[Any, Any, T], *, at_end: AtEnd = "cancel", name: str | None = None
    ) -> asyncio.Task[T]:
        """Starts `coroutine` as a task called `name`, in a copy of the current context. `at_end`: what becomes
        of it when the owner ends first.

        Raises RuntimeError when the owner has ended, ValueError for another `at_end`.
        """
        if self._ended or at_end not in ("cancel", "await"):
            coroutine.close()
            if self._ended:
                raise RuntimeError(f"{self.name} has ended: nothing would look after the task")
            raise ValueError(f'at_end is "cancel" or "await", not {at_end!r}')
        loop = asyncio.get_running_loop()
        if at_end == "await":
            # It is to outlive its owner, whose time is not its own.
            with unbounded():
                task = loop.create_task(coroutine, name=name)
        else:
            task = loop.create_task(coroutine, name=name)
        self._tasks[task] = at_end
        task.add_done_callback(self._forget)
        self._register.add(task, self.name, at_end)
        return task

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._tasks.pop(task, None)

    def __len__(self) -> int:
        """How many have not ended."""
        return len(self._tasks)

    def end(self) -> None:
        """The owner ends: cancels what is to be cancelled. The rest goes on, and the drain waits for it."""
        self._ended = True
        for task, at_end in list(self._tasks.items()):
            if at_end == "cancel":
                task.cancel()

    async def finish(self) -> None:
        """Ends, and waits until all tasks have."""
        self.end()
        while self._tasks:
            await asyncio.wait(list(self._tasks))
