"""Which line opened what: an audit hook notes it.

The interpreter tells hooks of each file that is opened and each socket that is made, and of much else, which is passed
over (`audits`). Such a hook can't be taken away again; without anybody who listens it does nothing. The line is the
innermost of the application on the stack, down to where the loop calls back: what is below that has not asked for it.
Where a library connects in a task of its own, it is the line that waits for that task.

Files are found again by their path, since they do not exist yet when the hook is called; sockets by themselves. A pipe
has neither: of processes it is known which line has started most of the latest ones.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import time
import weakref
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from threading import Lock
from types import FrameType
from typing import Any, NamedTuple

from eyewall.doctor.growth.audits import EVENTS, hear
from eyewall.doctor.growth.reaching import below
from eyewall.doctor.places import Place, await_chain, is_own, is_own_file

#: Paths that are remembered, the latest ones.
PATHS = 4096
#: Sockets that are remembered.
SOCKETS = 20_000
#: Processes that are remembered, the latest ones.
PROCESSES = 200
#: Frames that are looked at.
DEPTH = 40
#: Tasks that wait for each other, and objects around each, that are looked at for a line.
TASKS = 4
AROUND = 60
#: Files whose kind is remembered.
FILES = 4096
#: Methods of a loop that return a new transport first.
CONNECTING = ("create_connection", "create_unix_connection", "create_datagram_endpoint")

_OWN, _OTHER, _END = range(3)
#: Where a loop or a thread calls what it was given.
_ENDS = (
    "asyncio/events.py",
    "asyncio/runners.py",
    "/threading.py",
    "eyewall/loop/ioloop.py",
)
#: Functions in these files that open something for whoever calls them.
_MAKING = ("new_event_loop", "get_event_loop")
#: What is opened in here is the doctor's own; but not by this module, which stands between a line and its connection.
_DOCTOR = os.path.dirname(os.path.dirname(__file__)) + os.sep


class Opening(NamedTuple):
    """A socket or transport that is open: itself, the line that has opened it, and for how many seconds it has been."""

    thing: Any
    place: Place
    age: float


_kinds: dict[str, int] = {}
#: Who listens. A tuple, replaced as a whole.
_listeners: tuple[Callable[[str, tuple[Any, ...]], object], ...] = ()
_installed = False
_lock = Lock()


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _listeners and event in EVENTS:
        for listener in _listeners:
            listener(event, arguments)


def _listen(listener: Callable[[str, tuple[Any, ...]], object]) -> None:
    global _installed, _listeners
    with _lock:
        _listeners = (*_listeners, listener)
        if not _installed:
            _installed = True
            hear(_hook)


def _unlisten(listener: Callable[[str, tuple[Any, ...]], object]) -> None:
    global _listeners
    with _lock:
        _listeners = tuple(each for each in _listeners if each != listener)


class Openings:
    """Remembers which line opened what, from `start` to `stop`."""

    def __init__(self) -> None:
        #: What went wrong within the hook, which ends it.
        self.error: Exception | None = None
        self._paths: OrderedDict[str, Place] = OrderedDict()
        self._sockets: dict[int, tuple[weakref.ref[Any], Place, float]] = {}
        self._processes: deque[Place] = deque(maxlen=PROCESSES)
        self._loop: Any = None
        self._connecting: dict[str, Any] = {}

    def start(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        """Begins to listen; to what `loop` connects as well, where that makes sockets past the interpreter."""
        _listen(self._opened)
        if loop is not None and not isinstance(loop, asyncio.BaseEventLoop):
            self._loop = loop
            for name in CONNECTING:
                self._listen_to(loop, name)

    def stop(self) -> None:
        """Ends listening, and forgets."""
        _unlisten(self._opened)
        loop, self._loop = self._loop, None
        for name, ours in self._connecting.items():
            if loop is not None and loop.__dict__.get(name) is ours:
                delattr(loop, name)
        self._connecting = {}
        self._paths.clear()
        self._sockets.clear()
        self._processes.clear()

    def file(self, path: str) -> Place | None:
        """Returns the line that opened the file `path` last; None where that is not known."""
        place = self._paths.get(path)
        if place is not None:
            return place
        name = os.path.basename(path)
        same = (known for known in reversed(list(self._paths.items())) if os.path.basename(known[0]) == name)
        return next((place for _, place in same), None)

    def connection(self, transport: Any) -> Opening | None:
        """Returns what is known of a `transport` of a loop that makes sockets past the interpreter."""
        known = self._sockets.get(id(transport))
        if known is None or known[0]() is not transport:
            return None
        return Opening(transport, known[1], time.monotonic() - known[2])

    def process(self) -> Place | None:
        """Returns the line that has started most of the latest processes; None for none."""
        return next((place for place, _ in Counter(self._processes).most_common(1)), None)

    def _listen_to(self, loop: Any, name: str) -> None:
        connect = getattr(type(loop), name, None)
        if connect is None or not hasattr(loop, "__dict__") or name in loop.__dict__:
            # Somebody else stands there.
            return

        async def connecting(*arguments: Any, **options: Any) -> Any:
            place = _line(sys._getframe(1)) or _line_of_awaiting()
            connected = await connect(loop, *arguments, **options)
            if place is not None:
                self._follow(connected[0], place)
            return connected

        self._connecting[name] = connecting
        setattr(loop, name, connecting)

    def sockets(self) -> dict[int, Opening]:
        """Returns the open sockets that lines of the application have made, by descriptor."""
        found, now = {}, time.monotonic()
        for reference, place, since in list(self._sockets.values()):
            made = reference()
            if isinstance(made, socket.socket) and (number := made.fileno()) >= 0:
                found[number] = Opening(made, place, now - since)
        return found

    def _opened(self, event: str, arguments: tuple[Any, ...]) -> None:
        try:
            if event == "subprocess.Popen":
                place = _line(sys._getframe(2))
                if place is not None:
                    self._processes.append(place)
            elif event != "socket.__new__":
                path = arguments[0]
                if isinstance(path, (bytes, os.PathLike)):
                    path = os.fsdecode(path)
                if isinstance(path, str):
                    place = _line(sys._getframe(2))
                    if place is not None:
                        self._remember(path, place)
            else:
                place = _line(sys._getframe(2)) or _line_of_awaiting()
                if place is not None:
                    self._follow(arguments[0], place)
        except Exception as error:  # noqa: BLE001 - what a hook raises comes out of the program's `open`
            _unlisten(self._opened)
            self.error = error

    def _remember(self, path: str, place: Place) -> None:
        if not path.startswith(os.sep):
            path = os.path.join(os.getcwd(), path)
        self._paths[path] = place
        self._paths.move_to_end(path)
        if len(self._paths) > PATHS:
            self._paths.popitem(last=False)

    def _follow(self, made: Any, place: Place) -> None:
        if len(self._sockets) >= SOCKETS:
            return
        key = id(made)
        self._sockets[key] = (
            weakref.ref(made, lambda _: self._sockets.pop(key, None)),
            place,
            time.monotonic(),
        )


def _line(frame: FrameType | None) -> Place | None:
    for _ in range(DEPTH):
        if frame is None:
            return None
        code = frame.f_code
        kind = _kinds.get(code.co_filename)
        if kind is None:
            kind = _kind(code.co_filename)
        if kind == _OWN:
            return Place(code.co_filename, frame.f_lineno or code.co_firstlineno, code.co_qualname)
        if kind == _END and code.co_name not in _MAKING:
            return None
        frame = frame.f_back
    return None


def _line_of_awaiting() -> Place | None:
    """Returns the line of the application that waits for the task which runs; None where nobody does."""
    try:
        task = asyncio.current_task()
    except RuntimeError:
        # A thread without a loop.
        return None
    for _ in range(TASKS):
        if task is None:
            return None
        waiting = None
        # Without the contexts, from which anything may be reached.
        callbacks = [callback for callback, _ in getattr(task, "_callbacks", None) or ()]
        for each in below(callbacks, AROUND):
            if isinstance(each, asyncio.Task) and each is not task and not each.done():
                place = await_chain(each).culprit
                if place is not None and is_own(place):
                    return place
                waiting = waiting or each
        task = waiting
    return None


def _kind(file: str) -> int:
    ends = file.endswith(_ENDS) or (file.startswith(_DOCTOR) and file != __file__)
    kind = _END if ends else _OWN if is_own_file(file) else _OTHER
    if len(_kinds) < FILES:
        _kinds[file] = kind
    return kind
