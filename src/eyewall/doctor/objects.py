"""All objects of some types, found without harm to other threads.

A tuple that is being made of a generator is among the objects that the collector knows. As long as anybody else has it,
it can't be made any more, and a thread of the application would get a SystemError. So the list of all objects is gone
through without a moment in which another thread may run: within one call of functions that are written in C, none of
which calls anything of Python. `id` is none of these: it tells audit hooks.
"""

from __future__ import annotations

import gc
import operator
from collections.abc import Callable, Collection, Iterator
from itertools import chain, compress, repeat
from typing import Any


def _picked(get_objects: Callable[[], list[Any]], types: tuple[type, ...], found: list[Any]) -> int:
    """Adds to `found` those of the objects that `get_objects` returns whose type is one of `types`. Returns 0."""
    every: list[Any] = []
    kinds = map(type, every)
    selected: Iterator[bool]
    if len(types) == 1:
        selected = map(operator.is_, kinds, repeat(types[0]))
    else:
        # By what they are: a metaclass may have a `__hash__` in Python.
        wanted = frozenset(map(object.__hash__, types))
        selected = map(wanted.__contains__, map(object.__hash__, kinds))
    # To call `__hash__` that way may begin a collection of garbage.
    collects = gc.isenabled()
    steps: list[Iterator[Any]] = [
        _call(gc.disable),
        map(every.extend, map(operator.call, [get_objects])),
        # Among all are these iterators, too: as a circle, they would keep all until the next collection.
        _call(every.clear),
        _call(gc.enable if collects else gc.disable),
    ]
    # All iterators are made before: to make one may begin a collection, too.
    before, filled, emptied, after = (filter(None, each) for each in steps)
    objects = chain(before, filled, iter(every), emptied, after)
    try:
        found.extend(compress(objects, selected))
    finally:
        if collects:
            gc.enable()
    return 0


def _call(function: Callable[[], object]) -> Iterator[Any]:
    return map(operator.call, [function])


#: Compiled, it is a function of C, see `objects.pxd`, which takes a quarter of the time.
pick = _picked


def objects_of(types: Collection[type]) -> list[Any]:
    """Returns the objects whose type is one of `types`, which should be a dict or a set; not those of types derived."""
    found: list[Any] = []
    pick(gc.get_objects, tuple(types), found)
    return found
