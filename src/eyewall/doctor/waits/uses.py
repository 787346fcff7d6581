"""Whether anybody can still use what a module has, other than those who wait for it.

    requests, replies = asyncio.Queue(), asyncio.Queue()      # variables of a module

    async def asks():
        token = await replies.get()          # a wait that does not end: what is behind it is not come to
        await requests.put(token)

What a module has, any code may use that mentions it. So all functions there are in the program are looked at. One may
use the variable if there is a way from its beginning to a place where the variable is read, other than to wait or to
ask, that does not pass a wait which can't end. One that nothing mentions any more, nor refers to, is not begun again:
`main`, mostly. What is begun already may use it from where it stands on.

Only functions of the application count that have the module's variables for their globals, or mention the name as that
of an attribute, or in a string. A library that finds variables by names that it computes is not thought of.
"""

from __future__ import annotations

import dis
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from types import CodeType, FrameType, FunctionType
from typing import Any, NamedTuple

from eyewall.doctor.dropped.handling import is_readable
from eyewall.doctor.objects import objects_of
from eyewall.doctor.places import Place, is_own
from eyewall.doctor.waits.variables import flow_of, later


class Name(NamedTuple):
    """A variable of a module, and which methods of what it has do not end a wait for it: `waits`, and `asks` besides."""

    module: dict[str, Any]
    name: str
    waits: frozenset[str]
    asks: frozenset[str]


_QUEUE = frozenset(("qsize", "empty", "full", "maxsize", "join"))
#: By what ends a wait, see `wakers`: methods that wait for the same, and those that end nothing.
HARMLESS: Mapping[str, tuple[frozenset[str], frozenset[str]]] = {
    "put": (frozenset(("get",)), _QUEUE | {"get_nowait", "task_done"}),
    "get": (frozenset(("put",)), _QUEUE | {"put_nowait"}),
    "set": (frozenset(("wait",)), frozenset(("is_set", "clear"))),
    "notify": (frozenset(("wait",)), frozenset(("acquire", "release", "locked", "wait_for"))),
}


def may_be_used(names: Sequence[Name], frames: Sequence[FrameType], stuck: Collection[FrameType]) -> bool:
    """Whether code that runs, or may run, can use one of `names`. `frames`: all that run or are suspended in tasks, of
    which those that are `stuck` do not go on."""
    functions = [each for each in objects_of({FunctionType: None}) if _is_near(each, names)]
    going_on = [frame for frame in frames if frame not in stuck]
    if any(_uses(frame.f_code, frame.f_lasti, names, frame.f_globals) for frame in going_on):
        return True
    for each in functions:
        if _may_begin(each, functions, frames, going_on) and any(
            _uses(code, 0, names, each.__globals__) for code in codes_of(each.__code__)
        ):
            return True
    return False


def _is_near(function: FunctionType, names: Sequence[Name]) -> bool:
    """Whether it is in one of the modules, or another one of the application that mentions a name."""
    if any(function.__globals__ is each.module for each in names):
        return True
    code = function.__code__
    return any(_mentions(code, each.name) for each in names) and is_own(Place(code.co_filename, 1, ""))


def _mentions(code: CodeType, name: str) -> bool:
    return any(name in each.co_names or name in each.co_consts for each in codes_of(code))


def codes_of(code: CodeType) -> Iterator[CodeType]:
    """Returns the code of a function, and of those that it makes."""
    yield code
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield from codes_of(each)


def _may_begin(
    function: FunctionType,
    functions: Sequence[FunctionType],
    frames: Sequence[FrameType],
    going_on: Sequence[FrameType],
) -> bool:
    name = function.__name__
    if function.__globals__.get(name) is not function:
        return True
    if any(_mentions(each.__code__, name) for each in functions if each is not function):
        return True
    if any(name in frame.f_code.co_names and _comes_to(frame, name) for frame in going_on):
        return True
    # That of the module, and one of each frame. What was never begun, or is over, somebody may find by its name.
    begun = sum(frame.f_code is function.__code__ for frame in frames)
    return begun == 0 or sys.getrefcount(function) - _OWN > 1 + begun


def _comes_to(frame: FrameType, name: str) -> bool:
    if not is_readable(frame.f_code):
        return True
    offsets = later(frame.f_code, frame.f_lasti)
    return any(each.argval == name and each.offset in offsets for each in dis.get_instructions(frame.f_code))


def _uses(code: CodeType, offset: int, names: Sequence[Name], variables: Mapping[str, Any]) -> bool:
    """Whether there is a way in `code`, from the instruction at `offset` on, to a use of one of `names`."""
    mentioned = [each for each in names if each.name in code.co_names or each.name in code.co_consts]
    if not mentioned:
        return False
    if not is_readable(code):
        return True
    here = {each.name: each for each in mentioned if each.module is variables}
    if any(_as_attribute(code, each.name) for each in mentioned if each.name not in here):
        return True
    if not here:
        return False
    kinds = tuple((name, each.waits, each.asks) for name, each in sorted(here.items()))
    uses, walls = _places(code, kinds)
    return not uses.isdisjoint(later(code, offset, walls))


def _as_attribute(code: CodeType, name: str) -> bool:
    """Whether `name` is mentioned as an attribute, of the module it may be, or in a string: not as a variable of
    another module."""
    return any(
        each.argval == name and (each.opname == "LOAD_CONST" or each.opcode in _NAMES)
        for each in dis.get_instructions(code)
        if each.opname not in _OF_VARIABLES
    )


@lru_cache(maxsize=256)
def _places(
    code: CodeType, names: tuple[tuple[str, frozenset[str], frozenset[str]], ...]
) -> tuple[frozenset[int], frozenset[int]]:
    """Returns the offsets where one of `names` is used, and those of awaits that do not end."""
    known = {name: (waits, asks) for name, waits, asks in names}
    uses: set[int] = set()
    walls: set[int] = set()
    instructions = [each for each in dis.get_instructions(code) if each.opname not in _PADDING]
    for number, each in enumerate(instructions):
        if each.opname == "LOAD_CONST":
            if isinstance(each.argval, str) and each.argval in known:
                uses.add(each.offset)
            continue
        if each.opcode not in _NAMES or each.argval not in known:
            continue
        waits, asks = known[each.argval]
        method = instructions[number + 1] if number + 1 < len(instructions) else each
        if each.opname not in ("LOAD_GLOBAL", "LOAD_NAME"):
            # Another thing of this name, or it is assigned to: the old one is as good as gone.
            if each.opname.startswith("LOAD"):
                uses.add(each.offset)
        elif method.opname not in ("LOAD_ATTR", "LOAD_METHOD") or method.argval not in waits | asks:
            if method.opname != "GET_AITER" and not _enters(instructions[number + 1 : number + 3]):
                uses.add(each.offset)
        elif method.argval in waits:
            end = next((later for later in instructions[number + 2 :] if later.opname not in _SIMPLE), None)
            if end is not None and end.opname == "GET_AWAITABLE":
                walls.add(end.offset)
    return frozenset(uses), frozenset(walls)


def _enters(instructions: Sequence[dis.Instruction]) -> bool:
    """Whether what was loaded is entered by an `async with`: since 3.14, its exit is looked up first, of a copy."""
    names = [each.opname for each in instructions]
    return names[:1] == ["BEFORE_ASYNC_WITH"] or (
        names == ["COPY", "LOAD_SPECIAL"] and instructions[1].argrepr == "__aexit__"
    )


_NAMES = frozenset(dis.hasname)
_OF_VARIABLES = tuple(f"{what}_{where}" for what in ("LOAD", "STORE", "DELETE") for where in ("GLOBAL", "NAME"))
_PADDING = ("CACHE", "EXTENDED_ARG", "PUSH_NULL")
#: What the arguments of a call are made of where nothing else is called in them; and the call.
_SIMPLE = frozenset(
    (
        "LOAD_CONST",
        "LOAD_SMALL_INT",
        "LOAD_FAST",
        "LOAD_FAST_BORROW",
        "LOAD_FAST_CHECK",
        "LOAD_GLOBAL",
        "PRECALL",
        "CALL",
        "CALL_KW",
        "KW_NAMES",
        "BUILD_TUPLE",
    )
)


def _count(several: Sequence[object]) -> int:
    for each in several:
        return _inner(each)
    return 0


def _inner(function: object) -> int:
    return sys.getrefcount(function)


_OWN = 0
_OWN = _count([object()])
