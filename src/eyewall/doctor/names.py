"""What the doctor's rules and detectors are called: whoever leaves one out should hear of a name that there is not.

A name alone, without what it stands for: the options are read where no detector is loaded.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection

#: What may be found.
RULES = frozenset(
    (
        "await-cycle",
        "callback-failed",
        "callbacks-pile-up",
        "cancellation-swallowed",
        "connection-kept",
        "coroutine-never-awaited",
        "descriptors-leak",
        "descriptors-run-out",
        "doctor-failed",
        "executor-full",
        "executor-queue-grows",
        "executor-saturated",
        "findings-dropped",
        "future-exception-unread",
        "future-orphaned",
        "generator-close-failed",
        "handler-kept",
        "job-exception-unread",
        "lock-deadlock",
        "lock-waits",
        "loop-blocked-computing",
        "loop-blocked-gc",
        "loop-blocked-io",
        "loop-blocked-logging",
        "loop-blocked-native",
        "loop-blocked-signal",
        "loop-blocked-thread",
        "loop-blocked-waiting",
        "loop-starved",
        "loop-waits-for-itself",
        "pool-waits",
        "queue-grows",
        "route-waits",
        "task-destroyed",
        "task-exception-unread",
        "task-unreferenced",
        "tasks-kept",
        "tasks-pile-up",
        "timers-pile-up",
        "wait-cycle",
        "websocket-kept",
        "write-buffer-grows",
    )
)
#: What looks for it, by the names of the classes.
DETECTORS = frozenset(
    (
        "Accountant",
        "CallbackErrors",
        "Callbacks",
        "Cancellations",
        "Census",
        "CensusEnd",
        "DescriptorLeaks",
        "ExecutorQueues",
        "Kept",
        "LostExceptions",
        "LostJobs",
        "PileUps",
        "QueuesThatGrow",
        "RequestWaits",
        "Searches",
        "Stalls",
        "Unawaited",
        "Unreferenced",
        "Waits",
        "WriteBuffers",
    )
)


def unknown(what: str, names: Collection[str], known: frozenset[str]) -> str | None:
    """Returns what is wrong with `names` of a `what` that should all be `known`, None for nothing."""
    wrong = next((each for each in names if each not in known), None)
    if wrong is None:
        return None
    near = difflib.get_close_matches(wrong.lower(), {each.lower(): each for each in known}, 1, 0.6)
    meant = next((each for each in known if near and each.lower() == near[0]), None)
    hint = "" if meant is None else f"did you mean {meant!r}? "
    return f"there is no {what} {wrong!r}; {hint}There are {', '.join(sorted(known))}"
