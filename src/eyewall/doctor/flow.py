"""Which ways the code of a function can take: from an instruction to those that may come after it.

    the next one       unless the function ends there, or jumps in any case
    where it jumps to
    a handler          whatever is within a range of the table of exception handlers may raise

Those who want to know something of suspended code follow these ways (`dropped.handling`, `waits.acquired`,
`waits.variables`).
"""

from __future__ import annotations

import dis
import sys
from collections.abc import Callable, Iterator
from types import CodeType
from typing import TypeVar

#: Bytes of code that are looked at; a longer function is one of which nothing is known.
LONGEST = 50_000
#: The interpreters whose instructions are known in the doctor: each version has others. With a later one nothing is
#: known of any function, until somebody has looked at what it does and the tests pass with it.
KNOWN = (3, 11) <= sys.version_info < (3, 15)

_State = TypeVar("_State")

_JUMPS = frozenset((*dis.hasjrel, *dis.hasjabs))
_ENDS = frozenset(("RETURN_VALUE", "RETURN_CONST", "RAISE_VARARGS", "RERAISE"))
_ALWAYS = frozenset(
    (
        "JUMP_FORWARD",
        "JUMP_BACKWARD",
        "JUMP_BACKWARD_NO_INTERRUPT",
        "JUMP_NO_INTERRUPT",
        "JUMP",
        "JUMP_ABSOLUTE",
    )
)


def is_readable(code: CodeType) -> bool:
    """Whether the instructions of `code` say something here: they are known, and not too many."""
    return KNOWN and len(code.co_code) <= LONGEST


def jumps(instruction: dis.Instruction) -> bool:
    """Whether it may go on where its argument says."""
    return instruction.opcode in _JUMPS


def goes_on(instruction: dis.Instruction) -> bool:
    """Whether the next instruction may come after it."""
    return instruction.opname not in _ENDS and instruction.opname not in _ALWAYS


def instructions_of(code: CodeType) -> list[dis.Instruction]:
    """Returns the instructions, without those that belong to others."""
    return [each for each in dis.get_instructions(code) if each.opname not in ("CACHE", "EXTENDED_ARG")]


def states_of(
    code: CodeType,
    begin: _State,
    after: Callable[[list[dis.Instruction], int, int | None, _State], tuple[_State, _State]],
    raised: Callable[[list[dis.Instruction], int | None, _State], _State],
    both: Callable[[_State, _State], _State],
) -> dict[int, _State]:
    """Returns the state before each instruction that can be reached, by its offset.

    `begin`: that at the beginning. Of the list of all instructions, `after` returns the states after the one with a
    number, where it jumps (to another number) and for the next one; `raised` that at the handler with a number. Numbers
    are None where there is no such instruction. `both` returns that where two ways meet; it must come to an end.
    """
    instructions = instructions_of(code)
    positions = {each.offset: number for number, each in enumerate(instructions)}
    handlers = list(handlers_of(code))
    found: dict[int, _State] = {}
    left: list[tuple[int, _State]] = [(0, begin)]
    while left:
        offset, state = left.pop()
        number = positions.get(offset)
        if number is None:
            continue
        if offset in found:
            known = found[offset]
            state = both(known, state)
            if state == known:
                continue
        found[offset] = state
        instruction = instructions[number]
        for start, end, handler in handlers:
            if start <= offset < end:
                left.append((handler, raised(instructions, positions.get(handler), state)))
        target = positions.get(instruction.argval) if jumps(instruction) else None
        jumped, following = after(instructions, number, target, state)
        if jumps(instruction):
            left.append((instruction.argval, jumped))
        if goes_on(instruction) and number + 1 < len(instructions):
            left.append((instructions[number + 1].offset, following))
    return found


def handlers_of(code: CodeType) -> Iterator[tuple[int, int, int]]:
    """Returns the entries of the table of handlers: start, end, and target, in bytes of the code.

    The format is that of CPython's InternalDocs/exception_handling.md: four numbers an entry, each in groups of six
    bits, the highest first.
    """
    octets = iter(code.co_exceptiontable)

    def number(octet: int) -> int:
        value = octet & 0x3F
        while octet & 0x40:
            octet = next(octets)
            value = value << 6 | octet & 0x3F
        return value

    for first in octets:
        start = 2 * number(first)
        length = 2 * number(next(octets))
        target = 2 * number(next(octets))
        number(next(octets))
        yield start, start + length, target
