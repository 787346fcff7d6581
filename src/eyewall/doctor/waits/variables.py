"""Variables of suspended frames, and which of them their code will never read again.

A frame keeps what is in its variables until it ends, also what it has no use for any more:

    first, second = asyncio.Queue(), asyncio.Queue()
    tasks = [asyncio.create_task(one(first, second)), asyncio.create_task(other(first, second))]
    await asyncio.wait(tasks)        # nothing below mentions `first`: this frame won't put anything into it

All ways that the code can take from where it stands are followed, into handlers of exceptions, too. A variable that no
instruction there reads is forgotten. What can be read without its name being written (`locals()`, `eval`) is a reason
to take none for forgotten; so is an interpreter whose instructions are not known.
"""

from __future__ import annotations

import dis
import gc
import sys
from bisect import bisect_right
from collections import Counter
from collections.abc import Collection
from functools import lru_cache
from inspect import CO_OPTIMIZED
from itertools import pairwise
from types import CellType, CodeType, FrameType

from eyewall.doctor.flow import goes_on, handlers_of, is_readable, jumps
from eyewall.doctor.waits.links import Link

_VARIABLES = frozenset((*dis.haslocal, *dis.hasfree))
#: What writes to a variable, or unbinds it, and reads none.
_WRITES = frozenset(
    ("STORE_FAST", "STORE_DEREF", "STORE_FAST_STORE_FAST", "DELETE_FAST", "DELETE_DEREF", "MAKE_CELL")
)
#: Functions that read variables whose names are not written.
_READERS = frozenset(("locals", "vars", "dir", "eval", "exec", "f_locals", "_getframe", "currentframe"))


def forgotten(link: Link) -> list[object]:
    """Returns what the frame of `link` has in variables that it will not read again, as often as it refers to that.

    What it has in another variable or on its stack, too, does not count. Of a frame that runs (`link.subject` is None)
    nobody knows what is on its stack, nor which cells it has: that shows as references of somebody else's.
    """
    frame = link.frame
    if frame is None or (later := names_read_later(frame.f_code, frame.f_lasti)) is None:
        return []
    if later.issuperset(_names_of(frame.f_code)):
        return []
    values = values_of(frame)
    kept = {id(value) for name, value in values.items() if name in later}
    dropped = [value for name, value in values.items() if name not in later and id(value) not in kept]
    if link.subject is None:
        return dropped
    # Cells are told apart by their contents.
    times = Counter(map(id, dropped))
    having: dict[int, list[object]] = {}
    for each in gc.get_referents(link.subject):
        key = id(each) if id(each) in times else _contents(each)
        if key in times:
            having.setdefault(key, []).append(each)
    return [each for key, several in having.items() if len(several) == times[key] for each in several]


def _names_of(code: CodeType) -> tuple[str, ...]:
    return code.co_varnames + code.co_cellvars + code.co_freevars


def _contents(each: object) -> int:
    """The identity of what a cell has, 0 for all others."""
    if not isinstance(each, CellType):
        return 0
    try:
        return id(each.cell_contents)
    except ValueError:
        return 0


def values_of(frame: FrameType) -> dict[str, object]:
    """Returns the variables of a function's frame, and leaves no copy of them in it. Nothing of one that has asked for
    all its variables itself: before Python 3.13 it would be the same dictionary."""
    code = frame.f_code
    if not code.co_flags & CO_OPTIMIZED or not _READERS.isdisjoint(code.co_names):
        return {}
    variables = frame.f_locals
    values = dict(variables)
    if sys.version_info < (3, 13):
        variables.clear()
    return values


@lru_cache(maxsize=1024)
def names_read_later(code: CodeType, offset: int) -> frozenset[str] | None:
    """Returns the variables that `code` may read on any way from the instruction at `offset` on; None where that is not
    known."""
    if not is_readable(code) or not code.co_flags & CO_OPTIMIZED or not _READERS.isdisjoint(code.co_names):
        return None
    flow = flow_of(code)
    return frozenset(name for each in later(code, offset) for name in flow.reads.get(each, ()))


def is_first_time(frame: FrameType) -> bool:
    """Whether `frame`, which is suspended in `item = await …`, has certainly not been given an item there before: it
    does not come there again, or `item` has no value yet."""
    code = frame.f_code
    if names_read_later(code, frame.f_lasti) is None:
        return False
    flow = flow_of(code)
    begun = max((each for each in flow.awaits if each < frame.f_lasti), default=None)
    if begun is None or begun not in later(code, frame.f_lasti):
        return True
    stored = next((name for offset, name in flow.writes if offset > frame.f_lasti), None)
    return stored is not None and stored not in values_of(frame)


def later(code: CodeType, offset: int, walls: Collection[int] = ()) -> set[int]:
    """Returns the offsets of instructions that `code`, which has to be readable, may come to from `offset` on. From one
    of `walls` it comes to nothing but the handlers of exceptions."""
    flow = flow_of(code)
    # Of a frame that runs it may be one of the places that belong to a call.
    first = flow.offsets[max(0, bisect_right(flow.offsets, offset) - 1)]
    seen = {first}
    left = [first]
    while left:
        each = left.pop()
        for following in flow.following.get(each, ()) if each not in walls else flow.handled.get(each, ()):
            if following not in seen:
                seen.add(following)
                left.append(following)
    return seen


class Flow:
    """Of each instruction, by its offset, the variables that it reads, and the offsets that may come after it; where
    something begins to be awaited, and where variables are written to."""

    def __init__(self, code: CodeType) -> None:
        self.reads: dict[int, tuple[str, ...]] = {}
        self.following: dict[int, list[int]] = {}
        self.handled: dict[int, list[int]] = {}
        self.offsets: list[int] = []
        self.awaits: list[int] = []
        self.writes: list[tuple[int, str]] = []
        instructions = list(dis.get_instructions(code))
        after = {each.offset: later.offset for each, later in pairwise(instructions)}
        handlers = list(handlers_of(code))
        for each in instructions:
            self.offsets.append(each.offset)
            self.reads[each.offset] = _read_by(each)
            if each.opname in ("GET_AWAITABLE", "GET_ANEXT"):
                self.awaits.append(each.offset)
            elif each.opname.startswith(("STORE_FAST", "STORE_DEREF")):
                self.writes.append((each.offset, _first(each.argval)))
            self.handled[each.offset] = handled = [
                target for start, end, target in handlers if start <= each.offset < end
            ]
            following = [*handled]
            if jumps(each):
                following.append(each.argval)
            if goes_on(each) and each.offset in after:
                following.append(after[each.offset])
            self.following[each.offset] = following


@lru_cache(maxsize=64)
def flow_of(code: CodeType) -> Flow:
    """Returns how `code`, which has to be readable, may go on."""
    return Flow(code)


def _first(named: object) -> str:
    return str(named[0] if isinstance(named, tuple) else named)


def _read_by(instruction: dis.Instruction) -> tuple[str, ...]:
    """Each variable that is not certainly only written to."""
    if instruction.opcode not in _VARIABLES or instruction.opname in _WRITES:
        return ()
    named = instruction.argval
    return tuple(map(str, named)) if isinstance(named, tuple) else (str(named),)
