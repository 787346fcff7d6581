"""The callbacks that wait in a loop: how many, and who put them there.

asyncio's loop has them in a deque. uvloop has one, too, which only the garbage collector can name. Looking at it takes
no lock: every step is one call of C, and a callback that is looked at is let go of before another thread can run.

Who fills the queue is not known from what is in it. So while a loop starves, and only then, the two functions that put
callbacks in are stood before, for some hundred calls.
"""

from __future__ import annotations

import asyncio
import gc
import inspect
import sys
from collections import Counter, deque
from collections.abc import Callable, Sequence
from functools import partial
from types import CodeType, CoroutineType, FrameType
from typing import Any

from eyewall.doctor.places import (
    Place,
    best_of,
    culprit_of,
    definition,
    frames_of,
    is_own,
    origin_of,
    place_of,
)
from eyewall.doctor.stalls.stack import Stack, code_called
from eyewall.doctor.unlisted import coroutine_of

#: Callbacks of a queue that are looked at.
SAMPLES = 50
#: Calls that are noted, and frames of each that are looked at.
CALLS = 300
FRAMES = 20
#: Partials and wrappers around a callback that are looked into.
_WRAPPED = 10
#: Where a callback is called, and what is beneath.
_BENEATH = frozenset(("asyncio.events", "asyncio.runners", "eyewall.doctor.loops"))
_NAMES = ("call_soon", "call_soon_threadsafe")

Deque = deque[Any]


def queue_of(loop: asyncio.AbstractEventLoop) -> Deque | None:
    """Returns the queue of `loop`, None where it has none that is known."""
    found = getattr(loop, "_ready", None)
    if isinstance(found, deque):
        return found
    # The collector tells of an instance's attributes in C, too, of which one is a deque.
    deques = [each for each in gc.get_referents(loop) if type(each) is deque]
    return deques[0] if len(deques) == 1 else None


def head_of(queue: Deque | None) -> int:
    """Returns the identity of the callback that is next, 0 for none."""
    try:
        return id(queue[0]) if queue else 0
    except IndexError:
        return 0


def waiting_in(queue: Deque | None) -> Counter[Place]:
    """Returns where the callbacks in `queue` belong: for steps of tasks where the task stands, else the function."""
    found: Counter[Place] = Counter()
    size = 0 if queue is None else len(queue)
    step = max(1, size // SAMPLES)
    for index in range(0, size, step):
        try:
            handle = queue[index]  # type: ignore[index]
        except IndexError:
            break
        place = _place_of_handle(handle)
        del handle
        if place is not None:
            found[place] += step
    return found


class Fillers:
    """Notes who puts callbacks into a loop, once it is armed. Its methods are called in the watchdog's thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._ours: dict[str, Callable[..., asyncio.Handle]] = {}
        self.found: Counter[Place] = Counter()
        self._left = 0

    @property
    def armed(self) -> bool:
        """Whether it stands before the loop's functions."""
        return bool(self._ours)

    def arm(self) -> None:
        """Begins to note."""
        if self._ours:
            return
        self._left = CALLS
        self.found.clear()
        for name in _NAMES:
            ours = self._before(getattr(self._loop, name))
            try:
                setattr(self._loop, name, ours)
            except AttributeError:
                # A loop without a dictionary.
                return
            self._ours[name] = ours

    def disarm(self) -> None:
        """Ends that, and puts back what was there."""
        for name, ours in self._ours.items():
            if self._loop.__dict__.get(name) is ours:
                delattr(self._loop, name)
        self._ours = {}

    def _before(self, function: Callable[..., asyncio.Handle]) -> Callable[..., asyncio.Handle]:
        def note(callback: Callable[..., object], *args: Any, context: Any = None) -> asyncio.Handle:
            if self._left > 0:
                self._left -= 1
                try:
                    place = _filled_by(sys._getframe(1), callback, args)
                    if place is not None:
                        self.found[place] += 1
                except Exception:  # noqa: BLE001 - the callback must be put in, whatever it is
                    self._left = 0
            return function(callback, *args, context=context)

        return note


def _filled_by(frame: FrameType | None, callback: object, args: Sequence[object]) -> Place | None:
    owner = getattr(callback, "__self__", None)
    if isinstance(owner, asyncio.Task):
        # A step of a task: it asks for the next one where it stands.
        return _place_of_task(owner)
    for _ in range(FRAMES):
        # What has the loop run has not put in what the loop does.
        if frame is None or frame.f_globals.get("__name__") in _BENEATH:
            break
        if is_own(place := place_of(frame)):
            return place
        frame = frame.f_back
    return _place_of_callback(callback, args)


def _place_of_handle(handle: object) -> Place | None:
    callback = getattr(handle, "_callback", None)
    if callback is not None:
        return _place_of_callback(callback, getattr(handle, "_args", None) or ())
    found = gc.get_referents(handle)
    args = next((each for each in found if type(each) is tuple), ())
    for each in found:
        if callable(each) and not isinstance(each, type):
            place = _place_of_callback(each, args)
            if place is not None:
                return place
    return None


def _place_of_callback(callback: object, args: Sequence[object]) -> Place | None:
    owner = getattr(callback, "__self__", None)
    if isinstance(owner, asyncio.Task):
        return _place_of_task(owner)
    place = _defined(callback)
    if args and isinstance(args[0], asyncio.Task) and (place is None or not is_own(place)):
        # A library wants to know that a task has ended.
        return _place_of_task(args[0]) or place
    return place


def _place_of_task(task: asyncio.Task[Any]) -> Place | None:
    """Returns where a task stands; of one that has not begun, or has ended, the line that has made its coroutine."""
    coroutine = coroutine_of(task)
    if task.done() or (
        isinstance(coroutine, CoroutineType) and inspect.getcoroutinestate(coroutine) == inspect.CORO_CREATED
    ):
        origin = best_of(origin_of(task))
        if origin is not None and is_own(origin):
            return origin
    frames, _ = frames_of(task)
    return culprit_of(frames)


def _defined(callback: object) -> Place | None:
    for _ in range(_WRAPPED):
        if isinstance(callback, partial):
            callback = _of_partial(callback)
        elif (inner := getattr(callback, "__wrapped__", None)) is not None:
            callback = inner
        else:
            break
    code = code_called(callback)
    return None if code is None else definition(code)


def _of_partial(callback: partial[Any]) -> object:
    """Returns the function that is called; where that is a library's, which calls another one, that one."""
    first = callback.args[0] if callback.args else None
    code = getattr(getattr(callback.func, "__func__", callback.func), "__code__", None)
    if isinstance(code, CodeType) and callable(first) and not is_own(definition(code)):
        return first
    return callback.func


def most_frequent(places: Counter[Place], stacks: list[Stack]) -> Place | None:
    """Returns the place of the application that occurs most, of `places`, or else in `stacks`; a library's where there
    is none in either."""
    own = Counter({place: count for place, count in places.items() if is_own(place)})
    seen = Counter(each.place for each in stacks if each.place is not None)
    at_work = Counter({place: count for place, count in seen.items() if is_own(place)})
    for found in (own, at_work, places, seen):
        if found:
            return found.most_common(1)[0][0]
    return None
