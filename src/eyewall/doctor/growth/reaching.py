"""From a thing of a library down to what the application has to do with it: a handler, a task, a function of its own.

References are followed as the collector knows them, a few hundred of them, and not into modules, classes or loops: from
there everything can be reached.
"""

from __future__ import annotations

import asyncio
import gc
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from types import (
    BuiltinFunctionType,
    CodeType,
    CoroutineType,
    FrameType,
    FunctionType,
    MethodType,
    ModuleType,
)
from typing import Any

from eyewall.doctor.growth import writing
from eyewall.doctor.places import is_own_file
from eyewall.doctor.waits.links import chain_of

#: Objects that are looked at.
BUDGET = 400
#: Partials and wrappers around a callback that are looked into.
WRAPPED = 10
#: Tasks whose variables are looked through for files.
TASKS = 500
#: Items of a container that are, and values of a dict: an object's attributes, mostly.
ITEMS = 20
VALUES = 60
#: Modules of what a file may be.
_FILES = ("_io", "tempfile", "gzip", "bz2", "lzma", "codecs")
_CONTAINERS = (list, tuple, dict, set, frozenset, deque)
_NOT_INTO = (ModuleType, type, asyncio.AbstractEventLoop, FrameType, CodeType, str, bytes, int, float)


def below(thing: object, budget: int = BUDGET) -> Iterator[object]:
    """Yields what can be reached from `thing`, what is near first."""
    seen = {id(thing)}
    level: list[object] = [thing]
    while level:
        following: list[object] = []
        for each in level:
            yield each
            for found in _references(each):
                if id(found) in seen or isinstance(found, _NOT_INTO) or _is_loop(found):
                    continue
                if len(seen) >= budget:
                    return
                seen.add(id(found))
                following.append(found)
        level = following


def _is_loop(thing: object) -> bool:
    return any(base.__name__ == "IOLoop" for base in type(thing).__mro__)


def _references(thing: object) -> list[Any]:
    if isinstance(thing, FunctionType):
        # Its globals are the module.
        return [*(thing.__closure__ or ()), *(thing.__defaults__ or ())]
    if isinstance(thing, BuiltinFunctionType):
        return [thing.__self__]
    found = gc.get_referents(thing)
    if isinstance(thing, dict):
        return found[:VALUES]
    return found[:ITEMS] if isinstance(thing, _CONTAINERS) else found


def waiting_task(thing: object) -> asyncio.Task[Any] | None:
    """Returns the task that is woken up by `thing`: a future, or what will complete one."""
    return next((each for each in below(thing) if isinstance(each, asyncio.Task) and not each.done()), None)


def worked_on(loop: asyncio.AbstractEventLoop | None) -> set[int]:
    """Returns the descriptors of files that tasks of `loop` have as variables."""
    found: set[int] = set()
    for task in [] if loop is None else list(asyncio.all_tasks(loop))[:TASKS]:
        for link in chain_of(task).links:
            for each in gc.get_referents(link.subject):
                if type(each).__module__ in _FILES:
                    # Of one that is closed, or in memory, there is none.
                    with suppress(Exception):
                        found.add(each.fileno())
    return found


def own_class(thing: object) -> type | None:
    """Returns the class of the nearest object below `thing` whose class is the application's."""
    for each in below(thing):
        file = writing.file_of(type(each)) if type(each).__module__ != "builtins" else None
        if file is not None and is_own_file(file):
            return type(each)
    return None


def own_code(thing: object) -> CodeType | None:
    """Returns the code of the nearest function or coroutine below `thing` that is the application's."""
    for each in below(thing):
        code = code_of(each)
        if code is not None and is_own_file(code.co_filename):
            return code
    return None


def code_of(function: object) -> CodeType | None:
    """Returns the code behind a callable or a coroutine, None for one without."""
    for _ in range(WRAPPED):
        if isinstance(function, partial):
            function = function.func
        elif isinstance(function, MethodType):
            function = function.__func__
        else:
            break
    if isinstance(function, FunctionType):
        return function.__code__
    return function.cr_code if isinstance(function, CoroutineType) else None
