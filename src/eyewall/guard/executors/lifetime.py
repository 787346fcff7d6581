"""What becomes of executors when their process forks, and when it ends."""

from __future__ import annotations

import atexit
import os
import time
from threading import Thread

from eyewall.guard.executors.bounded import BoundedExecutor
from eyewall.guard.inventory import inventory

#: Seconds that jobs have to end once the program has, all executors together.
EXIT_GRACE = 5.0

#: The threads of executors, until they have let go of all they had: daemons that go on while the interpreter ends would
#: fail in the middle of that.
serving: set[Thread] = set()

_ended = False


def executors() -> list[BoundedExecutor]:
    """Returns the executors of this process, in the order in which they were made."""
    return [item for item in inventory.items(BoundedExecutor.kind) if isinstance(item, BoundedExecutor)]


def close_all(timeout: float) -> None:
    """Closes all executors; their jobs have `timeout` seconds to end, and what is left is logged."""
    end = time.monotonic() + timeout
    left = [each for each in executors() if not (each.closed and each.idle)]
    for each in left:
        # At the same time, not one after the other.
        each.shutdown(wait=False)
    for each in left:
        each.close_within(max(0.0, end - time.monotonic()))
    for thread in list(serving):
        thread.join(max(0.0, end - time.monotonic()))


def at_exit() -> None:
    """Called when the program has ended; again by who must be sure of the order, and then there is nothing to do."""
    global _ended
    if not _ended:
        _ended = True
        close_all(EXIT_GRACE)


def _in_child() -> None:
    """The parent's threads and jobs are not here; the executors begin anew."""
    serving.clear()
    for each in executors():
        each.forked()


atexit.register(at_exit)
os.register_at_fork(after_in_child=_in_child)
