"""Whether code that waits is handling an exception: within an `except` or `finally` clause that an exception has
entered, or the exit of a context manager that was told of one.

The interpreter knows, but does not say so of a suspended frame. It can be read from the code: PUSH_EXC_INFO begins the
handling of an exception and POP_EXCEPT ends it, on every way that the code can take. So the ways are followed
(`doctor.flow`), and how many exceptions are being handled is noted for each instruction.
"""

from __future__ import annotations

import dis
from functools import lru_cache
from itertools import pairwise
from types import CodeType, FrameType

from eyewall.doctor.flow import goes_on, handlers_of, is_readable, jumps


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
        if jumps(instruction):
            left.append((instruction.argval, nesting))
        if goes_on(instruction) and offset in following:
            left.append((following[offset], nesting))
    return found
