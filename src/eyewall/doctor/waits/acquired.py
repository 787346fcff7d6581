"""What a suspended frame has taken by `await lock.acquire()` and not given back by `lock.release()`.

Nothing in the frame says so, but its code does. All ways that it can have come where it stands are followed, as in
`doctor.flow`, and for each instruction it is noted what was taken on every one of them:

    await self.lock.acquire()       from where the await ends: "self.lock" is held
    self.lock.release()             it is not
    self = …                        nothing that begins with self is
    anything.release()              nothing is, unless it is known what that is

What is taken is known by how it is written: a name and attributes. A function that is called may give it back, which
can't be seen; so this is what a frame seems to hold, and counts only where nobody else seems to.
"""

from __future__ import annotations

import dis
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from types import CodeType, FrameType
from typing import Any, NamedTuple

from eyewall.doctor.flow import goes_on, handlers_of, is_readable, jumps
from eyewall.doctor.places import place_of
from eyewall.doctor.waits.holdings import Hold
from eyewall.doctor.waits.resources import resource_of
from eyewall.doctor.waits.variables import values_of

#: `super().acquire` is an instruction of its own since 3.12.
_LOADS_METHOD = ("LOAD_METHOD", "LOAD_ATTR", "LOAD_SUPER_ATTR")
#: Since 3.13, two instructions can be one: what is stored comes first, what is loaded last.
_STORES_AND_LOADS = "STORE_FAST_LOAD_FAST"
#: How far a lock is on its way: `acquire` was loaded, called, awaited.
_LOADED, _CALLED, _AWAITED = range(3)
#: What an await is made of, once there is something to await.
_AWAITING = ("LOAD_CONST", "SEND", "YIELD_VALUE", "RESUME", "JUMP_BACKWARD", "CLEANUP_THROW")


class Written(NamedTuple):
    """A lock as it is written: a name (`scope`: "global", or else one of the function) and attributes."""

    scope: str
    name: str
    attributes: tuple[str, ...]


class _State(NamedTuple):
    """What is held, with the line; what is being taken, and how far that is."""

    held: frozenset[tuple[Written, int]] = frozenset()
    taking: tuple[Written, int] | None = None
    stage: int = _LOADED

    def taken(self) -> _State:
        return self if self.taking is None else _State(self.held | {self.taking})

    def dropped(self) -> _State:
        return _State(self.held)


def acquired(frame: FrameType) -> list[Hold]:
    """Returns what `frame`, which is suspended, seems to have taken that way, with the lines."""
    code = frame.f_code
    if "acquire" not in code.co_names or any(map(_releases, code.co_consts)):
        return []
    state = _states(code).get(frame.f_lasti)
    found: list[Hold] = []
    for written, line in sorted(() if state is None else state.held, key=lambda each: each[1]):
        resource = resource_of(_value(frame, written))
        if resource is not None:
            found.append(Hold(resource, place_of(frame)._replace(line=line)))
    return found


def _releases(constant: object) -> bool:
    """Whether a function within may give something back."""
    return isinstance(constant, CodeType) and (
        "release" in constant.co_names or any(map(_releases, constant.co_consts))
    )


def _value(frame: FrameType, written: Written) -> object:
    if written.scope == "global":
        value = frame.f_globals.get(written.name)
    else:
        value = values_of(frame).get(written.name)
    for attribute in written.attributes:
        # Not by asking the object, which may compute an answer.
        value = getattr(value, "__dict__", {}).get(attribute)
    return value


@lru_cache(maxsize=256)
def _states(code: CodeType) -> dict[int, _State]:
    """Returns the state before each instruction that can be reached, by its offset."""
    if not is_readable(code):
        return {}
    instructions = [
        each for each in dis.get_instructions(code) if each.opname not in ("CACHE", "EXTENDED_ARG")
    ]
    positions = {each.offset: number for number, each in enumerate(instructions)}
    following = {each.offset: later.offset for each, later in pairwise(instructions)}
    handlers = list(handlers_of(code))
    found: dict[int, _State] = {}
    left: list[tuple[int, _State]] = [(0, _State())]
    while left:
        offset, state = left.pop()
        if offset not in positions:
            continue
        known = found.get(offset)
        if known is not None:
            merged = _both(known, state)
            if merged == known:
                continue
            state = merged
        found[offset] = state
        number = positions[offset]
        instruction = instructions[number]
        for start, end, target in handlers:
            if start <= offset < end:
                raised = state if _is_thrown(instructions, positions.get(target)) else _State(state.held)
                left.append((target, raised))
        after = _after(instructions, number, state)
        if jumps(instruction):
            target = instruction.argval
            # The await is over.
            taken = _ends_await(instructions, number) and not _is_entered(
                instructions, positions.get(target, 0)
            )
            left.append((target, after.taken() if taken else after))
        if goes_on(instruction) and offset in following:
            left.append((following[offset], after))
    return found


def _both(one: _State, other: _State) -> _State:
    held = one.held & other.held
    return one._replace(held=held) if one[1:] == other[1:] else _State(held)


def _after(instructions: list[dis.Instruction], number: int, state: _State) -> _State:
    """Returns the state after an instruction that does not raise."""
    instruction = instructions[number]
    name = instruction.opname
    if name in _LOADS_METHOD and instruction.argval == "acquire":
        written = _written(instructions, number)
        line = instruction.positions.lineno if instruction.positions is not None else None
        return state.dropped() if written is None else _State(state.held, (written, line or 0))
    if name in _LOADS_METHOD and instruction.argval == "release":
        written = _written(instructions, number)
        return _State(frozenset(each for each in state.held if written is not None and each[0] != written))
    if name.startswith(("STORE_FAST", "STORE_DEREF", "STORE_GLOBAL", "STORE_ATTR", "DELETE_")):
        changed = _names(instruction.argval[0] if name == _STORES_AND_LOADS else instruction.argval)
        return _State(
            frozenset(each for each in state.held if not changed & {each[0].name, *each[0].attributes})
        )
    return state if state.taking is None else _further(instructions, number, state)


def _further(instructions: list[dis.Instruction], number: int, state: _State) -> _State:
    name = instructions[number].opname
    if state.stage == _LOADED:
        return state._replace(stage=_CALLED) if name.startswith("CALL") else state
    if state.stage == _AWAITED:
        return state if name.startswith(_AWAITING) else state.dropped()
    if name == "GET_AWAITABLE":
        return state._replace(stage=_AWAITED)
    if name == "YIELD_VALUE" and not _is_entered(instructions, number + 1):
        return state.taken()
    return state.dropped()


def _is_thrown(instructions: list[dis.Instruction], number: int | None) -> bool:
    """Whether there what is thrown into an await ends it, since 3.12: with a result, or else it is raised again."""
    return number is not None and instructions[number].opname == "CLEANUP_THROW"


def _ends_await(instructions: list[dis.Instruction], number: int) -> bool:
    """Whether the jump there is one that an await ends with."""
    return instructions[number].opname == "SEND" or (number > 0 and _is_thrown(instructions, number - 1))


def _is_entered(instructions: list[dis.Instruction], number: int) -> bool:
    """Whether what was taken is entered with a `with` statement, whose exit gives it back."""
    for each in instructions[number:]:
        if each.opname not in ("RESUME", "END_SEND"):
            return each.opname in ("BEFORE_WITH", "COPY")
    return False


def _names(argument: Any) -> set[str]:
    return {str(each) for each in argument} if isinstance(argument, tuple) else {str(argument)}


def _written(instructions: list[dis.Instruction], number: int) -> Written | None:
    """Returns what the method is of that an instruction loads."""
    attributes: list[str] = []
    for each in _before(instructions, number):
        if each.opname == "LOAD_ATTR":
            attributes.append(str(each.argval))
        elif each.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            return Written("global", str(each.argval), tuple(reversed(attributes)))
        elif each.opname.startswith(("LOAD_FAST", "LOAD_DEREF", _STORES_AND_LOADS)):
            name = each.argval[-1] if isinstance(each.argval, tuple) else each.argval
            return Written("local", str(name), tuple(reversed(attributes)))
        else:
            break
    return None


def _before(instructions: list[dis.Instruction], number: int) -> Iterator[dis.Instruction]:
    return (instructions[index] for index in range(number - 1, -1, -1))
