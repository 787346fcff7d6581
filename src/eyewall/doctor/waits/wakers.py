"""Who of several tasks, none of which can go on, would let which other one go on: as their code says.

A task that has what another one waits for, and whose code mentions what ends such a wait, would do that if it went on:

    await first.get()          # waits for an item in `first`
    second.put_nowait(item)    # would end the wait of whoever waits for one in `second`

A circle of these is a deadlock, whatever it is made of: queues, events, conditions, futures, the ends of tasks.
"""

from __future__ import annotations

import asyncio
import dis
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from types import CodeType
from typing import Any, NamedTuple

from eyewall.doctor.codes import with_inner
from eyewall.doctor.flow import is_readable
from eyewall.doctor.places import Place, place_of
from eyewall.doctor.waits.circles import all_holdings
from eyewall.doctor.waits.links import Link, chain_of
from eyewall.doctor.waits.patience import Facts
from eyewall.doctor.waits.reach import Named, Reach
from eyewall.doctor.waits.variables import later

_PUTS, _GETS = frozenset(("put", "put_nowait")), frozenset(("get", "get_nowait", "__anext__"))
#: By the kind of what is waited for, what ends the wait.
_ENDING = {
    "queue": _PUTS | _GETS | {"task_done", "shutdown"},
    "event": frozenset(("set",)),
    "condition": frozenset(("notify", "notify_all")),
    "barrier": frozenset(("abort", "reset")),
    "future": frozenset(("set_result", "set_exception")),
    "lock": frozenset(("release",)),
    "semaphore": frozenset(("release",)),
}
#: Of queues, by the function that waits.
_OF_QUEUES = {"Queue.get": _PUTS, "Queue.put": _GETS, "Queue.join": frozenset(("task_done",))}
_SHARED = frozenset(("Queue", "PriorityQueue", "LifoQueue", "Event", "Condition", "Barrier"))
_MODULES = ("asyncio", "tornado", "eyewall")


class Stuck(NamedTuple):
    """Tasks none of which can go on, in the order of `reach`, and what each waits for. `named`: variables of modules
    that have something of it."""

    tasks: Sequence[asyncio.Task[Any]]
    facts: Sequence[Facts]
    reach: Reach
    named: Sequence[Named] = ()


class Wait(NamedTuple):
    """What the task with a number waits for: `thing`, the index of the queue, event, …, or of the future itself.
    `wakers`: the numbers of those who would end the wait, with the line where they would, None where that is their
    own end. `ending`: the methods that end it."""

    thing: int | None
    wakers: Mapping[int, Place | None]
    ending: frozenset[str] = frozenset()

    @property
    def gets(self) -> bool:
        """Whether it is an item of a queue that is waited for."""
        return self.ending is _PUTS


def waits_of(stuck: Stuck) -> list[Wait]:
    """Returns what each waits for, and who would end that."""
    # Not the futures at their ends: these must not have references of ours.
    chains = [chain_of(task)._replace(end=None) for task in stuck.tasks]
    numbers = {id(task): number for number, task in enumerate(stuck.tasks)}
    held = [{each.resource.key for each in all_holdings(chain)} for chain in chains]
    found: list[Wait] = []
    for number, facts in enumerate(stuck.facts):
        if facts.on is not None:
            found.append(Wait(None, {numbers[key]: None for key in facts.on if key in numbers}))
            continue
        reach = stuck.reach
        reach.only_waiting(number)
        ending = _ending(chains[number].links, facts, reach, number)
        wakers: dict[int, Place | None] = {}
        for other, chain in enumerate(chains):
            if other == number:
                continue
            if facts.resource in held[other]:
                wakers[other] = None
            elif reach.having(other) or any(_names(link, stuck.named, reach) for link in chain.links):
                line = next((place for link in chain.links if (place := _mentions(link, ending))), None)
                if line is not None:
                    wakers[other] = line
        found.append(Wait(_thing(reach, number), wakers, ending))
    return _of_others(found)


def _names(link: Link, named: Sequence[Named], reach: Reach) -> bool:
    """Whether the code of `link` has it by the name of a variable of its module."""
    return link.frame is not None and any(
        module is link.frame.f_globals
        and name in link.frame.f_code.co_names
        and reach.leads(module.get(name))
        for module, name in named
    )


def _of_others(waits: list[Wait]) -> list[Wait]:
    """Who waits for the same thing himself is no waker of it: he would be one only after another one was."""
    return [
        wait
        if wait.thing is None
        else wait._replace(
            wakers={other: line for other, line in wait.wakers.items() if waits[other].thing != wait.thing}
        )
        for wait in waits
    ]


def _ending(links: Sequence[Link], facts: Facts, reach: Reach, number: int) -> frozenset[str]:
    for link in reversed(links[-2:]):
        if link.name in _OF_QUEUES and link.module.partition(".")[0] in _MODULES:
            return _OF_QUEUES[link.name]
    if facts.kind == "queue":
        # Tornado's, and ours: who waits for room left the item with the future.
        future = reach.futures[number]
        holders = () if future is None else reach.holders.get(future, ())
        return _GETS if any(type(reach.objects[each]) is tuple for each in holders) else _PUTS
    return _ENDING.get(facts.kind, frozenset())


def _thing(reach: Reach, number: int) -> int | None:
    for index in sorted(reach.owned):
        kind = type(reach.objects[index])
        if any(base.__name__ in _SHARED and base.__module__.startswith(_MODULES) for base in kind.__mro__):
            return index
    return reach.futures[number]


def _mentions(link: Link, names: frozenset[str]) -> Place | None:
    """The line where the code of `link` mentions one of `names` as something that it calls: the first one after where
    it stands, or else one before that it may come to again."""
    if link.frame is None or link.module.partition(".")[0] in _MODULES:
        return None
    code, here = link.frame.f_code, link.frame.f_lasti
    reached = later(code, here) if is_readable(code) else None
    lines = [
        (offset <= here, offset, line)
        for offset, line in _lines(code, names)
        # A function within is called at any time.
        if offset < 0 or reached is None or offset in reached
    ]
    return None if not lines else place_of(link.frame)._replace(line=min(lines)[2])


@lru_cache(maxsize=256)
def _lines(code: CodeType, names: frozenset[str]) -> tuple[tuple[int, int], ...]:
    return tuple(_each_line(code, names))


def _each_line(code: CodeType, names: frozenset[str]) -> Iterator[tuple[int, int]]:
    for each in with_inner(code):
        if names.isdisjoint(each.co_names):
            continue
        for instruction in dis.get_instructions(each):
            if (
                instruction.argval in names
                and instruction.opcode in _NAMES
                and instruction.positions is not None
            ):
                yield (
                    (instruction.offset if each is code else -1),
                    instruction.positions.lineno or each.co_firstlineno,
                )


_NAMES = frozenset(dis.hasname)
