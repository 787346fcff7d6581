"""Whether code that waits is handling an exception: within an `except` or `finally` clause that an exception has
entered, or the exit of a context manager that was told of one.

The interpreter knows, but does not say so of a suspended frame. It can be read from the code: PUSH_EXC_INFO begins the
handling of an exception and POP_EXCEPT ends it, on every way that the code can take. So the ways are followed, over
jumps and the table of handlers, and how many exceptions are being handled is noted for each instruction.
"""

from __future__ import annotations

import dis
import sys
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from types import CodeType, FrameType

_JUMPS = frozenset((*dis.hasjrel, *dis.hasjabs))
#: After these nothing follows.
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
#: Bytes of code that are looked at; a longer function is one of which nothing is known.
LONGEST = 50_000
#: The interpreters whose instructions are known here, and in `doctor.waits`: each version has others. With a later one
#: nothing is known of any function, until somebody has looked at what it does and the tests pass with it.
KNOWN = (3, 11) <= sys.version_info < (3, 15)


def handles_exception(frame: FrameType) -> bool | None:
    """Returns whether `frame`, which is suspended, is handling an exception; None where that can't be known."""
    nesting = _nesting(frame.f_code).get(frame.f_lasti)
    return None if nesting is None else nesting > 0


@lru_cache(maxsize=256)
def _nesting(code: CodeType) -> dict[int, int]:
    """Returns how many exceptions are being handled at each instruction, by its offset."""
    if not is_readable(code):
        return {}
    instructions = list(dis.get_instructions(code))
    following = {each.offset: later.offset for each, later in pairwise(instructions)}
    by_offset = {each.offset: each for each in instructions}
    handlers = list(handlers_of(code))
    found: dict[int, int] = {}
    left: list[tuple[int, int]] = [(0, 0)]
    while left:
        offset, nesting = left.pop()
        if offset in found or offset not in by_offset:
            continue
        found[offset] = nesting
        instruction = by_offset[offset]
        # What raises does so before it has changed anything.
        left.extend((target, nesting) for start, end, target in handlers if start <= offset < end)
        if instruction.opname == "PUSH_EXC_INFO":
            nesting += 1
        elif instruction.opname == "POP_EXCEPT":
            nesting -= 1
        if instruction.opcode in _JUMPS:
            left.append((instruction.argval, nesting))
        if instruction.opname not in _ENDS and instruction.opname not in _ALWAYS and offset in following:
            left.append((following[offset], nesting))
    return found


def is_readable(code: CodeType) -> bool:
    """Whether the instructions of `code` say something here: they are known, and not too many."""
    return KNOWN and len(code.co_code) <= LONGEST


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
