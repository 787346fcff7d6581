"""Where a task stands, and what it waits for: file, line and function of the application, not of the libraries below.

A suspended task is a chain: its coroutine awaits another one, and so on, down to a future. The chain can be walked from
outside while nothing runs. Where the future is another task (or gathers some), it goes on in there. What frameworks and
libraries add at the lower end is left out: the frame that is of use to somebody is the innermost of the application.
"""

from __future__ import annotations

import asyncio
import gc
import linecache
import os
import sys
from collections.abc import Coroutine, Iterator
from types import AsyncGeneratorType, CoroutineType, FrameType, GeneratorType
from typing import Any, NamedTuple

#: Frames that are looked at, at most.
DEPTH = 100
#: Characters of a line of source, and of what an object says of itself.
LENGTH = 120
#: Objects of the interpreter between an `await` and what it is for, which tell of that only to the collector.
WRAPPERS = frozenset(
    ("FutureIter", "coroutine_wrapper", "async_generator_asend", "async_generator_athrow", "anext_awaitable")
)
_AWAITED = ("cr_await", "gi_yieldfrom", "ag_await")
_LINKS = (CoroutineType, GeneratorType, AsyncGeneratorType, asyncio.Future)
INSTALLED = ("site-packages", "dist-packages")
#: The interpreters that crash when a task is asked for its coroutine which has ended within its first, eager step:
#: it has none any more (python/cpython#122332).
_CRASHING = (3, 12) <= sys.version_info < (3, 12, 5)
#: Sources of modules that are always compiled; others are where they are not found.
_COMPILED = (".pyx", ".pxi")


class Suspension(NamedTuple):
    """Where a task stands (`place`: "/app/report.py:42 in Report.get"), and what it waits for. Both may be empty."""

    place: str
    waited_for: str


def suspension(task: asyncio.Task[Any]) -> Suspension:
    """Returns where `task`, which is not running, is suspended, and what it waits for.

    Both are empty for a task that is done or has not begun.
    """
    frames, end = walk(task)
    if not frames:
        return Suspension("", "")
    index = application_frame(frames)
    frame = frames[index]
    place = f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_qualname}"
    source = linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip()
    below = _called(frames[index + 1]) if index + 1 < len(frames) else _awaited(end)
    if source and below:
        return Suspension(place, f"{source[:LENGTH]!r} ({below})")
    return Suspension(place, f"{source[:LENGTH]!r}" if source else below)


def walk(task: asyncio.Task[Any]) -> tuple[list[FrameType], object]:
    """Returns the frames from the task's coroutine down, and the future at the lower end, None for none."""
    frames: list[FrameType] = []
    link: Any = task
    end: object = None
    for _ in range(DEPTH):
        if isinstance(link, asyncio.Future):
            end = link
            following = _behind(link)
        elif isinstance(link, CoroutineType):
            following = link.cr_await
        elif isinstance(link, GeneratorType):
            following = link.gi_yieldfrom
        elif isinstance(link, AsyncGeneratorType):
            following = link.ag_await
        else:
            following = within(link)
        frames.extend(_frame(link))
        if following is None:
            break
        link = following
    return frames, end


def coroutine_of(task: asyncio.Task[Any]) -> Any:
    """Returns the coroutine of `task`, None where it has none any more: not all interpreters survive `get_coro`."""
    if _CRASHING and task.done():
        return next((each for each in gc.get_referents(task) if issubclass(type(each), Coroutine)), None)
    return task.get_coro()


def within(link: Any) -> Any:
    """Returns what is awaited by something that is no coroutine, generator or future of the interpreter: a wrapper of
    its own, a compiled coroutine, an object that passes on to the one that it has (as aiohttp's requests do). None for
    nothing, and where that is not certain."""
    kind = type(link)
    for name in _AWAITED:
        if hasattr(kind, name):
            # A compiled one has the attributes, but is of a kind of its own.
            return getattr(link, name)
    wrapper = kind.__name__ in WRAPPERS
    if not wrapper and not (hasattr(kind, "send") and hasattr(kind, "throw")):
        return None
    found = [each for each in gc.get_referents(link) if _is_link(each)]
    return found[0] if found and (wrapper or len(found) == 1) else None


def _is_link(thing: object) -> bool:
    return isinstance(thing, _LINKS) or any(hasattr(type(thing), name) for name in _AWAITED)


def _behind(future: asyncio.Future[Any]) -> Any:
    """Returns what brings about the result of `future`, where that can be known."""
    if isinstance(future, asyncio.Task):
        return None if future.done() else future.get_coro()
    for child in getattr(future, "_children", ()):
        if not child.done():
            return child
    return None


def _frame(link: Any) -> Iterator[FrameType]:
    for name in ("cr_frame", "gi_frame", "ag_frame"):
        frame = getattr(link, name, None)
        if frame is not None:
            yield frame


def application_frame(frames: list[FrameType]) -> int:
    """Returns which frame is the innermost of the application, one with a file rather than one that was made of text;
    else of what is installed; else of all."""
    for accepted in (_has_file, _is_own, _is_installed):
        for index in range(len(frames) - 1, -1, -1):
            if accepted(frames[index]):
                return index
    return len(frames) - 1


def _is_installed(frame: FrameType) -> bool:
    package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
    return package != "eyewall" and package not in sys.stdlib_module_names


def _has_file(frame: FrameType) -> bool:
    return not is_made(frame.f_code.co_filename) and _is_own(frame)


def _is_own(frame: FrameType) -> bool:
    return _is_installed(frame) and not is_library(frame.f_code.co_filename)


def is_made(file: str) -> bool:
    """Whether code of this file was made of text, which nobody can look at: by `exec`, by a dataclass."""
    return file.startswith("<")


def is_library(file: str) -> bool:
    """Whether a file of source, as code names it, is that of an installed library."""
    if not file.startswith(("/", "<")) and (file.endswith(_COMPILED) or not os.path.exists(file)):
        # Known by its path where it was compiled; where it was installed the package knows.
        package = sys.modules.get(file.partition("/")[0])
        file = str(getattr(package, "__file__", None))
    return any(each in file for each in INSTALLED)


def _called(frame: FrameType) -> str:
    """Returns what was called, and on what, where that is one of ours or of asyncio and so knows what it may say."""
    name = frame.f_code.co_qualname
    owner = frame.f_locals.get("self")
    # A queue tells all of its content.
    if (
        type(owner).__module__.partition(".")[0] not in ("asyncio", "eyewall")
        or "Queue" in type(owner).__name__
    ):
        return name
    try:
        text = repr(owner)
    except Exception:  # noqa: BLE001 - whatever somebody's `__repr__` raises that is part of it
        return name
    return f"{name} of {text if len(text) <= LENGTH else f'{text[:LENGTH]}…'}"


def _awaited(future: object) -> str:
    """Returns what kind of future is awaited; of a plain one there is nothing to say."""
    if isinstance(future, asyncio.Task):
        return f"the task {future.get_name()}"
    return "" if future is None or type(future).__name__ == "Future" else type(future).__name__
