"""Which line opened what: an audit hook notes it.

The interpreter tells hooks of each file that is opened and each socket that is made, and of much else, which is passed
over (`audits`). Such a hook can't be taken away again; without anybody who listens it does nothing. The line is the
innermost of the application on the stack, down to where the loop calls back: what is below that has not asked for it.

Files are found again by their path, since they do not exist yet when the hook is called; sockets by themselves.
"""

from __future__ import annotations

import os
import sys
import weakref
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from types import FrameType
from typing import Any

from eyewall.doctor.growth.audits import hear
from eyewall.doctor.places import Place, is_own

#: Paths that are remembered, the latest ones.
PATHS = 4096
#: Sockets that are remembered.
SOCKETS = 20_000
#: Frames that are looked at.
DEPTH = 40
#: Files whose kind is remembered.
FILES = 4096

_OWN, _OTHER, _END = range(3)
#: Where a loop or a thread calls what it was given.
_ENDS = (
    "asyncio/events.py",
    "asyncio/runners.py",
    "asyncio/base_events.py",
    "/threading.py",
    "eyewall/loop/ioloop.py",
)

_kinds: dict[str, int] = {}
#: Who listens. A tuple, replaced as a whole.
_listeners: tuple[Callable[[str, tuple[Any, ...]], object], ...] = ()
_installed = False
_lock = Lock()


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _listeners and (event == "open" or event == "socket.__new__"):
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
        self._sockets: dict[int, tuple[weakref.ref[Any], Place]] = {}

    def start(self) -> None:
        """Begins to listen."""
        _listen(self._opened)

    def stop(self) -> None:
        """Ends listening, and forgets."""
        _unlisten(self._opened)
        self._paths.clear()
        self._sockets.clear()

    def file(self, path: str) -> Place | None:
        """Returns the line that opened the file `path` last; None where that is not known."""
        place = self._paths.get(path)
        if place is not None:
            return place
        name = os.path.basename(path)
        same = (known for known in reversed(list(self._paths.items())) if os.path.basename(known[0]) == name)
        return next((place for _, place in same), None)

    def sockets(self) -> dict[int, tuple[Any, Place]]:
        """Returns the open sockets that lines of the application have made, with the line, by descriptor."""
        found = {}
        for reference, place in list(self._sockets.values()):
            made = reference()
            if made is not None and (number := made.fileno()) >= 0:
                found[number] = made, place
        return found

    def _opened(self, event: str, arguments: tuple[Any, ...]) -> None:
        try:
            if event == "open":
                path = arguments[0]
                if isinstance(path, bytes):
                    path = os.fsdecode(path)
                if isinstance(path, str):
                    place = _line(sys._getframe(2))
                    if place is not None:
                        self._remember(path, place)
            else:
                place = _line(sys._getframe(2))
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
        self._sockets[key] = weakref.ref(made, lambda _: self._sockets.pop(key, None)), place


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
        if kind == _END:
            return None
        frame = frame.f_back
    return None


def _kind(file: str) -> int:
    kind = _END if file.endswith(_ENDS) else _OWN if is_own(Place(file, 1, "")) else _OTHER
    if len(_kinds) < FILES:
        _kinds[file] = kind
    return kind
