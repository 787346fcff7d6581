"""All objects of some types, found without harm to other threads.

A tuple that is being made of a generator is among the objects that the collector knows. As long as anybody else has it,
it can't be made any more, and a thread of the application would get a SystemError. So the list of all objects is gone
through without a moment in which another thread may run: within one call of functions that are written in C.
"""

from __future__ import annotations

import gc
import operator
from collections.abc import Collection
from itertools import chain, compress
from typing import Any


def objects_of(types: Collection[type]) -> list[Any]:
    """Returns the objects whose type is one of `types`, which should be a dict or a set; not those of types derived."""
    # By their addresses: a metaclass may have a `__hash__` in Python, and others could run within it.
    wanted = frozenset(map(id, types))
    every: list[Any] = []
    filled = map(every.extend, map(operator.call, [gc.get_objects]))
    # Among all are these iterators, too: as a circle, they would keep all until the next collection.
    emptied = map(operator.call, [every.clear])
    # All iterators are made before: to make one may begin a collection of garbage, which calls functions of Python.
    objects = chain(filter(None, filled), iter(every), filter(None, emptied))
    return list(compress(objects, map(wanted.__contains__, map(id, map(type, every)))))
