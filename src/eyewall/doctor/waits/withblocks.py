"""In which `with` statements a suspended frame stands, and on which line each begins.

The interpreter has no list of them, but its table of handlers says where to go from an instruction that raises; the
handler of a `with` statement is the one that calls its exit, and what raises in there goes to the handler around it. So
the way outwards is followed, from handler to handler. The table covers the body only: a statement that is still being
entered, or whose exit runs, is none of those found.

The format of the table is that of CPython's InternalDocs/exception_handling.md; `doctor.flow` reads it.
"""

from __future__ import annotations

import dis
from functools import lru_cache
from types import CodeType, FrameType
from typing import NamedTuple

from eyewall.doctor.flow import handlers_of, is_readable


class _Handlers(NamedTuple):
    """Of some code: (first offset, end, handler), and the lines of those handlers that end a `with` statement."""

    ranges: tuple[tuple[int, int, int], ...]
    lines: dict[int, int]


def with_lines(frame: FrameType) -> tuple[int, ...] | None:
    """Returns the lines of the `with` statements whose bodies `frame` is in, the outermost first; None where that
    can't be known."""
    found = _handlers(frame.f_code)
    if found is None:
        return None
    lines: list[int] = []
    seen: set[int] = set()
    offset = frame.f_lasti
    while True:
        # Ranges of one code do not overlap.
        target = next((target for start, end, target in found.ranges if start <= offset < end), None)
        if target is None or target in seen:
            return tuple(reversed(lines))
        seen.add(target)
        if target in found.lines:
            lines.append(found.lines[target])
        offset = target


@lru_cache(maxsize=512)
def _handlers(code: CodeType) -> _Handlers | None:
    if not is_readable(code):
        return None
    ranges = tuple(handlers_of(code))
    targets = {target for _, _, target in ranges}
    lines: dict[int, int] = {}
    begin = -1
    # A handler begins with PUSH_EXC_INFO; that of a `with` statement goes on with the call of its exit.
    for instruction in dis.get_instructions(code):
        if instruction.opname == "PUSH_EXC_INFO":
            begin = instruction.offset
        elif instruction.opname == "WITH_EXCEPT_START" and begin in targets:
            position = instruction.positions
            if position is not None and position.lineno is not None:
                lines[begin] = position.lineno
        elif instruction.opname not in ("CACHE", "NOP", "EXTENDED_ARG"):
            begin = -1
    return _Handlers(ranges, lines)
