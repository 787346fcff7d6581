"""What a suspended coroutine holds: no lock says who has it, but whoever is in `async with lock` has the exit of that
statement on its stack, bound to the lock.

Exits stand on the stack in the order of their statements, and a statement that is still being entered is the last, so
that each can be told the line where it began. An exit may also be that of something that holds for it: a stack of
exits, a lease from a pool, a generator made a context manager, in whose frame the exit stands then. Whoever waits at a
condition has given its lock back.

A lock that was taken with `await lock.acquire()` leaves nothing behind, and its holder is not known.
"""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import AsyncExitStack, ExitStack
from types import AsyncGeneratorType, FrameType, FunctionType, GeneratorType
from typing import NamedTuple

from eyewall.doctor.places import Place, place_of
from eyewall.doctor.waits.links import Link
from eyewall.doctor.waits.resources import Resource, fields_of, resource_of
from eyewall.doctor.waits.withblocks import with_lines

_EXITS = ("__exit__", "__aexit__")
#: Generators within generators that are looked into.
DEPTH = 10


class Hold(NamedTuple):
    """Something that is held, and where it was taken."""

    resource: Resource
    place: Place


def holdings(links: Iterable[Link]) -> list[Hold]:
    """Returns what the links of one chain hold together, in the order in which it was taken."""
    found: list[Hold] = []
    given_back: set[int] = set()
    for link in links:
        found.extend(_held_by(link, DEPTH))
        if link.name == "Condition.wait":
            given_back.update(
                resource.key
                for each in gc.get_referents(link.subject)
                if (resource := resource_of(each)) is not None
            )
    return [each for each in found if each.resource.key not in given_back]


def _held_by(link: Link, depth: int) -> Iterator[Hold]:
    if link.frame is None or depth == 0:
        return
    referents = gc.get_referents(link.subject)
    yield from _open(link.frame, exits_of(referents), depth)
    for each in referents:
        # One that is gone through, or was begun and will be gone on with.
        if isinstance(each, AsyncGeneratorType) and each.ag_await is None and each is not link.subject:
            yield from _held_by(Link(each, each.ag_frame), depth - 1)


def exits_of(referents: Iterable[object]) -> list[object]:
    """Returns what the exits on a stack belong to, the outermost first."""
    owners: list[object] = []
    function = False
    for each in referents:
        if function:
            # Python 3.14 keeps the function and its first argument, not a method.
            owners.append(each)
            function = False
        elif getattr(each, "__name__", None) in _EXITS:
            if isinstance(each, FunctionType):
                function = True
            else:
                owners.append(getattr(each, "__self__", None))
    return owners


def _open(frame: FrameType, owners: list[object], depth: int) -> Iterator[Hold]:
    if not owners:
        return
    lines = with_lines(frame)
    if lines is None or not len(lines) <= len(owners) <= len(lines) + 1:
        return
    for owner, line in zip(owners, lines, strict=False):
        yield from _behind(owner, place_of(frame)._replace(line=line), depth)


def _behind(owner: object, place: Place, depth: int) -> Iterator[Hold]:
    """What the exit of `owner` gives back."""
    resource = resource_of(owner)
    if resource is not None:
        yield Hold(resource, place)
    elif isinstance(owner, (AsyncExitStack, ExitStack)):
        for inner in _stacked(owner):
            yield from _behind(inner, place, depth)
    elif isinstance(generator := getattr(owner, "gen", None), (GeneratorType, AsyncGeneratorType)):
        yield from _within(generator, depth)
    elif type(owner).__name__ in ("Lease", "_Releaser", "_ReleasingContextManager"):
        for each in fields_of(owner):
            resource = resource_of(each)
            if resource is not None:
                yield Hold(resource, place)


def _within(generator: GeneratorType | AsyncGeneratorType, depth: int) -> Iterator[Hold]:  # type: ignore[type-arg]
    frame = generator.gi_frame if isinstance(generator, GeneratorType) else generator.ag_frame
    yield from _held_by(Link(generator, frame), depth - 1)


def _stacked(stack: object) -> list[object]:
    """Returns what the exits belong to that a stack of exits has."""
    for each in fields_of(stack):
        if isinstance(each, deque):
            entries = [part for entry in each for part in gc.get_referents(entry)]
            return [
                owner
                for entry in entries
                if getattr(entry, "__name__", None) in _EXITS
                and (owner := getattr(entry, "__self__", None)) is not None
            ]
    return []
