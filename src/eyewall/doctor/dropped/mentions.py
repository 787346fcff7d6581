"""Where the application mentions a coroutine function that others have called, and have not awaited: a loop whose timer
it was given to, a thread that ran it as a job.

Nobody has noted who handed it over. But few functions of an application name it; where only one line does, that is it.
A line that calls the function is none of these, since what it calls is its own. Of a function within another one, only
that other one can know.
"""

from __future__ import annotations

import dis
import linecache
import sys
from collections.abc import Iterable, Iterator
from functools import lru_cache
from types import CodeType, FrameType

from eyewall.doctor.codes import codes_of_application, with_inner
from eyewall.doctor.places import Place, is_own_file

#: Functions that are looked at.
FUNCTIONS = 20_000
_WITHIN = ".<locals>."
#: Instructions that have a name of their own: of a variable of any kind, or of an attribute.
_NAMING = frozenset((*dis.hasname, *dis.haslocal, *dis.hasfree))


def mentions_of(code: CodeType, frames: Iterable[FrameType]) -> tuple[Place, ...]:
    """Returns the lines of the application that name the function of `code` and do not call it: of all its functions,
    and of those at work in `frames`."""
    found = set(_known(code, len(sys.modules)))
    for frame in frames:
        if is_own_file(frame.f_code.co_filename):
            found.update(_in_code(frame.f_code, code))
    return tuple(sorted(found))


@lru_cache(maxsize=64)
def _known(code: CodeType, modules: int) -> tuple[Place, ...]:
    """The same, of all functions, as long as there are so many `modules`."""
    every = (each for top in codes_of_application(FUNCTIONS) for each in with_inner(top))
    return tuple({place for each in every for place in _in_code(each, code)})


def _in_code(code: CodeType, wanted: CodeType) -> Iterator[Place]:
    name, around = wanted.co_name, wanted.co_qualname.rpartition(_WITHIN)[0]
    if code is wanted or (around and not f"{code.co_qualname}{_WITHIN}".startswith(f"{around}{_WITHIN}")):
        return
    named = (
        code.co_names + code.co_varnames + code.co_cellvars + code.co_freevars if around else code.co_names
    )
    if name not in named:
        return
    for each in dis.get_instructions(code):
        if (
            each.opcode in _NAMING
            and each.argval == name
            and "LOAD" in each.opname
            and _is_handed_over(code, each)
        ):
            yield Place(code.co_filename, each.positions.lineno, code.co_qualname)  # type: ignore[union-attr,arg-type]


def _is_handed_over(code: CodeType, instruction: dis.Instruction) -> bool:
    """Whether the function is neither called there nor asked for something of it; False where there is no source."""
    where = instruction.positions
    if where is None or where.lineno is None or where.end_lineno is None or where.end_col_offset is None:
        return False
    line = linecache.getline(code.co_filename, where.end_lineno)
    return bool(line) and not line.encode()[where.end_col_offset :].lstrip().startswith((b"(", b"."))
