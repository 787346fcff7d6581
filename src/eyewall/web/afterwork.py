"""Handlers that go on after their response is finished, as the drain of a process sees them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from eyewall.guard.deadlines.deadline import Deadline
from eyewall.guard.lifecycle.drain import TASKS, Drain, process_drain
from eyewall.web.dispatch import Dispatch, dispatches


class HandlerTasks:
    """The participant for them all: `guard.drain.Participant`."""

    name = "handlers"
    phase = TASKS

    def __init__(self, drain: Drain) -> None:
        drain.join(self)

    async def drain(self, deadline: Deadline) -> Sequence[str]:
        """Waits for handlers until the deadline. What is left then ends with the loop."""
        loop = asyncio.get_running_loop()
        # With those in the middle of a request: nothing else waits for them where the client has left.
        while tasks := [task for task in dispatches() if task.get_loop() is loop and not task.done()]:
            if not deadline.remaining():
                break
            await asyncio.wait(tasks, timeout=deadline.remaining())
        return [_described(task, dispatch) for task, dispatch in dispatches().items() if task in tasks]

    def pending(self) -> list[str]:
        """Returns those whose response is finished, or whose client has left: others are the server's."""
        return [
            _described(task, dispatch)
            for task, dispatch in dispatches().items()
            if dispatch.left or (dispatch.handler is not None and dispatch.handler._finished)
        ]


def _described(task: asyncio.Task[None], dispatch: Dispatch) -> str:
    # For a process that ends, and is not ready to.
    from eyewall.guard.deadlines.awaiting import suspension

    _, _, what = dispatch.describe().partition(": ")
    return f"handler: {what}, at {suspension(task).place}"


#: The one of this process.
handler_tasks = HandlerTasks(process_drain)
