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
of an attribute, or in a string.

The same goes for an attribute of an object of the application, whoever has the object: it is used by those who mention
the attribute, and of libraries those who call on it what ends such a wait. A wait for the same attribute of `self`
does not end where `self` is the object; where it is another one, what comes behind it uses that one's, unless it says
so of something that is not `self`.

Code that finds variables or attributes by names that it computes is not thought of, but where it is in the same module.
"""

from __future__ import annotations

import dis
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from types import CodeType, FrameType, FunctionType
from typing import Any, NamedTuple

from eyewall.doctor.codes import with_inner
from eyewall.doctor.flow import is_readable
from eyewall.doctor.objects import objects_of
from eyewall.doctor.places import is_own_file
from eyewall.doctor.waits.variables import later, values_of


class Name(NamedTuple):
    """A variable of a module or, where `module` is None, an attribute of an object. Methods of what it has: `ends` end
    a wait for it, `waits` wait for the same, and `asks` end nothing besides. `near`: variables of modules in which
    everything that mentions an attribute counts."""

    module: dict[str, Any] | None
    name: str
    ends: frozenset[str]
    waits: frozenset[str]
    asks: frozenset[str]
    near: tuple[int, ...] = ()


_QUEUE = frozenset(("qsize", "empty", "full", "maxsize", "join"))
#: Of each kind of wait: methods that end it, that wait for the same, and that end nothing besides.
HARMLESS: Sequence[tuple[frozenset[str], frozenset[str], frozenset[str]]] = (
    (frozenset(("put", "put_nowait")), frozenset(("get",)), _QUEUE | {"get_nowait", "task_done"}),
    (frozenset(("get", "get_nowait")), frozenset(("put",)), _QUEUE | {"put_nowait"}),
    (frozenset(("set",)), frozenset(("wait",)), frozenset(("is_set", "clear"))),
    (
        frozenset(("notify", "notify_all")),
        frozenset(("wait",)),
        frozenset(("acquire", "release", "locked", "wait_for")),
    ),
    # To await it is known by the instruction.
    (frozenset(("set_result", "set_exception")), frozenset(), frozenset(("done", "cancelled"))),
)
#: Of the files of all functions.
_is_ours = lru_cache(maxsize=4096)(is_own_file)
#: Functions by which attributes and variables are found whose names are not written.
_FINDERS = frozenset(("vars", "globals", "__dict__", "asdict", "getmembers"))


def may_be_used(
    names: Sequence[Name],
    frames: Sequence[FrameType],
    running: Sequence[FrameType] = (),
    stuck: Collection[FrameType] = (),
    keepers: Collection[int] = (),
) -> bool:
    """Whether code that runs, or may run, can use one of `names`. `frames`: those that are suspended in tasks, of which
    those that are `stuck` do not go on; `running`: those of threads. `keepers`: identities of the objects that have the
    attributes."""
    wanted = frozenset(each.name for each in names)
    near = {id(each.module) for each in names}.union(*(each.near for each in names))
    all_frames = [*frames, *running]
    begun = frozenset(frame.f_code.co_name for frame in all_frames if id(frame.f_globals) in near)
    words = wanted | begun
    # Of many thousands: the quick question first. Of a library, functions that somebody makes are asked for themselves.
    every = [
        each
        for each in objects_of({FunctionType: None})
        if not words.isdisjoint((code := each.__code__).co_names)
        or id(each.__globals__) in near
        or (_is_ours(code.co_filename) and _says(code, words))
    ]
    functions = [each for each in every if _is_near(each, names)]
    suspended = [frame for frame in frames if frame not in stuck]
    if any(_uses(frame.f_code, frame.f_lasti, names, frame.f_globals) for frame in running):
        return True
    for frame in suspended:
        if _uses(frame.f_code, frame.f_lasti, names, frame.f_globals, selfs=_has_one(frame, keepers)):
            return True
    going_on = [*suspended, *running]
    for each in functions:
        if _may_begin(each, every, all_frames, going_on) and any(
            _uses(code, 0, names, each.__globals__) for code in with_inner(each.__code__)
        ):
            return True
    return False


def _has_one(frame: FrameType, keepers: Collection[int]) -> bool:
    """Whether the first argument of `frame` is, or may be, one of `keepers`."""
    names = frame.f_code.co_varnames[: min(1, frame.f_code.co_argcount)]
    values = values_of(frame)
    return any(name not in values or id(values[name]) in keepers for name in names)


def _is_near(function: FunctionType, names: Sequence[Name]) -> bool:
    """Whether it is in one of the modules, or mentions a name in a way that may count."""
    variables = function.__globals__
    if any(variables is each.module or id(variables) in each.near for each in names):
        return True
    code = function.__code__
    own: bool | None = None
    for each in names:
        if _mentions(code, each.name):
            own = is_own_file(code.co_filename) if own is None else own
            if own or (each.module is None and any(_mentions(code, end) for end in each.ends)):
                return True
    return False


def _says(code: CodeType, words: frozenset[str]) -> bool:
    """Whether `code`, or that of a function within, mentions one of `words`."""
    if not words.isdisjoint(code.co_names):
        return True
    for each in code.co_consts:
        kind = type(each)
        if kind is str:
            if each in words:
                return True
        elif kind is CodeType:
            if _says(each, words):
                return True
        elif (kind is tuple or kind is frozenset) and any(_is_said(each, word) for word in words):
            return True
    return False


def _mentions(code: CodeType, name: str) -> bool:
    return any(_is_in(each, name) for each in with_inner(code))


def _is_in(code: CodeType, name: str) -> bool:
    return name in code.co_names or any(_is_said(each, name) for each in code.co_consts)


def _is_said(constant: object, name: str) -> bool:
    """Whether a constant is a name, or has it in it."""
    if isinstance(constant, (tuple, frozenset)):
        return any(_is_said(each, name) for each in constant)
    return isinstance(constant, str) and constant == name


def _may_begin(
    function: FunctionType,
    functions: Sequence[FunctionType],
    frames: Sequence[FrameType],
    going_on: Sequence[FrameType],
) -> bool:
    name = function.__name__
    if function.__globals__.get(name) is not function:
        return True
    if any(
        _mentions(each.__code__, name) and is_own_file(each.__code__.co_filename)
        for each in functions
        if each is not function
    ):
        return True
    if any(name in frame.f_code.co_names and _comes_to(frame, name) for frame in going_on):
        return True
    # Besides ours, that of the module and one of each frame. What was never begun, or is over, somebody may find by its
    # name.
    begun = sum(frame.f_code is function.__code__ for frame in frames)
    return begun == 0 or sys.getrefcount(function) - _OWN > 1 + begun


def _comes_to(frame: FrameType, name: str) -> bool:
    if not is_readable(frame.f_code):
        return True
    offsets = later(frame.f_code, frame.f_lasti)
    return any(each.argval == name and each.offset in offsets for each in dis.get_instructions(frame.f_code))


def _uses(
    code: CodeType, offset: int, names: Sequence[Name], variables: Mapping[str, Any], *, selfs: bool = True
) -> bool:
    """Whether there is a way in `code`, from the instruction at `offset` on, to a use of one of `names`. `selfs`:
    whether `self` may be one of the objects with the attributes."""
    mentioned = [each for each in names if _is_in(code, each.name)]
    here = any(variables is each.module or id(variables) in each.near for each in names)
    if here and not _FINDERS.isdisjoint(code.co_names) and is_own_file(code.co_filename):
        return True
    if not mentioned:
        return False
    if not is_readable(code):
        return True
    own = is_own_file(code.co_filename) or any(id(variables) in each.near for each in mentioned)
    kinds = tuple(
        (each.name, each.module is None, each.module is variables, each.ends, each.waits, each.asks)
        for each in mentioned
    )
    found = _places(code, kinds, own)
    if not found.anyhow.isdisjoint(later(code, offset)):
        return True
    uses = found.uses | found.selfs if selfs else found.uses
    return not uses.isdisjoint(later(code, offset, found.walls))


class _Places(NamedTuple):
    """Offsets of instructions: of uses, of those of attributes of `self`, of awaits that do not end, and of uses for
    which it is all the same whether they come behind such an await."""

    uses: frozenset[int]
    selfs: frozenset[int]
    walls: frozenset[int]
    anyhow: frozenset[int]


_Kind = tuple[str, bool, bool, frozenset[str], frozenset[str], frozenset[str]]


@lru_cache(maxsize=512)
def _places(code: CodeType, kinds: tuple[_Kind, ...], own: bool) -> _Places:
    uses: set[int] = set()
    selfs: set[int] = set()
    walls: set[int] = set()
    anyhow: set[int] = set()
    instructions = [each for each in dis.get_instructions(code) if each.opname not in _PADDING]
    for number, each in enumerate(instructions):
        for kind in kinds:
            if each.argval != kind[0] and not _is_said(each.argval, kind[0]):
                continue
            _, is_attribute, is_here, ends, waits, asks = kind
            following = instructions[number + 1] if number + 1 < len(instructions) else each
            method = following.argval if following.opname in _METHODS else None
            if each.opname == "LOAD_CONST" or each.opname == "IMPORT_FROM":
                if own:
                    anyhow.add(each.offset)
            elif is_attribute and each.opname in _METHODS:
                if not own:
                    if method in ends:
                        anyhow.add(each.offset)
                elif not _is_harmless(following, method, waits | asks):
                    (selfs if _is_of_self(code, instructions, number) else anyhow).add(each.offset)
                elif _is_of_self(code, instructions, number):
                    walls.update(_awaited(instructions, number + 1, waits))
            elif not is_attribute and each.opname in _METHODS:
                # Of the module, it may be.
                anyhow.add(each.offset)
            elif is_here and each.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
                # What is assigned to: the old one is as good as gone.
                if not _is_harmless(following, method, waits | asks):
                    uses.add(each.offset)
                else:
                    walls.update(_awaited(instructions, number + 1, waits))
    return _Places(frozenset(uses), frozenset(selfs), frozenset(walls), frozenset(anyhow))


def _is_harmless(following: dis.Instruction, method: object, harmless: frozenset[str]) -> bool:
    return method in harmless or following.opname in ("BEFORE_ASYNC_WITH", "GET_AITER", "GET_AWAITABLE")


def _is_of_self(code: CodeType, instructions: Sequence[dis.Instruction], number: int) -> bool:
    """Whether the attribute that the instruction with this number loads is one of the first argument."""
    before = instructions[number - 1] if number else None
    return (
        before is not None
        and code.co_argcount > 0
        and before.opname == "LOAD_FAST"
        and before.argval == code.co_varnames[0]
    )


def _awaited(instructions: Sequence[dis.Instruction], number: int, waits: frozenset[str]) -> Iterator[int]:
    """The offset of the await for what the method returns that the instruction with this number loads, one of `waits`,
    where it is called and awaited at once: no timeout may be around it. Of a future that of its own await."""
    method = instructions[min(number, len(instructions) - 1)]
    if method.opname == "GET_AWAITABLE":
        yield method.offset
        return
    if method.argval not in waits:
        return
    if method.opname != "LOAD_METHOD" and not (
        method.opname == "LOAD_ATTR" and sys.version_info >= (3, 12) and (method.arg or 0) & 1
    ):
        return
    left = iter(instructions[number + 1 :])
    call = next((each for each in left if each.opname not in _ARGUMENTS), None)
    after = next(left, None)
    if call is not None and call.opname == "CALL" and after is not None and after.opname == "GET_AWAITABLE":
        yield after.offset


_METHODS = ("LOAD_ATTR", "LOAD_METHOD")
_PADDING = ("CACHE", "EXTENDED_ARG", "PUSH_NULL", "PRECALL")
#: What arguments are made of where nothing is called in them.
_ARGUMENTS = ("LOAD_CONST", "LOAD_FAST", "LOAD_FAST_CHECK", "LOAD_GLOBAL", "KW_NAMES", "BUILD_TUPLE")


def _count(several: Sequence[object]) -> int:
    return next(_inner(each) for each in several)


def _inner(function: object) -> int:
    return sys.getrefcount(function)


def _own() -> int:
    """References of `may_be_used` and what it calls: of two lists, of variables and of a parameter."""
    every = [object()]
    return _count([*every])


_OWN = _own()
