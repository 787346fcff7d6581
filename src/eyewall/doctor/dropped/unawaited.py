"""Coroutines that nobody awaited, with the line that created them.

When such a coroutine is destroyed, the interpreter calls a function of the module `warnings`, which it looks up there
each time. Ours stands in its place. The line is known because the interpreter notes, for each coroutine, one frame of
where it was created (70 ns each); it does so by thread. Where the doctor watches the loops of several threads there are
several of ours, one over the other, of which one tells.

The warning itself is ours, too, as the one that it replaces would have been: that function takes the frame that has
called it for the place of the warning, and that would be a line of this file. Another program's function is called.
"""

from __future__ import annotations

import asyncio
import sys
import traceback
import warnings
from collections.abc import Callable
from threading import get_ident
from types import CoroutineType, FrameType
from typing import Any

from eyewall.doctor.codes import lines_that_name, with_inner
from eyewall.doctor.collector import Collector, failure
from eyewall.doctor.dropped.mentions import mentions_of
from eyewall.doctor.finding import Evidence, Finding, Severity
from eyewall.doctor.places import Place, best_of, definition, is_own, place_of, places_of, stack_of
from eyewall.doctor.subjects import current_task, subject_of

_HOOK = "_warn_unawaited_coroutine"
#: Where that of the interpreter is defined, by version.
_MODULES = ("warnings", "_py_warnings")
#: What closes a loop, by module and name; uvloop's own function has no frame.
_CLOSING = (("asyncio.base_events", "BaseEventLoop.close"), ("asyncio.runners", "Runner.close"))
#: Lines that are named where any of them may have handed a coroutine function over.
_MENTIONS = 10
#: Code that runs where it stands.
_COMPREHENSIONS = ("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>")


class Unawaited:
    """The detector of coroutines that were never awaited."""

    name = "coroutines that were never awaited"

    def __init__(self) -> None:
        self._collector: Collector | None = None
        self._before: Callable[[Any], None] | None = None
        self._depth = 0
        self._thread = 0

    def start(self, loop: asyncio.AbstractEventLoop, collector: Collector) -> None:
        """Takes the place of the function behind the warning."""
        self._collector = collector
        self._before = getattr(warnings, _HOOK)
        setattr(warnings, _HOOK, self._destroyed)
        self._thread = get_ident()
        self._depth = sys.get_coroutine_origin_tracking_depth()
        if self._depth < 1:
            sys.set_coroutine_origin_tracking_depth(1)

    def look(self) -> None:
        """There is nothing to look for: it tells of itself."""

    def stop(self) -> None:
        """Puts back what was there, unless somebody has put something else over it, which goes on to call us."""
        self._collector = None
        if self._before is not None and getattr(warnings, _HOOK) == self._destroyed:
            before: Any = self._before
            # Of ours that were under this one, some may have been stopped meanwhile.
            while (
                isinstance(below := getattr(before, "__self__", None), Unawaited) and below._collector is None
            ):
                before = below._before
            setattr(warnings, _HOOK, before)
        tracking = sys.get_coroutine_origin_tracking_depth()
        if self._thread == get_ident() and self._depth < 1 and tracking == 1:
            sys.set_coroutine_origin_tracking_depth(0)

    def _destroyed(self, coro: Any) -> None:
        # Called by a finalizer, anywhere.
        ours: Unawaited = self
        told = ours._tell(coro)
        while isinstance(below := getattr(ours._before, "__self__", None), Unawaited):
            ours = below
            told = told or ours._tell(coro)
        before = ours._before
        if getattr(before, "__module__", None) in _MODULES:
            # This function's caller is the line that dropped it.
            warnings.warn(_warning(coro, self._depth), RuntimeWarning, stacklevel=2, source=coro)
        elif before is not None:
            before(coro)

    def _tell(self, coro: Any) -> bool:
        collector = self._collector
        if collector is None:
            return False
        try:
            if _loop_closes():
                return False
            collector.post(_finding(coro))
        except RecursionError:
            # Dropped at the very end of the stack: there is no room to look, or to call anything.
            collector.dropped += 1
        except Exception as error:  # noqa: BLE001 - what is raised here would be lost, and the warning with it
            self._collector = None
            collector.post(failure(f"The detector of {self.name}", error))
        return True


def _loop_closes() -> bool:
    """Whether a loop is being closed: it drops tasks that have not begun. Nobody forgot to await these."""
    if asyncio._get_running_loop() is not None:
        return False
    return any(
        (frame.f_globals.get("__name__"), frame.f_code.co_qualname) in _CLOSING
        for frame in stack_of(sys._getframe(1))
    )


def _warning(coro: CoroutineType[Any, Any, Any], depth: int) -> str:
    """Returns the text of the warning, with the stack of the creation where the program had that tracked itself."""
    text = f"coroutine '{coro.__qualname__}' was never awaited"
    if not depth or not coro.cr_origin:
        return text
    stack = traceback.format_list([(*each, None) for each in reversed(coro.cr_origin)])
    return f"{text}\nCoroutine created at (most recent call last)\n{''.join(stack)}".rstrip()


def _finding(coro: CoroutineType[Any, Any, Any]) -> Finding:
    frames = stack_of(sys._getframe(3))
    stack = places_of(frames)
    # The interpreter has the innermost frame first, and functions without their classes. Most coroutines are dropped at
    # once, where the frame of their creation can still be asked.
    full = {place[:2]: place for place in stack}
    origin = tuple(
        full.get((file, line)) or Place(file, line, function)
        for file, line, function in reversed(coro.cr_origin or ())
    )
    created = best_of(origin) or _called_in(frames, coro.cr_code.co_name)
    defined = definition(coro.cr_code)
    stacks = {"created in": origin, "defined in": (defined,), "destroyed in": stack}
    name = coro.__qualname__
    advice = f"Write 'await' before the call of {name}, or hand it to asyncio.create_task and keep the task."
    place = created or defined
    if is_own(defined) and not (created is not None and is_own(created)):
        # Created by a library from a function of the application: that function says more, and who handed it over.
        place = defined
        mentions = mentions_of(coro.cr_code, frames)
        if len(mentions) == 1:
            place = mentions[0]
        elif mentions:
            stacks["handed over in one of"] = mentions[:_MENTIONS]
        advice = (
            f"What calls {name} awaits nothing: hand over a plain function, in which asyncio.create_task starts it and "
            "the task is kept."
        )
    return Finding(
        "coroutine-never-awaited",
        Severity.ERROR,
        f"The coroutine {name} was created and never awaited: none of it has run",
        advice,
        place=place,
        subject=subject_of(frames, current_task()),
        evidence=Evidence(stacks=stacks),
    )


def _called_in(frames: list[FrameType], name: str) -> Place | None:
    """Returns where a coroutine was created of which that was not noted, as in a thread without a loop: most are
    dropped where they are created, so that it is the innermost line at work of the application that names it, also
    within a comprehension. Other functions, which it makes and which are not at work, have nothing to do with it."""
    for frame in reversed(frames):
        place = place_of(frame)
        if not is_own(place):
            continue
        codes = [
            frame.f_code,
            *(each for each in with_inner(frame.f_code) if each.co_name in _COMPREHENSIONS),
        ]
        lines = [line for code in codes for line in lines_that_name(code, name)]
        if lines:
            return place._replace(line=min(lines, key=lambda line: abs(line - place.line)))
    return None
