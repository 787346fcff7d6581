"""The stack of a thread at one moment, as data.

Whoever keeps a frame of another thread keeps its variables, and may be the last to let go of them: finalizers would run
in the wrong thread. So a frame is read within one call that does nothing else, no file and no lock, and forgotten. What
is kept of it is where it stood, and its identity, by which the next look knows whether it is still the same frame.

No tuple is made of a generator here, but of a list: a tuple that grows is there for `gc.get_objects` and
`gc.get_referrers` to find, and when another thread has found it, it can't be made any more (SystemError).
"""

from __future__ import annotations

import dis
import inspect
import itertools
import linecache
import re
import signal
import sys
from collections.abc import Sequence
from contextvars import Context
from functools import partial
from types import CodeType, FrameType, ModuleType
from typing import NamedTuple

from eyewall.doctor.places import DEPTH, Place, place_of
from eyewall.guard.deadlines.awaiting import application_frame

#: Characters of an expression that are shown.
LENGTH = 80
_CALLED = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*(?=\()")
_MISSING = object()


class Spot(NamedTuple):
    """One frame: where it stood, its module, the identity of the frame, and its instruction.

    `handles`: the number of the signal whose handler it is, 0 for none.
    """

    place: Place
    module: str
    identity: int = 0
    instruction: int = 0
    handles: int = 0


class Stack(NamedTuple):
    """Spots from the outermost to the innermost, which of them is the culprit, and the code of the innermost."""

    spots: tuple[Spot, ...]
    culprit: int
    code: CodeType | None

    @property
    def place(self) -> Place | None:
        """The place of use, None for an empty stack."""
        return self.spots[self.culprit].place if self.spots else None

    @property
    def places(self) -> tuple[Place, ...]:
        """Where all stand."""
        return tuple([spot.place for spot in self.spots])


EMPTY = Stack((), 0, None)


def frames_of_thread(thread: int) -> list[FrameType]:
    """Returns the frames of a thread, the outermost first; none where it has ended."""
    frames: list[FrameType] = []
    frame = sys._current_frames().get(thread)
    while frame is not None:
        frames.append(frame)
        frame = frame.f_back
    frames.reverse()
    return frames


def depth_of(frame: FrameType | None) -> int:
    """Returns how many frames there are from the outermost to `frame`."""
    depth = 0
    while frame is not None:
        depth += 1
        frame = frame.f_back
    return depth


def read(frames: Sequence[FrameType], handlers: frozenset[CodeType] = frozenset()) -> Stack:
    """Returns what `frames` say, of no more than the innermost `DEPTH`. `handlers`: the code of signal handlers."""
    frames = frames[-DEPTH:]
    if not frames:
        return EMPTY
    spots = [
        Spot(
            place_of(frame),
            str(frame.f_globals.get("__name__", "")),
            id(frame),
            frame.f_lasti,
            _handled(frame) if frame.f_code in handlers else 0,
        )
        for frame in frames
    ]
    return Stack(tuple(spots), application_frame(list(frames)), frames[-1].f_code)


def with_job(seen: Stack, frames: Sequence[FrameType]) -> Stack:
    """Returns a stack of a thread of an executor with the job that has just returned there as its innermost spot.

    Where a call of C is the last that a job does, its thread lets others run when the job is over.
    """
    item = next((each for each in reversed(frames) if runs_job(each)), None)
    code = None if item is None else _job(getattr(item.f_locals.get("self"), "fn", None))
    if code is None:
        return seen
    lines = {
        each.positions.lineno for each in dis.get_instructions(code) if _returns(each) and each.positions
    }
    line = lines.pop() if len(lines) == 1 else None
    place = Place(code.co_filename, line or code.co_firstlineno, code.co_qualname)
    return Stack((*seen.spots, Spot(place, "")), len(seen.spots), code)


def runs_job(frame: FrameType) -> bool:
    """Whether `frame` is where a thread of an executor runs a job: it has one, or has had one just now."""
    return frame.f_code.co_name == "run" and frame.f_globals.get("__name__") == "concurrent.futures.thread"


def _returns(instruction: dis.Instruction) -> bool:
    return instruction.opname.startswith("RETURN_") and instruction.opname != "RETURN_GENERATOR"


def _job(function: object) -> CodeType | None:
    """Returns the code of what an executor was given, where that is a function of Python: also in partials, and in a
    context, as `asyncio.to_thread` has it."""
    while isinstance(function, partial):
        runs = getattr(function.func, "__self__", None)
        function = function.args[0] if isinstance(runs, Context) and function.args else function.func
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    return code if isinstance(code, CodeType) else None


def signal_handlers() -> frozenset[CodeType]:
    """Returns the code of all signal handlers that are written in Python."""
    found = set()
    for number in signal.valid_signals():
        handler: object = signal.getsignal(number)
        while isinstance(handler, partial):
            handler = handler.func
        code = code_called(handler)
        if code is not None:
            found.add(code)
    return frozenset(found)


def code_called(function: object) -> CodeType | None:
    """Returns the code of what can be called: a function, a method, an object with such a method."""
    function = getattr(function, "__func__", function)
    if callable(function) and not hasattr(function, "__code__"):
        function = type(function).__call__
    code = getattr(function, "__code__", None)
    return code if isinstance(code, CodeType) else None


def _handled(frame: FrameType) -> int:
    """Returns the signal that `frame` handles, 0 where its function was called like any other.

    A handler is called with the frame that was interrupted, which is the one that it returns to, after the signal.
    """
    code = frame.f_code
    values = [frame.f_locals.get(name) for name in code.co_varnames[: code.co_argcount]]
    if code.co_flags & inspect.CO_VARARGS:
        more = frame.f_locals.get(code.co_varnames[code.co_argcount + code.co_kwonlyargcount])
        values += more if isinstance(more, tuple) else ()
    for number, value in itertools.pairwise(values):
        if value is frame.f_back and isinstance(value, FrameType) and isinstance(number, int):
            return int(number)
    return 0


def expression(stack: Stack) -> str:
    """Returns the source of what the innermost frame evaluates, a call where it waits in one; empty where unknown.

    May read a file.
    """
    if stack.code is None:
        return ""
    spot = stack.spots[-1]
    line, _, start, end = next(
        itertools.islice(stack.code.co_positions(), spot.instruction // 2, None), (None, None, None, None)
    )
    if line is None or start is None or end is None:
        return ""
    source = linecache.getline(spot.place.file, line).rstrip("\n").encode()
    # Of several lines, the first.
    text = source[start:end] if end > start else source[start:]
    return text.decode(errors="replace").strip()[:LENGTH]


def called(frame: FrameType, text: str) -> str:
    """Returns the module of the function that the expression `text` calls in `frame`, empty where it can't be known.

    Runs no code of the program.
    """
    match = _CALLED.match(text)
    if match is None:
        return ""
    first, *rest = match[0].split(".")
    if first in frame.f_code.co_varnames or first in frame.f_code.co_freevars:
        value = frame.f_locals.get(first, _MISSING)
    else:
        value = frame.f_globals.get(first, frame.f_builtins.get(first, _MISSING))
    for name in rest:
        owner, value = value, _attribute(value, name)
        if value is _MISSING:
            return ""
        if not isinstance(owner, ModuleType) and not getattr(value, "__module__", None):
            # A method of a type that is written in C.
            return type(owner).__module__
    module = getattr(value, "__module__", None)
    return module if isinstance(module, str) else ""


def _attribute(value: object, name: str) -> object:
    """Returns an attribute as it is stored, `_MISSING` where it is not."""
    try:
        stored = object.__getattribute__(value, "__dict__")
    except AttributeError:
        stored = {}
    if isinstance(stored, dict) and name in stored:
        return stored[name]
    for base in type(value).__mro__:
        if name in base.__dict__:
            return base.__dict__[name]
    return _MISSING
