"""What a suspended coroutine holds: no lock says who has it, but whoever is in `async with lock` has the exit of that
statement on its stack, bound to the lock.

Exits stand on the stack in the order of their statements, and a statement that is still being entered is the last, so
that each can be told the line where it began. An exit may also be that of something that holds for it: a stack of
exits, a lease from a pool, a generator made a context manager, in whose frame the exit stands then, an object of the
application whose code says what its exit releases. Whoever waits at a condition has given its lock back.

A lock that was taken with `await lock.acquire()` leaves nothing behind, and its holder is not known.
"""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, AsyncExitStack, ExitStack
from types import (
    AsyncGeneratorType,
    BuiltinFunctionType,
    FrameType,
    FunctionType,
    GeneratorType,
    MethodType,
    MethodWrapperType,
)
from typing import NamedTuple

from eyewall.doctor.places import Place, place_of
from eyewall.doctor.waits.links import Link, frame_of
from eyewall.doctor.waits.releasing import released_by
from eyewall.doctor.waits.resources import Resource, fields_of, resource_of
from eyewall.doctor.waits.withblocks import with_lines

_EXITS = ("__exit__", "__aexit__")
#: Generators within generators that are looked into.
DEPTH = 10


class Hold(NamedTuple):
    """Something that is held, and where it was taken."""

    resource: Resource
    place: Place


def holdings(links: Iterable[Link], generators: list[Link] | None = None) -> list[Hold]:
    """Returns what the links of one chain hold together, in the order in which it was taken. `generators`: those that
    the links go through, or have entered, are added to it."""
    found: list[Hold] = []
    given_back: set[int] = set()
    generators = [] if generators is None else generators
    for link in links:
        found.extend(_held_by(link, DEPTH, generators))
        if link.name == "Condition.wait":
            given_back.update(
                resource.key
                for each in gc.get_referents(link.subject)
                if (resource := resource_of(each)) is not None
            )
    return [each for each in found if each.resource.key not in given_back]


def _held_by(link: Link, depth: int, generators: list[Link]) -> Iterator[Hold]:
    if link.frame is None or depth == 0:
        return
    if depth < DEPTH:
        generators.append(link)
    referents = gc.get_referents(link.subject)
    yield from _open(link.frame, exits_of(referents), depth, generators)
    for each in referents:
        # One that is gone through, or was begun and will be gone on with.
        if isinstance(each, AsyncGeneratorType) and each.ag_await is None and each is not link.subject:
            yield from _held_by(Link(each, each.ag_frame), depth - 1, generators)


def exits_of(referents: Iterable[object]) -> list[object]:
    """Returns what the exits on a stack belong to, the outermost first."""
    owners: list[object] = []
    function = False
    for each in referents:
        if function:
            # Python 3.14 keeps the function and its first argument, not a method.
            owners.append(each)
            function = False
        elif _is_exit(each):
            if isinstance(each, FunctionType):
                function = True
            else:
                owners.append(getattr(each, "__self__", None))
    return owners


def _is_exit(thing: object) -> bool:
    # Nothing is asked of objects of the program's own, which may do anything to answer.
    callable_ = isinstance(thing, (FunctionType, MethodType, BuiltinFunctionType, MethodWrapperType))
    compiled = type(thing).__name__ == "cython_function_or_method"
    return (callable_ or compiled) and getattr(thing, "__name__", None) in _EXITS


def _open(frame: FrameType, owners: list[object], depth: int, generators: list[Link]) -> Iterator[Hold]:
    if not owners:
        return
    lines = with_lines(frame)
    if lines is None or not len(lines) <= len(owners) <= len(lines) + 1:
        return
    for owner, line in zip(owners, lines, strict=False):
        yield from _behind(owner, place_of(frame)._replace(line=line), depth, generators)


def _behind(owner: object, place: Place, depth: int, generators: list[Link]) -> Iterator[Hold]:
    """What the exit of `owner` gives back."""
    resource = resource_of(owner)
    if resource is not None:
        yield Hold(resource, place)
    elif isinstance(owner, (AsyncExitStack, ExitStack)):
        for inner in _stacked(owner):
            yield from _behind(inner, place, depth, generators)
    elif isinstance(owner, (AbstractContextManager, AbstractAsyncContextManager)) and _is_generated(owner):
        yield from _within(owner.gen, depth, generators)  # type: ignore[union-attr]
    elif type(owner).__name__ in ("Lease", "_Releaser", "_ReleasingContextManager"):
        for each in fields_of(owner):
            resource = resource_of(each)
            if resource is not None:
                yield Hold(resource, place)
    elif depth > 0:
        for inner in released_by(owner):
            yield from _behind(inner, place, depth - 1, generators)


def _is_generated(owner: object) -> bool:
    """Whether it was made of a generator, with `contextmanager` or `asynccontextmanager`."""
    return type(owner).__module__ == "contextlib" and isinstance(
        getattr(owner, "gen", None), (GeneratorType, AsyncGeneratorType)
    )


def _within(
    generator: GeneratorType | AsyncGeneratorType,  # type: ignore[type-arg]
    depth: int,
    generators: list[Link],
) -> Iterator[Hold]:
    yield from _held_by(Link(generator, frame_of(generator)), depth - 1, generators)


def _stacked(stack: object) -> list[object]:
    """Returns what the exits belong to that a stack of exits has, and what its callbacks release."""
    for each in fields_of(stack):
        if isinstance(each, deque):
            return [
                owner
                for entry in each
                for part in gc.get_referents(entry)
                if (owner := _owner_of(part)) is not None
            ]
    return []


def _owner_of(entry: object) -> object:
    if _is_exit(entry):
        return getattr(entry, "__self__", None)
    # What a callback is put into knows it.
    callback = vars(entry).get("__wrapped__") if isinstance(entry, FunctionType) else None
    if isinstance(callback, MethodType) and callback.__func__.__name__ == "release":
        return callback.__self__
    return None
