"""Turning the doctor on and off: one collector for the process, one watch for each loop."""

from __future__ import annotations

import asyncio
import atexit
from threading import Lock

from eyewall.doctor.collector import Collector, log_sink
from eyewall.doctor.finding import Finding
from eyewall.doctor.watch import Watch

_lock = Lock()
_watches: dict[int, Watch] = {}
_collector: Collector | None = None


def collector() -> Collector:
    """Returns the collector of this process, which logs what it is told."""
    global _collector
    with _lock:
        if _collector is None:
            _collector = Collector()
            _collector.add_sink(log_sink)
            # What was posted at the very end has nobody else to tell it.
            atexit.register(_collector.flush)
        return _collector


def enable() -> None:
    """Watches the running loop from now on; findings are logged to `tornado.application`, and `findings()` has them.

    A second call does nothing. Raises RuntimeError where no loop runs in this thread.
    """
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        raise RuntimeError(
            "eyewall.doctor.enable() watches the running loop: call it in a coroutine or callback"
        ) from None
    together = collector()
    for gone in [each for each in list(_watches.values()) if each.loop.is_closed()]:
        _end(gone)
    if id(loop) not in _watches:
        watch = _watches[id(loop)] = Watch(loop, together)
        watch.start()


def disable() -> None:
    """Ends watching the running loop, and puts back what `enable` has changed. Findings stay.

    Where no loop runs in this thread, it ends watching loops that are closed.
    """
    running = asyncio._get_running_loop()
    for watch in list(_watches.values()):
        if watch.loop is running or watch.loop.is_closed():
            _end(watch)


def enabled() -> bool:
    """Whether the running loop is watched."""
    return id(asyncio._get_running_loop()) in _watches


def findings() -> list[Finding]:
    """Returns what was found in this process, the worst first."""
    return collector().findings()


def _end(watch: Watch) -> None:
    if _watches.pop(id(watch.loop), None) is not None:
        watch.stop()
