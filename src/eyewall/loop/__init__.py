"""The event loop: Tornado's face of it, coroutines and futures, and how programs are run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eyewall._face import lazy_face

# It fills in what `IOLoop()` and `IOLoop.current()` make, and so has to be there whenever `ioloop` is.
from eyewall.loop import aioloop as aioloop

if TYPE_CHECKING:
    from eyewall.loop.aioloop import AsyncIOLoop, AsyncIOMainLoop, enable_stack_logging
    from eyewall.loop.concurrent import Future, run_on_executor
    from eyewall.loop.gen import WaitIterator, coroutine, multi, sleep, with_timeout
    from eyewall.loop.ioloop import IOLoop
    from eyewall.loop.locks import BoundedSemaphore, Condition, Event, Lock, Semaphore
    from eyewall.loop.periodic import PeriodicCallback
    from eyewall.loop.policy import new_event_loop, run
    from eyewall.loop.queues import LifoQueue, PriorityQueue, Queue

__all__ = [
    "AsyncIOLoop",
    "AsyncIOMainLoop",
    "BoundedSemaphore",
    "Condition",
    "Event",
    "Future",
    "IOLoop",
    "LifoQueue",
    "Lock",
    "PeriodicCallback",
    "PriorityQueue",
    "Queue",
    "Semaphore",
    "WaitIterator",
    "coroutine",
    "enable_stack_logging",
    "multi",
    "new_event_loop",
    "run",
    "run_on_executor",
    "sleep",
    "with_timeout",
]

_NAMES = {
    "AsyncIOLoop": "aioloop",
    "AsyncIOMainLoop": "aioloop",
    "BoundedSemaphore": "locks",
    "Condition": "locks",
    "Event": "locks",
    "Future": "concurrent",
    "IOLoop": "ioloop",
    "LifoQueue": "queues",
    "Lock": "locks",
    "PeriodicCallback": "periodic",
    "PriorityQueue": "queues",
    "Queue": "queues",
    "Semaphore": "locks",
    "WaitIterator": "gen",
    "coroutine": "gen",
    "enable_stack_logging": "aioloop",
    "multi": "gen",
    "new_event_loop": "policy",
    "run": "policy",
    "run_on_executor": "concurrent",
    "sleep": "gen",
    "with_timeout": "gen",
}

__getattr__, __dir__ = lazy_face(__name__, _NAMES)
