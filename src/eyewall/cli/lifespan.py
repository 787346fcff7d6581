"""The part of an ASGI application in the drain of its process: its tasks, and the end of its lifespan."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from eyewall.base.loggers import gen_log
from eyewall.guard.deadlines.awaiting import suspension
from eyewall.guard.deadlines.deadline import Deadline
from eyewall.guard.lifecycle.drain import HOOKS, TASKS
from eyewall.http.asgi import ASGIContainer, LifespanError


class ASGITasks:
    """The tasks that go on after their responses: `guard.drain.Participant`."""

    name = "ASGI application"
    phase = TASKS

    def __init__(self, container: ASGIContainer) -> None:
        self._container = container

    async def drain(self, deadline: Deadline) -> Sequence[str]:
        """Waits for them until the deadline. What is left then ends with the loop."""
        tasks = self._container.tasks
        if tasks:
            await asyncio.wait(tasks, timeout=deadline.remaining())
        return [self._described(task) for task in tasks if not task.done()]

    def pending(self) -> list[str]:
        """Returns where they are."""
        return [self._described(task) for task in self._container.tasks]

    def _described(self, task: asyncio.Task[None]) -> str:
        return f"task: of the ASGI application, at {suspension(task).place}"


class LifespanEnd:
    """Its lifespan: `guard.drain.Participant`."""

    name = "ASGI lifespan"
    phase = HOOKS

    def __init__(self, container: ASGIContainer) -> None:
        self._container = container

    async def drain(self, deadline: Deadline) -> Sequence[str]:
        """Tells the application that it ends, and waits for what it says. It has a little time in any case: the
        drain's."""
        try:
            await self._container.shutdown()
        except LifespanError as error:
            gen_log.error("The application did not shut down well: %s", error)
            return [f"hook: the lifespan of the ASGI application failed: {error}"]
        return ()

    def pending(self) -> list[str]:
        """Returns that it has not ended."""
        return ["hook: the lifespan of the ASGI application"]
