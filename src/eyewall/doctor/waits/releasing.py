"""What the exit of a context manager gives back that is a class of the application's own, as its code says:

    async def __aexit__(self, *error):
        self._lock.release()                  # what `self._lock` is

Also in a method of the same object that the exit calls, and where the exit is handed on (`await self._lock.__aexit__`).
"""

from __future__ import annotations

import dis
from collections.abc import Iterator
from functools import lru_cache
from types import CodeType, FunctionType
from typing import NamedTuple

from eyewall.doctor.flow import is_readable
from eyewall.doctor.places import is_own_file
from eyewall.doctor.waits.written import Written, value_in, written

_EXITS = ("__aexit__", "__exit__")
_GIVING = frozenset(("release", *_EXITS))
#: Methods of the object, one called by the other, that are looked into.
DEPTH = 3


class _Says(NamedTuple):
    """What some code gives back, of its first argument, and which methods of that it calls."""

    gives: tuple[Written, ...]
    calls: tuple[str, ...]


def released_by(owner: object) -> list[object]:
    """Returns what the exit of `owner` gives back, an object of a class of the application; nothing for others."""
    found: dict[int, object] = {}
    for name in _EXITS:
        for each in _given(owner, name, DEPTH):
            found[id(each)] = each
    return list(found.values())


def _given(owner: object, name: str, depth: int) -> Iterator[object]:
    function = next((vars(base)[name] for base in type(owner).__mro__ if name in vars(base)), None)
    if not isinstance(function, FunctionType) or depth == 0:
        return
    if not is_own_file(function.__code__.co_filename):
        return
    says = _says(function.__code__)
    for each in says.gives:
        value = value_in(each, owner)
        if value is not None:
            yield value
    for method in says.calls:
        yield from _given(owner, method, depth - 1)


@lru_cache(maxsize=256)
def _says(code: CodeType) -> _Says:
    if not is_readable(code) or code.co_argcount == 0:
        return _Says((), ())
    own = code.co_varnames[0]
    instructions = list(dis.get_instructions(code))
    gives: list[Written] = []
    calls: list[str] = []
    for number, each in enumerate(instructions):
        if each.opname not in ("LOAD_METHOD", "LOAD_ATTR"):
            continue
        found, _ = written(instructions, number)
        if found is None or found[:2] != ("local", own):
            continue
        if each.argval in _GIVING and found.steps:
            gives.append(found)
        elif not found.steps:
            calls.append(str(each.argval))
    return _Says(tuple(gives), tuple(calls))
