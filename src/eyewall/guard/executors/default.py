"""The loop's default executor, bounded: what `run_in_executor(None, …)`, `asyncio.to_thread` and `getaddrinfo` use.

asyncio's own has a queue without a bound. Loops that Eyewall makes get this one once this module is loaded, which
every server does; for other loops there is `install`. A loop closes its default executor when it ends.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from eyewall.loop import policy

if TYPE_CHECKING:
    from eyewall.guard.executors.threads import ThreadExecutor


def install(loop: asyncio.AbstractEventLoop | None = None) -> ThreadExecutor:
    """Gives `loop`, or the running one, a bounded default executor, and returns it; see `LoopExecutor`.

    Where its queue is full, `run_in_executor` and `asyncio.to_thread` raise ExecutorFull.
    """
    # Loaded with the first loop, not with whatever may serve one day.
    from eyewall.guard.executors.loopexecutor import LoopExecutor

    made = LoopExecutor()
    (loop or asyncio.get_running_loop()).set_default_executor(made)
    return made


policy.prepare_with(install)
