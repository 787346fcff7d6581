"""What a suspended frame has taken by `await lock.acquire()` and not given back by `lock.release()`.

Nothing in the frame says so, but its code does. All ways that it can have come where it stands are followed, as in
`doctor.flow`, and for each instruction it is noted what was taken on every one of them:

    await self.lock.acquire()       from where the await ends: "self.lock" is held
    self.lock.release()             it is not
    self = …                        nothing that begins with self is
    anything.release()              nothing is, unless it is known what that is

What is taken is known by how it is written: a name, attributes and items (`written`). A function that is called may
give it back, which can't be seen; so this is what a frame seems to hold, and counts only where nobody else seems to.
"""

from __future__ import annotations

import dis
from functools import lru_cache
from types import CodeType, FrameType
from typing import Any, NamedTuple

from eyewall.doctor.flow import is_readable, states_of
from eyewall.doctor.places import place_of
from eyewall.doctor.waits.holdings import Hold
from eyewall.doctor.waits.resources import resource_of
from eyewall.doctor.waits.variables import values_of
from eyewall.doctor.waits.written import Written, value_of, written

#: `super().acquire` is an instruction of its own since 3.12.
_LOADS_METHOD = ("LOAD_METHOD", "LOAD_ATTR", "LOAD_SUPER_ATTR")
#: Since 3.13, two instructions can be one: what is stored comes first, what is loaded last.
_STORES_AND_LOADS = "STORE_FAST_LOAD_FAST"
#: Functions that wait for what they are given first, and return when that is done.
_WAITING = ("wait_for",)
#: What their other arguments are made of.
_ARGUMENTS = ("LOAD_", "KW_NAMES", "PRECALL", "PUSH_NULL", "BINARY_")
#: How far a lock is on its way: `acquire` was loaded, called, awaited.
_LOADED, _CALLED, _AWAITED = range(3)
#: What an await is made of, once there is something to await.
_AWAITING = ("LOAD_CONST", "SEND", "YIELD_VALUE", "RESUME", "JUMP_BACKWARD", "CLEANUP_THROW")


class _State(NamedTuple):
    """What is held, with the line; what else was given back; what is being taken, how far that is, and whether it is
    the argument of a function that waits for it."""

    held: frozenset[tuple[Written, int]] = frozenset()
    given: frozenset[Written] = frozenset()
    taking: tuple[Written, int] | None = None
    stage: int = _LOADED
    within: bool = False

    def taken(self) -> _State:
        if self.taking is None:
            return self
        return _State(self.held | {self.taking}, self.given - {self.taking[0]})

    def dropped(self) -> _State:
        return _State(self.held, self.given)

    def given_back(self, thing: Written | None) -> _State:
        """Nothing is held any more where it is not known what was given back."""
        if thing is None:
            return _State()
        return _State(frozenset(each for each in self.held if each[0] != thing), self.given | {thing})

    def changed(self, names: set[str]) -> _State:
        """As the state is where something else was written to one of `names`."""
        if any(not names.isdisjoint(each.names()) for each in self.given):
            # It may have been what is held under another name.
            return _State()
        return _State(frozenset(each for each in self.held if names.isdisjoint(each[0].names())), self.given)


def acquired(frame: FrameType) -> list[Hold]:
    """Returns what `frame`, which is suspended, seems to have taken that way, with the lines."""
    code = frame.f_code
    if "acquire" not in code.co_names or any(map(_releases, code.co_consts)):
        return []
    state = _states(code).get(frame.f_lasti)
    found: list[Hold] = []
    if state is None or not state.held:
        return []
    variables = values_of(frame)
    given = {id(value_of(each, frame, variables)) for each in state.given}
    for each, line in sorted(state.held, key=lambda each: each[1]):
        value = value_of(each, frame, variables)
        resource = resource_of(value)
        # It may have been given back under another name.
        if resource is not None and id(value) not in given and id(None) not in given:
            found.append(Hold(resource, place_of(frame)._replace(line=line)))
    return found


def _releases(constant: object) -> bool:
    """Whether a function within may give something back."""
    return isinstance(constant, CodeType) and (
        "release" in constant.co_names or any(map(_releases, constant.co_consts))
    )


@lru_cache(maxsize=256)
def _states(code: CodeType) -> dict[int, _State]:
    """Returns the state before each instruction that can be reached, by its offset."""
    return states_of(code, _State(), _ways, _raised, _both) if is_readable(code) else {}


def _ways(
    instructions: list[dis.Instruction], number: int, target: int | None, state: _State
) -> tuple[_State, _State]:
    after = _after(instructions, number, state)
    # Where it jumps, the await is over.
    taken = ends_await(instructions, number) and not _is_entered(instructions, target or 0)
    return after.taken() if taken else after, after


def _raised(instructions: list[dis.Instruction], handler: int | None, state: _State) -> _State:
    return state if is_thrown(instructions, handler) else state.dropped()


def _both(one: _State, other: _State) -> _State:
    held, given = one.held & other.held, one.given | other.given
    return one._replace(held=held, given=given) if one[2:] == other[2:] else _State(held, given)


def _after(instructions: list[dis.Instruction], number: int, state: _State) -> _State:
    """Returns the state after an instruction that does not raise."""
    instruction = instructions[number]
    name = instruction.opname
    if name in _LOADS_METHOD and instruction.argval == "acquire":
        found, function = written(instructions, number)
        line = instruction.positions.lineno if instruction.positions is not None else None
        within = function in _WAITING
        if found is None:
            return state.dropped()
        return _State(state.held, state.given, (found, line or 0), within=within)
    if name in _LOADS_METHOD and instruction.argval == "release":
        found, _ = written(instructions, number)
        return state.given_back(found)
    if name.startswith(("STORE_FAST", "STORE_DEREF", "STORE_GLOBAL", "STORE_ATTR", "DELETE_")):
        return state.changed(
            _names(instruction.argval[0] if name == _STORES_AND_LOADS else instruction.argval)
        )
    return state if state.taking is None else _further(instructions, number, state)


def _further(instructions: list[dis.Instruction], number: int, state: _State) -> _State:
    name = instructions[number].opname
    if state.stage == _LOADED:
        return state._replace(stage=_CALLED) if name.startswith("CALL") else state
    if state.stage == _AWAITED:
        return state if name.startswith(_AWAITING) else state.dropped()
    if state.within:
        if name.startswith("CALL"):
            return state._replace(within=False)
        return state if name.startswith(_ARGUMENTS) else state.dropped()
    if name == "GET_AWAITABLE":
        return state._replace(stage=_AWAITED)
    if name == "YIELD_VALUE" and not _is_entered(instructions, number + 1):
        return state.taken()
    return state.dropped()


def is_thrown(instructions: list[dis.Instruction], number: int | None) -> bool:
    """Whether there what is thrown into an await ends it, since 3.12: with a result, or else it is raised again."""
    return number is not None and instructions[number].opname == "CLEANUP_THROW"


def ends_await(instructions: list[dis.Instruction], number: int) -> bool:
    """Whether the jump there is one that an await ends with."""
    return instructions[number].opname == "SEND" or (number > 0 and is_thrown(instructions, number - 1))


def _is_entered(instructions: list[dis.Instruction], number: int) -> bool:
    """Whether what was taken is entered with a `with` statement, whose exit gives it back."""
    for each in instructions[number:]:
        if each.opname not in ("RESUME", "END_SEND"):
            return each.opname in ("BEFORE_WITH", "COPY")
    return False


def _names(argument: Any) -> set[str]:
    return {str(each) for each in argument} if isinstance(argument, tuple) else {str(argument)}
