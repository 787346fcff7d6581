"""Who may have a lock of which nobody is known to have it: functions take it on behalf of those who call them.

    async def lock(self, key):                 # `lock` takes something, and does not give it back before it returns
        await self._locks[key].acquire()

    await registry.lock("orders")              # from where the await ends, something is taken: nobody knows what
    registry.unlock("orders")                  # and here something is given back

Such functions are known by their names. So a suspended frame may have as many locks as calls of them have ended on one
of the ways that it can have come, less those that it has given back; which ones is not known. If all who may have a
lock wait for each other, it is all the same who of them has it. And if there is nobody who may have it, whoever took it
has ended, and nobody will give it back.

It is not all the same where one gives a lock back who has not taken it: in a function within another one, or one that
is handed to a timer. Where the application has such a thing, nobody is suspected.
"""

from __future__ import annotations

import dis
import gc
import inspect
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from functools import lru_cache
from types import CodeType, FrameType
from typing import NamedTuple

from eyewall.doctor.codes import codes_of_application
from eyewall.doctor.flow import instructions_of, is_readable, states_of
from eyewall.doctor.places import Place, is_own_file, place_of
from eyewall.doctor.waits.acquired import ends_await, is_thrown
from eyewall.doctor.waits.holdings import exits_of
from eyewall.doctor.waits.links import Link
from eyewall.doctor.waits.reach import is_keeper
from eyewall.doctor.waits.releasing import released_by
from eyewall.doctor.waits.variables import later, values_of
from eyewall.doctor.waits.written import Constant, arguments, is_method, is_plain, value_of

#: Functions of the application that are looked at, at most.
FUNCTIONS = 20_000
#: Calls that a function may be away from the one that takes, or gives back.
ROUNDS = 3
#: Locks that one frame may have, at most: of more it is not known.
MOST = 5
_TAKE, _GIVE = frozenset(("acquire",)), frozenset(("release",))
_ASYNC = inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR | inspect.CO_GENERATOR
_LOADS = (
    "LOAD_METHOD",
    "LOAD_ATTR",
    "LOAD_GLOBAL",
    "LOAD_NAME",
    "LOAD_FAST",
    "LOAD_DEREF",
    "LOAD_SUPER_ATTR",
)
#: Libraries of which it is known what they take and give back.
_LIBRARIES = ("asyncio", "eyewall", "tornado")
#: What a stack of exits is given callbacks with: it is known what is in it.
_STACKS = frozenset(("callback", "push_async_callback"))
_PAIRED = frozenset(("release", "__aexit__", "__exit__"))
#: Names that mean something else, too.
_COMMON = frozenset(name for kind in (dict, list, set, deque) for name in dir(kind))


class Names(NamedTuple):
    """Names of functions: of those that take something and keep it, and of those that give it back. `paired`: whether
    only those give back who take, and exits of `with` statements."""

    taking: frozenset[str] = _TAKE
    giving: frozenset[str] = _GIVE
    paired: bool = True


def names_of_application() -> Names | None:
    """Returns the names of such functions in the application; None where nobody can be suspected."""
    codes = [each for each in codes_of_application(FUNCTIONS) if is_readable(each)]
    if any(map(_hands_on, codes)):
        return None
    names = Names()
    for _ in range(ROUNDS):
        taking = {each.co_name for each in codes if _takes(each, names)}
        giving = {
            each.co_name
            for each in codes
            if not names.giving.isdisjoint(each.co_names) and names.taking.isdisjoint(each.co_names)
        }
        giving -= taking | names.taking | _COMMON
        following = Names(names.taking | taking, names.giving | giving, giving <= _PAIRED)
        if following == names:
            break
        names = following
    return names


class Taken(NamedTuple):
    """Something that a frame may have: where it was taken, by which function, and what that was called with, so far as
    that is known (None for what is not)."""

    place: Place
    function: str
    arguments: tuple[object, ...] | None


def suspected(link: Link, names: Names) -> list[Taken]:
    """Returns what `link` may have taken and not given back: by a call, or as a context manager of the application of
    which nobody knows what it gives back."""
    frame = link.frame
    if frame is None or link.module.partition(".")[0] in _LIBRARIES:
        return []
    if not is_own_file(frame.f_code.co_filename):
        # An installed library may have been given a lock of the application.
        names = Names()
    found = [_taken_at(frame, offset) for offset in _offsets(frame, names)]
    for owner in exits_of(gc.get_referents(link.subject)):
        if is_keeper(owner) and not released_by(owner):
            found.append(Taken(place_of(frame), "", None))
    return found


def is_same(taken: Taken, waiting: Iterable[Link]) -> bool | None:
    """Whether `taken` is what those wait for who stand in `waiting`: they have called the same function with the same
    arguments. None where that is not known."""
    for link in waiting:
        frame = link.frame
        if frame is None or frame.f_code.co_name != taken.function or taken.arguments is None:
            continue
        code = frame.f_code
        names = code.co_varnames[: code.co_argcount]
        if len(names) != len(taken.arguments) or not _written_to(code).isdisjoint(names):
            return None
        values = values_of(frame)
        answers = [
            _are_same(values.get(name), value) for name, value in zip(names, taken.arguments, strict=True)
        ]
        return False if False in answers else None if None in answers else True
    return None


def _are_same(one: object, other: object) -> bool | None:
    if one is None or other is None:
        return None
    if one is other:
        return True
    if not is_plain(one) or not is_plain(other):
        return None
    return bool(one == other)


@lru_cache(maxsize=256)
def _written_to(code: CodeType) -> frozenset[str]:
    return frozenset(
        str(each.argval) for each in dis.get_instructions(code) if each.opname.startswith("STORE_FAST")
    )


def _taken_at(frame: FrameType, offset: int) -> Taken:
    code = frame.f_code
    instructions = instructions_of(code)
    number = next(index for index, each in enumerate(instructions) if each.offset == offset)
    load = instructions[number]
    line = load.positions.lineno if load.positions is not None else None
    place = place_of(frame)._replace(line=line or code.co_firstlineno)
    found = arguments(instructions, number)
    values: list[object] = []
    for each in found or ():
        # A variable that was written to since may have been something else then.
        if isinstance(each, Constant):
            values.append(each.value)
        elif each.names().isdisjoint(_written_after(code, offset)):
            values.append(value_of(each, frame, values_of(frame)))
        else:
            values.append(None)
    return Taken(place, str(load.argval), None if found is None else tuple(values))


@lru_cache(maxsize=256)
def _written_after(code: CodeType, offset: int) -> frozenset[str]:
    """The names that may be written to on a way from one instruction on."""
    offsets = later(code, offset)
    return frozenset(
        name
        for each in instructions_of(code)
        if each.offset in offsets and each.opname.startswith(("STORE_", "DELETE_"))
        for name in _loaded(each.argval)
    )


def _offsets(frame: FrameType, names: Names) -> tuple[int, ...]:
    code = frame.f_code
    mentioned = frozenset((*code.co_names, *code.co_varnames, *code.co_freevars, *code.co_cellvars))
    taking = names.taking & mentioned
    if not taking or not is_readable(code):
        return ()
    state = _states(code, taking, names.giving & mentioned).get(frame.f_lasti)
    return () if state is None else state.taken


def _takes(code: CodeType, names: Names) -> bool:
    """Whether it may have taken something when it returns."""
    if names.taking.isdisjoint(code.co_names):
        return False
    if not code.co_flags & _ASYNC:
        # It may return what is to be awaited.
        return names.giving.isdisjoint(code.co_names)
    states = _states(code, names.taking.intersection(code.co_names), names.giving.intersection(code.co_names))
    returns = {each.offset for each in dis.get_instructions(code) if each.opname.startswith("RETURN_")}
    return any(offset in returns and state.taken for offset, state in states.items())


def _hands_on(code: CodeType) -> bool:
    """Whether somebody else than who has taken it may give something back: a function within, or one that `release` is
    handed to."""
    if "release" not in code.co_names:
        return False
    if "<locals>" in code.co_qualname and "acquire" not in code.co_names:
        return True
    if not _STACKS.isdisjoint(code.co_names):
        return False
    return any(
        each.opname in _LOADS and each.argval == "release" and not is_method(each)
        for each in dis.get_instructions(code)
    )


class _State(NamedTuple):
    """Offsets of the instructions that have loaded what may have been taken, and what is about to be (-1: nothing)."""

    taken: tuple[int, ...] = ()
    pending: int = -1


@lru_cache(maxsize=512)
def _states(code: CodeType, taking: Collection[str], giving: Collection[str]) -> dict[int, _State]:
    """Returns the state before each instruction that can be reached: where ways meet, the one with more."""
    generator = bool(code.co_flags & inspect.CO_GENERATOR)

    def after(
        instructions: list[dis.Instruction], number: int, target: int | None, state: _State
    ) -> tuple[_State, _State]:
        instruction = instructions[number]
        state = _after(instruction, state, taking, giving)
        yields = generator and instruction.opname == "YIELD_VALUE"
        return (
            _taken(state) if ends_await(instructions, number) else state,
            _taken(state) if yields else state,
        )

    return states_of(code, _State(), after, _raised, _more)


def _raised(instructions: list[dis.Instruction], handler: int | None, state: _State) -> _State:
    return state if is_thrown(instructions, handler) else state._replace(pending=-1)


def _more(one: _State, other: _State) -> _State:
    return _State(
        max(one.taken, other.taken, key=lambda each: (len(each), each)), max(one.pending, other.pending)
    )


def _after(
    instruction: dis.Instruction, state: _State, taking: Collection[str], giving: Collection[str]
) -> _State:
    if not instruction.opname.startswith(_LOADS):
        return state
    for name in _loaded(instruction.argval):
        if name in giving:
            state = state._replace(taken=state.taken[:-1])
        elif name in taking:
            state = state._replace(pending=instruction.offset)
    return state


def _taken(state: _State) -> _State:
    if state.pending < 0:
        return state
    return _State(state.taken if len(state.taken) >= MOST else (*state.taken, state.pending))


def _loaded(argument: object) -> Iterator[str]:
    if isinstance(argument, tuple):
        yield from map(str, argument)
    else:
        yield str(argument)
