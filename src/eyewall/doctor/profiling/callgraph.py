"""From counted calls to stacks.

Who counts calls knows how long each function took, and how much of that it spent in each function that it called; not
in which stacks. These are put together here: a function that is called from several places is taken to spend its time
the same way for each of them. The totals are exact, and so is each call; the share of a grandchild is an estimate.

A coroutine begins a stack of its own unless another one awaits it: it is resumed by the loop, and by wall-clock
it takes the time in which it is suspended as well, in which the loop does something else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from eyewall.doctor.profiling.recording import Frame, Stack

#: Frames of a stack.
DEPTH = 60
#: Stacks that are made, at most. What would go deeper stays with the function that called it.
STACKS = 20_000
#: A call that takes less than this share of everything stays with the function that called it.
SMALLEST = 1e-5


@dataclass(frozen=True)
class Called:
    """A function, how often it was called, and for how many seconds; and the seconds of what it called, by number."""

    frame: Frame
    calls: int
    seconds: float
    callees: Mapping[int, float] = field(default_factory=dict)


def stacks_of(functions: Sequence[Called], is_async: Callable[[Frame], bool]) -> dict[Stack, float]:
    """Returns the seconds in each stack. They add up to `sum(roots(functions, is_async).values())`."""
    asynchronous = [is_async(each.frame) for each in functions]
    begins = roots(functions, is_async)
    least = SMALLEST * sum(begins.values())
    found: dict[Stack, float] = {}
    waiting: list[tuple[tuple[int, ...], float]] = [
        ((number,), seconds) for number, seconds in begins.items()
    ]
    while waiting:
        path, seconds = waiting.pop()
        called = functions[path[-1]]
        callees = _kept(path[-1], called, asynchronous)
        rest = seconds
        if len(path) < DEPTH and len(found) + len(waiting) < STACKS and called.seconds > 0.0:
            inner = sum(callees.values())
            # What is called can't take longer than the call did; where it was counted so, a clock was read late.
            scale = min(seconds / called.seconds, seconds / inner if inner else 0.0)
            for number, took in callees.items():
                share = took * scale
                if share > least and number not in path:
                    waiting.append(((*path, number), share))
                    rest -= share
        if rest > 0.0:
            stack = tuple(functions[number].frame for number in path)
            found[stack] = found.get(stack, 0.0) + rest
    return found


def roots(functions: Sequence[Called], is_async: Callable[[Frame], bool]) -> dict[int, float]:
    """Returns the functions that nothing else has called, and the seconds that they took so."""
    asynchronous = [is_async(each.frame) for each in functions]
    called = [0.0] * len(functions)
    for number, each in enumerate(functions):
        for callee, seconds in _kept(number, each, asynchronous).items():
            called[callee] += seconds
    return {
        number: each.seconds - called[number]
        for number, each in enumerate(functions)
        if each.seconds - called[number] > 1e-9
    }


def _kept(number: int, called: Called, asynchronous: Sequence[bool]) -> dict[int, float]:
    return {
        callee: seconds
        for callee, seconds in called.callees.items()
        if callee != number and (asynchronous[number] or not asynchronous[callee])
    }
