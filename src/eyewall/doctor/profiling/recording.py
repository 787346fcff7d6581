"""What a profile is made of: stacks, and the seconds that were spent in each.

Both ways to record end here: samples that py-spy has written ("folded" lines), and the calls that yappi has counted
(`callgraph`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

#: Frames of a stack that are kept, the innermost.
DEPTH = 300

_FRAME = re.compile(r"(.*) \((.*?)(?::([0-9]+))?\)")
_THREAD = re.compile(r"(?:thread|Thread) \((?:[0-9]+|0x[0-9a-fA-F]+)\)(?:: (.*))?")


class Frame(NamedTuple):
    """A function, and the line where it stands (of counted calls: where it begins), 0 where that is unknown."""

    function: str
    file: str
    line: int

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        return f"{self.function} ({where})" if where else self.function


#: From the outermost frame to the innermost.
Stack = tuple[Frame, ...]


@dataclass(frozen=True)
class Recording:
    """What was recorded in `seconds`.

    `clock`: "cpu", which stands still while code waits, or "wall". `stacks`: for each, the seconds in exactly that one.
    `threads`: what of these was in each thread, where that is known.
    """

    clock: str
    seconds: float
    stacks: Mapping[Stack, float]
    threads: Mapping[str, float] = field(default_factory=dict)

    @property
    def total(self) -> float:
        """Seconds in all stacks together; more than `seconds` where several things went on at once."""
        return sum(self.stacks.values())


def from_folded(lines: Iterable[str], clock: str, seconds: float, rate: int) -> Recording:
    """Returns what lines like "outer (a.py:1);inner (b.py:2) 17" say, of `rate` samples a second.

    A first frame like "thread (17): name" names the thread. Raises ValueError for what is no such line.
    """
    stacks: Counter[Stack] = Counter()
    threads: Counter[str] = Counter()
    for line in lines:
        text, _, number = line.rstrip("\n").rpartition(" ")
        if not text:
            continue
        count = int(number)
        names = text.split(";")
        named = _THREAD.fullmatch(names[0])
        if named is not None:
            threads[named[1] or names[0]] += count
            names = names[1:]
        if names:
            stacks[tuple(map(_frame, names[-DEPTH:]))] += count
    return Recording(
        clock,
        seconds,
        {stack: count / rate for stack, count in stacks.items()},
        {name: count / rate for name, count in threads.items()},
    )


def to_folded(recording: Recording) -> str:
    """Returns lines that tools for flame graphs take: the stack, and the microseconds in it."""
    return "".join(
        ";".join(str(frame).replace(";", ":") for frame in stack) + f" {round(seconds * 1e6)}\n"
        for stack, seconds in sorted(recording.stacks.items())
    )


def _frame(text: str) -> Frame:
    found = _FRAME.fullmatch(text)
    if found is None:
        return Frame(text, "", 0)
    return Frame(found[1], found[2], int(found[3] or 0))
