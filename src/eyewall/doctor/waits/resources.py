"""What tasks take and give back: locks and semaphores of asyncio, Tornado, Eyewall and AnyIO, places in a bulkhead,
resources of a pool.

They are known by where their class comes from and what it is called, so that nothing has to be imported to know them.
A condition stands for its lock.
"""

from __future__ import annotations

import asyncio
import gc
from collections import deque
from collections.abc import Iterable
from contextvars import Context
from types import (
    AsyncGeneratorType,
    BuiltinFunctionType,
    CodeType,
    CoroutineType,
    FrameType,
    FunctionType,
    GeneratorType,
    ModuleType,
)
from typing import Any, NamedTuple

from eyewall.guard.deadlines.awaiting import WRAPPERS

#: By the name of the class, what to call it.
_WORDS = {
    "Lock": "lock",
    "Semaphore": "semaphore",
    "BoundedSemaphore": "semaphore",
    "Bulkhead": "bulkhead",
    "ResourcePool": "pool",
}
_MODULES = ("asyncio", "tornado", "eyewall", "anyio")
#: Objects that are looked at to find what a future belongs to, and how many steps away from the frame.
BUDGET = 400
DISTANCE = 4


#: Those that refer to a future because they wait for it.
_PASSING = frozenset((*WRAPPERS, "Runner"))
_AWAITING = (CoroutineType, GeneratorType, AsyncGeneratorType, asyncio.Task)
#: What leads to the whole program, and to no future.
_ELSEWHERE = (
    type,
    ModuleType,
    FunctionType,
    BuiltinFunctionType,
    CodeType,
    FrameType,
    str,
    bytes,
    int,
    float,
    asyncio.AbstractEventLoop,
    Context,
)


class Resource(NamedTuple):
    """Something that is taken and given back. `subject`: the object itself; `word`: what to call it."""

    subject: Any
    word: str

    @property
    def key(self) -> int:
        """What tells it from others, for as long as somebody holds it."""
        return id(self.subject)

    @property
    def capacity(self) -> int | None:
        """How many may hold it at once; None where only its author knows."""
        if self.word == "lock":
            return 1
        if kind_of(self.subject) == "BoundedSemaphore":
            # It has two numbers: how many are left, and how many there are.
            return max((each for each in fields_of(self.subject) if type(each) is int), default=None)
        if self.word == "semaphore":
            most = getattr(self.subject, "max_value", None)
            return most if isinstance(most, int) else None
        engine = getattr(self.subject, "_engine", None)
        total = getattr(engine, "total", None)
        return total if isinstance(total, int) and total > 0 else None

    def __str__(self) -> str:
        name = getattr(self.subject, "name", None)
        called = repr(name) if isinstance(name, str) else f"at {id(self.subject):#x}"
        return f"{self.word} {called}"


def resource_of(thing: object) -> Resource | None:
    """Returns the resource that `thing` is, or stands for; None where it is none."""
    kind = kind_of(thing)
    if kind == "Condition":
        return _within(thing, "Lock") if _is_known(thing) else None
    word = _WORDS.get(kind)
    if word is None or not _is_known(thing):
        return None
    if word == "lock":
        # Tornado's, and ours, is a semaphore with a wrapping, and those who wait know no more than that one.
        inner = _within(thing, "BoundedSemaphore")
        if inner is not None:
            return Resource(inner.subject, word)
    return Resource(thing, word)


def owner_of(future: object, roots: Iterable[object]) -> tuple[object, ...]:
    """Returns what `future` hangs on, seen from `roots`: the objects on the way to it, the innermost first.

    Nothing where it is farther away than `DISTANCE`, or not among the first `BUDGET` objects.
    """
    parents: dict[int, tuple[object, object]] = {}
    line: deque[tuple[object, int]] = deque((each, 0) for each in roots)
    seen = {id(each) for each, _ in line}
    while line and len(seen) < BUDGET:
        each, distance = line.popleft()
        for inner in gc.get_referents(each):
            if inner is future:
                if not isinstance(each, _AWAITING) and type(each).__name__ not in _PASSING:
                    return _way(each, parents)
                continue
            if distance < DISTANCE and id(inner) not in seen and not isinstance(inner, _ELSEWHERE):
                seen.add(id(inner))
                parents[id(inner)] = inner, each
                line.append((inner, distance + 1))
    return ()


def _way(each: object, parents: dict[int, tuple[object, object]]) -> tuple[object, ...]:
    way = [each]
    while id(each) in parents:
        each = parents[id(each)][1]
        way.append(each)
    return tuple(way)


def kind_of(thing: object) -> str:
    """Returns the name of the class of a resource; one derived from it is one, too."""
    for base in type(thing).__mro__:
        if base.__module__.partition(".")[0] in _MODULES and (
            base.__name__ in _WORDS or base.__name__ == "Condition"
        ):
            return base.__name__
    return type(thing).__name__


def _is_known(thing: object) -> bool:
    return any(base.__module__.partition(".")[0] in _MODULES for base in type(thing).__mro__)


def _within(thing: object, kind: str) -> Resource | None:
    for each in fields_of(thing):
        if kind_of(each) == kind:
            return resource_of(each)
    return None


def fields_of(thing: object) -> list[object]:
    """Returns what an object has in its attributes, and refers to otherwise."""
    found: list[object] = []
    for each in gc.get_referents(thing):
        found.extend(gc.get_referents(each) if type(each) is dict else (each,))
    return found
