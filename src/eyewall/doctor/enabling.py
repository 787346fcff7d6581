"""Turning the doctor on and off: one collector for the process, one watch for each loop that runs.

    enable()                    loops that begin to run from now on, and the one that runs in this thread, are watched
    a loop begins to run        its watch is made and started, or goes on where the loop has run before
    a loop ends running         its watch pauses: what takes long now does not block it
    a loop was closed           its watch ends when another loop begins: what the loop leaves behind may tell of itself
    many have ended running     the watches of those that ran first end: who never closes a loop may never run it again
    disable()                   all watches end, each in the thread of its loop; findings stay
    the process forks           the child has watches of its own, and begins without findings

A program calls `enable` wherever it likes, at the top of a script or in a coroutine. What goes wrong here is a finding:
no call but one with wrong options raises.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import Callable
from threading import Lock
from typing import Any

from eyewall.base.loggers import gen_log
from eyewall.doctor.collector import Collector, Sink, failure, log_sink
from eyewall.doctor.control.commands import Patient
from eyewall.doctor.control.server import ControlServer
from eyewall.doctor.finding import Finding
from eyewall.doctor.loops import Loops
from eyewall.doctor.options import Options, options_from, wanted
from eyewall.doctor.watch import Watch

#: Watches that rest, over loops that were run and not closed: each keeps its loop alive.
RESTING = 4

_lock = Lock()
_watches: dict[int, Watch] = {}
_collector: Collector | None = None
_options = Options()
_on = False
_server: ControlServer | None = None


class _Listener:
    """Watches loops that run."""

    def begins(self, loop: asyncio.AbstractEventLoop) -> None:
        _harmless(_begin, loop)

    def ends(self, loop: asyncio.AbstractEventLoop) -> None:
        watch = _watches.get(id(loop))
        if watch is not None:
            _harmless(watch.pause)


_loops = Loops(_Listener())


def collector() -> Collector:
    """Returns the collector of this process, which logs what it is told."""
    global _collector
    with _lock:
        if _collector is None:
            options = _options
            _collector = Collector(
                interval=options.again, longest=options.longest, keys=options.keep, ignore=options.ignore
            )
            _collector.add_sink(_log)
            # What was posted at the very end has nobody else to tell it.
            atexit.register(_collector.flush)
        return _collector


def enable(**options: Any) -> None:
    """Watches every loop that begins to run from now on, in any thread, and the one that runs in this one.

    Findings are logged to `tornado.application`, and `findings()` has them. `options` are those of
    `doctor.options.Options`, by name; what is not stated has its default. A second call changes nothing, unless it has
    options that the first had not. Loops that run in other threads already are watched when they run again.
    Where the environment says EYEWALL_DOCTOR=0, nothing is watched.

    Raises OptionError (a ValueError) for a wrong option, TypeError for one that there is not, RuntimeError where the
    doctor is on already with other options.
    """
    global _options, _on
    chosen = options_from(options)
    if _on and options and chosen != _options:
        raise RuntimeError(
            "the doctor is on already, with other options: call eyewall.doctor.disable() first"
        )
    if not wanted(True):
        return
    if not _on:
        _options = chosen
        _on = True
        _harmless(_loops.install)
    _forget_closed()
    loop = asyncio._get_running_loop()
    if loop is not None:
        _harmless(_begin, loop)


def disable() -> None:
    """Ends watching, and puts back what `enable` has changed. Findings stay.

    Loops that run in other threads are told to, and follow at their next turn.
    """
    global _on
    _on = False
    _loops.remove()
    _be_silent()
    running = asyncio._get_running_loop()
    for watch in list(_watches.values()):
        loop = watch.loop
        if loop is not running and loop.is_running():
            # What a detector has changed may belong to its thread.
            _harmless(loop.call_soon_threadsafe, _end, watch)
        else:
            _harmless(_end, watch)


def enabled() -> bool:
    """Whether the running loop is watched; where none runs in this thread, whether those that begin to will be."""
    running = asyncio._get_running_loop()
    return _on if running is None else id(running) in _watches


def findings() -> list[Finding]:
    """Returns what was found in this process, the worst first."""
    return collector().findings()


def add_sink(sink: Sink) -> Callable[[], None]:
    """Calls `sink` with each finding that is told from now on. Returns the function that ends it.

    It is called in the thread that found it, and must be quick; one that raises is removed, and that is a finding.
    """
    return collector().add_sink(sink)


def leave() -> None:
    """Leaves nothing behind in the file system; for a process that ends without the interpreter's usual end."""
    _be_silent()


def watches() -> list[Watch]:
    """Returns the watches over loops that are not closed."""
    return [each for each in list(_watches.values()) if not each.loop.is_closed()]


def _log(finding: Finding) -> None:
    try:
        log_sink(finding, _options.level)
    except Exception:  # noqa: BLE001 - of a handler of the program's: its stream is closed, and so is where it says so
        # There is nobody to tell. The next finding may have more luck.
        return


def _begin(loop: asyncio.AbstractEventLoop) -> None:
    _forget_closed()
    watch = _watches.get(id(loop))
    if watch is None:
        _forget_resting()
        watch = _watches[id(loop)] = Watch(loop, collector(), options=_options)
        watch.start()
    else:
        # Those that ran last are the last ones.
        _watches[id(loop)] = _watches.pop(id(loop))
        watch.resume()
    if _options.socket and _server is None:
        _be_asked()


def _be_asked() -> None:
    """Opens the socket for `eyewall doctor PID`. Not before a loop runs: programs fork before."""
    global _server
    _server = server = ControlServer(Patient(collector(), watches))
    try:
        server.open()
    except OSError as error:
        # A machine without a place for it is no fault of the program.
        gen_log.info("`eyewall doctor` can't ask this process: %s", error)
    else:
        atexit.register(server.close)


def _be_silent() -> None:
    global _server
    server, _server = _server, None
    if server is not None:
        _harmless(server.close)
        atexit.unregister(server.close)


def _end(watch: Watch) -> None:
    if _watches.get(id(watch.loop)) is watch:
        del _watches[id(watch.loop)]
        watch.stop()


def _forget_closed() -> None:
    here = threading.current_thread()
    for watch in list(_watches.values()):
        # What a detector has changed in another thread, it changes back when that thread runs a loop again.
        if watch.loop.is_closed() and (watch.thread is here or not watch.thread.is_alive()):
            _harmless(_end, watch)


def _forget_resting() -> None:
    here = threading.current_thread()
    resting = [
        each
        for each in list(_watches.values())
        if not each.loop.is_running() and (each.thread is here or not each.thread.is_alive())
    ]
    for watch in resting[: max(0, len(resting) - RESTING + 1)]:
        _harmless(_end, watch)


def _harmless(action: Callable[..., object], *arguments: Any) -> None:
    """Calls `action`; that it fails is a finding, and nobody else's concern."""
    try:
        action(*arguments)
    except Exception as error:  # noqa: BLE001 - see above
        collector().post(failure("Turning the doctor on or off", error))


def _forked() -> None:
    """In a child: what is watched belongs to the parent; locks may be held by threads that are not here."""
    global _lock, _server
    _lock = Lock()
    server, _server = _server, None
    if server is not None:
        atexit.unregister(server.close)
        _harmless(server.forked)
    gone = list(_watches.values())
    _watches.clear()
    if _collector is not None:
        _collector.renew()
    for watch in gone:
        _harmless(watch.forked)


os.register_at_fork(after_in_child=_forked)
