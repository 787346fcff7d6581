"""Places in source code: which of the frames of a stack, a traceback or a chain of awaits is of use to somebody.

That is the innermost of the application: not of the standard library, nor of what is installed, nor of Eyewall. Where
there is none, the innermost of what is installed, else the innermost of all. Code that was made of text (by `exec`, by
a dataclass) is the application's, but says less than whoever has it run, who has a file. For frames,
`guard.deadlines.awaiting` decides by the module; a record of the interpreter (where a coroutine was created) has only
the name of a file.
"""

from __future__ import annotations

import asyncio
import linecache
import os
import sysconfig
from collections.abc import AsyncGenerator, Coroutine, Generator, Iterable, Sequence
from types import CodeType, FrameType, TracebackType
from typing import Any, NamedTuple

from eyewall.doctor.unlisted import coroutine_of
from eyewall.guard.deadlines import awaiting

#: Places that are kept of a stack, at most: the outermost ones are left out.
DEPTH = awaiting.DEPTH
#: Characters of a line of source that are shown.
LENGTH = awaiting.LENGTH

_OWN, _MADE, _INSTALLED, _BELOW = 3, 2, 1, 0
_STANDARD = tuple({sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib")})
#: Compiled modules know themselves by a path relative to where they were compiled.
_EYEWALL = (os.path.dirname(os.path.dirname(__file__)) + os.sep, "eyewall/", "src/eyewall/")

#: What a chain of awaits can begin with.
Awaitable = (
    asyncio.Future[Any] | Coroutine[Any, Any, Any] | Generator[Any, Any, Any] | AsyncGenerator[Any, Any]
)


class Place(NamedTuple):
    """A line in a function: "/app/report.py:42 in Report.get"; `function` is empty where nobody knows it."""

    file: str
    line: int
    function: str

    @property
    def source(self) -> str:
        """The line itself, at most `LENGTH` characters of it; empty where the file can't be read."""
        return linecache.getline(self.file, self.line).strip()[:LENGTH]

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" + (f" in {self.function}" if self.function else "")


class Chain(NamedTuple):
    """What a task or coroutine waits for: places from the outermost await to the innermost, and the future there.

    `culprit`: the place that is of use, None where nothing has begun. `end` is None where no future is awaited.
    """

    places: tuple[Place, ...]
    culprit: Place | None
    end: object


def place_of(frame: FrameType) -> Place:
    """Returns where `frame` stands."""
    # A frame that has not begun, or has no line where it stands, has none.
    line = frame.f_lineno or frame.f_code.co_firstlineno
    return Place(frame.f_code.co_filename, line, frame.f_code.co_qualname)


def definition(code: CodeType) -> Place:
    """Returns where the function of `code` is defined."""
    return Place(code.co_filename, code.co_firstlineno, code.co_qualname)


def definition_of(task: asyncio.Task[Any]) -> Place | None:
    """Returns where the coroutine of `task` is defined, None for what is none."""
    code = getattr(coroutine_of(task), "cr_code", None)
    return None if code is None else definition(code)


def origin_of(task: asyncio.Task[Any]) -> tuple[Place, ...]:
    """Returns where the coroutine of `task` was created, from the outermost place to the innermost, as far as the
    interpreter has noted it."""
    return tuple(Place(*each) for each in reversed(getattr(coroutine_of(task), "cr_origin", None) or ()))


def culprit_of(frames: Sequence[FrameType]) -> Place | None:
    """Returns the place that is of use, of frames from the outermost to the innermost; None where there are none."""
    return place_of(frames[awaiting.application_frame(list(frames))]) if frames else None


def best_of(places: Sequence[Place]) -> Place | None:
    """As `culprit_of`, for places of which only the names of the files are known."""
    best = max((_rank(place.file) for place in places), default=_BELOW)
    return next((place for place in reversed(places) if _rank(place.file) == best), None)


def is_own(place: Place) -> bool:
    """Whether `place` is in the application."""
    return is_own_file(place.file)


def is_own_file(file: str) -> bool:
    """Whether a file of this name is the application's."""
    return _rank(file) >= _MADE


def is_installed(place: Place) -> bool:
    """Whether `place` is in a library that is installed, or in Eyewall; not in the standard library."""
    return place.file.startswith(_EYEWALL) or _rank(place.file) == _INSTALLED


def _rank(file: str) -> int:
    # Eyewall first: it may be installed itself, as packages are that stand in a folder of the standard library.
    if file.startswith(_EYEWALL):
        return _BELOW
    if awaiting.is_library(file):
        return _INSTALLED
    if file.startswith(_STANDARD) or file.startswith("<frozen "):
        return _BELOW
    return _MADE if awaiting.is_made(file) else _OWN


def await_chain(awaitable: Awaitable) -> Chain:
    """Follows what `awaitable`, which is not running, waits for: through coroutines, generators of both kinds, tasks,
    and of what is gathered the first that is not done."""
    frames, end = frames_of(awaitable)
    return Chain(tuple([place_of(frame) for frame in frames]), culprit_of(frames), end)


def frames_of(awaitable: Awaitable) -> tuple[list[FrameType], object]:
    """As `await_chain`, the frames themselves and the future at the end."""
    return awaiting.walk(awaitable)  # type: ignore[arg-type]


def stack_of(frame: FrameType | None) -> list[FrameType]:
    """Returns a running frame and those that called it, the outermost first."""
    frames: list[FrameType] = []
    while frame is not None and len(frames) < DEPTH:
        frames.append(frame)
        frame = frame.f_back
    return frames[::-1]


def places_of(frames: Iterable[FrameType]) -> tuple[Place, ...]:
    """Returns where each frame stands."""
    return tuple([place_of(frame) for frame in frames])


def frames_of_error(error: BaseException) -> list[FrameType]:
    """Returns the frames that `error` passed, from the outermost to the one that raised it."""
    frames: list[FrameType] = []
    trace = error.__traceback__
    while trace is not None:
        frames.append(trace.tb_frame)
        trace = trace.tb_next
    return frames


def traceback_of(error: BaseException) -> tuple[tuple[Place, ...], Place | None]:
    """Returns where `error` passed, from the outermost place to the one that raised it, and the one of use.

    An error that was never raised has none.
    """
    frames: list[FrameType] = []
    places: list[Place] = []
    trace: TracebackType | None = error.__traceback__
    while trace is not None:
        frames.append(trace.tb_frame)
        code = trace.tb_frame.f_code
        # The frame may have gone on since; the traceback has the line of the error.
        places.append(Place(code.co_filename, trace.tb_lineno or code.co_firstlineno, code.co_qualname))
        trace = trace.tb_next
    frames, places = frames[-DEPTH:], places[-DEPTH:]
    return tuple(places), places[awaiting.application_frame(frames)] if frames else None
