"""The event loop: Tornado's face of it, coroutines and futures, and how programs are run."""

from eyewall.loop.aioloop import AsyncIOLoop, AsyncIOMainLoop
from eyewall.loop.concurrent import Future, run_on_executor
from eyewall.loop.gen import WaitIterator, coroutine, multi, sleep, with_timeout
from eyewall.loop.ioloop import IOLoop
from eyewall.loop.periodic import PeriodicCallback
from eyewall.loop.policy import new_event_loop, run

__all__ = [
    "AsyncIOLoop",
    "AsyncIOMainLoop",
    "Future",
    "IOLoop",
    "PeriodicCallback",
    "WaitIterator",
    "coroutine",
    "multi",
    "new_event_loop",
    "run",
    "run_on_executor",
    "sleep",
    "with_timeout",
]
