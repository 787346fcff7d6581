"""The executor that a loop has by default; `eyewall.guard.executors.default` gives it to loops."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from eyewall.guard.deadlines.deadline import Deadline
from eyewall.guard.executors.job import Job
from eyewall.guard.executors.jobqueue import Full
from eyewall.guard.executors.threads import ThreadExecutor
from eyewall.guard.profile import active

NAME = "default"


class LoopExecutor(ThreadExecutor):
    """Has the limits `executor_threads` and `executor_queue` of the profile that is active when its first job comes:
    the loop is often there before the program has chosen one.

    Deadlines do not concern it: it is everybody's, and what a library closes by `to_thread` after a request's time is
    over has to be closed all the same.
    """

    heeds_deadlines = False

    def __init__(self) -> None:
        self._chosen = False
        super().__init__(NAME, full=Full.REJECT)

    def _offer(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], *, can_wait: bool
    ) -> Job:
        if not self._chosen:
            self._choose()
        return super()._offer(func, args, kwargs, can_wait=can_wait)

    async def drain(self, deadline: Deadline) -> list[str]:
        """Waits for its jobs, and drops what has not begun by the deadline. It is the loop that closes it: shutdown
        hooks may need it.
        """
        await self._until_idle(deadline.remaining())
        return [f"job: {job}" for job in (*self.running(), *self._drop())]

    def _choose(self) -> None:
        profile = active()
        with self._lock:
            if not self._chosen:
                self._chosen = True
                self._bound(profile.executor_threads, profile.executor_queue or None)
