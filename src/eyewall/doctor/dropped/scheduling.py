"""Where callbacks were scheduled: the line that a traceback of their exceptions does not have.

What is noted of a callback is the code and the instruction of whoever scheduled it; a line is made of that when the
callback has failed. Noted is, always, what is rare: timers, callbacks from other threads, and those of an `IOLoop`,
which fire a probe slot. `call_soon` is what tasks and futures wake each other with, and too busy a place to stand in:
it is noted from the first failure on, for `ATTENTION` seconds; a callback which fails again is known then.

Methods of the loop are replaced on this one instance. Where somebody else replaces them later, theirs stay.
"""

from __future__ import annotations

import asyncio
import sys
import weakref
from collections.abc import Callable
from functools import partial
from itertools import islice
from types import CodeType, FrameType
from typing import Any

from eyewall.base import probe
from eyewall.doctor.places import Place, is_own_file

#: Callbacks that are remembered.
REMEMBERED = 4096
#: Seconds after a failure during which `call_soon` is watched.
ATTENTION = 60.0
#: Frames that are looked at to find who scheduled: between are those of asyncio and of `IOLoop`.
DEPTH = 12

#: `call_later` of asyncio is made of another method that is replaced.
_NESTED = asyncio.BaseEventLoop.call_later.__code__
_ALWAYS = ("call_later", "call_at", "call_soon_threadsafe")


class Scheduling:
    """Remembers where the callbacks of a loop were scheduled."""

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._size = remembered
        self._loop: asyncio.AbstractEventLoop | None = None
        self._detach: Callable[[], None] | None = None
        self._ours: dict[str, Any] = {}
        self._attentive_until: float | None = None
        # By identity, of handles and of what they will call. While the handle is there, so is that.
        self._known: dict[int, tuple[weakref.ref[Any], CodeType, int]] = {}
        self._own: dict[CodeType, bool] = {}

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begins to remember."""
        self._loop = loop
        self._detach = probe.callback_scheduled.attach(self._scheduled)
        for name in _ALWAYS:
            self._replace(name)

    def stop(self) -> None:
        """Puts back what was there."""
        if self._detach is not None:
            self._detach()
        for name in list(self._ours):
            self._put_back(name)
        self._loop = None
        self._known.clear()
        self._own.clear()

    def look(self) -> None:
        """Ends watching `call_soon` when it has been quiet."""
        until = self._attentive_until
        if self._loop is not None and until is not None and self._loop.time() >= until:
            self._attentive_until = None
            self._put_back("call_soon")

    def failed(self, *things: object) -> Place | None:
        """Returns where one of `things` was scheduled: a handle or a callback, which has failed now."""
        if self._loop is not None:
            if self._attentive_until is None:
                self._replace("call_soon")
            self._attentive_until = self._loop.time() + ATTENTION
        for thing in things:
            reference, code, instruction = self._known.get(id(thing), (None, None, 0))
            if reference is not None and code is not None and reference() is not None:
                return Place(code.co_filename, _line(code, instruction), code.co_qualname)
        return None

    def _replace(self, name: str) -> None:
        loop = self._loop
        # One that is there already is somebody's who has to do with it for a moment, or for ever.
        if loop is None or name in getattr(loop, "__dict__", {name: None}):
            return
        real = getattr(loop, name)
        place = 1 if name in ("call_later", "call_at") else 0
        note = self._note

        def schedule(*args: Any, **keywords: Any) -> Any:
            handle = real(*args, **keywords)
            inner = args[place] if len(args) > place else keywords.get("callback")
            if len(args) > place + 1:
                # What Tornado's loop wraps a callback into, and tells of.
                inner = args[place + 1]
            elif type(inner) is partial and inner.args:
                # The same of ours.
                inner = inner.args[0]
            note(handle, inner)
            return handle

        self._ours[name] = schedule
        setattr(loop, name, schedule)

    def _put_back(self, name: str) -> None:
        loop, ours = self._loop, self._ours.pop(name, None)
        if loop is not None and getattr(loop, "__dict__", {}).get(name) is ours:
            delattr(loop, name)

    def _scheduled(self, callback: object) -> None:
        if asyncio._get_running_loop() is self._loop:
            self._note(callback, callback)

    def _note(self, thing: object, inner: object) -> None:
        """Remembers who has scheduled `thing`, and that `inner` stands for it while it is there."""
        frame: FrameType | None = sys._getframe(2)
        own = self._own
        for _ in range(DEPTH):
            if frame is None or frame.f_code is _NESTED:
                # Nobody of the application; or the outer call notes it.
                return
            code = frame.f_code
            known = own.get(code)
            if known is None:
                known = own[code] = is_own_file(code.co_filename)
            if known:
                break
            frame = frame.f_back
        else:
            return
        if len(self._known) >= self._size:
            for key in list(islice(self._known, self._size // 2)):
                del self._known[key]
        try:
            entry = weakref.ref(thing), code, frame.f_lasti
        except TypeError:
            # A callback written in C, handed to an `IOLoop`.
            return
        self._known[id(thing)] = self._known[id(inner)] = entry


def _line(code: CodeType, instruction: int) -> int:
    """Returns the line of an instruction, by its offset."""
    for begin, end, line in code.co_lines():
        if begin <= instruction < end and line is not None:
            return line
    return code.co_firstlineno
