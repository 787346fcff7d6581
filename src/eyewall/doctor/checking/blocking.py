"""Calls that block, in code that runs in a loop, and in plain functions that such code calls.

    async def get(self):          loop code
        rows = load_rows()        told here, "by sqlite3.connect() at rows.py:12"
    def load_rows():              no loop code itself: a thread may call it as well
        connect = sqlite3.connect(...)

What is awaited, given to an executor or merely passed on is not called here, and not told of.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from eyewall.doctor.checking.loopcode import LoopCode
from eyewall.doctor.checking.program import Program
from eyewall.doctor.checking.scopes import Class, Function

#: Functions between the loop's code and the call that blocks, at most.
REACH = 3


class BlockingCalls(Protocol):
    """A table of calls that block. `calls`: their full names. `reach`: as `REACH`, for this table."""

    calls: frozenset[str]
    reach: int

    def blocks(self, call: ast.Call, name: str, function: Function) -> bool:
        """Whether this call, of something in the table, does block."""


@dataclass(frozen=True, slots=True)
class Step:
    """A call in the code of a function."""

    function: Function
    call: ast.Call


@dataclass(frozen=True, slots=True)
class Block:
    """A call that blocks: `name` is what is called in the last of `steps`, the first of which is in the loop's code."""

    table: BlockingCalls
    name: str
    steps: tuple[Step, ...]


class Blocking:
    """All calls that block a loop, of a program, found when first asked for."""

    def __init__(self, program: Program, loop: LoopCode, tables: list[BlockingCalls]) -> None:
        self._program = program
        self._loop = loop
        self._tables = {name: table for table in tables for name in table.calls}
        self._found: list[Block] | None = None
        self._within: dict[tuple[Function, int], list[Block]] = {}

    def found_by(self, table: BlockingCalls) -> Iterator[Block]:
        """The calls that block according to `table`."""
        if self._found is None:
            self._found = [block for function in self._loop.reasons for block in self._of(function, REACH)]
        for block in self._found:
            if block.table is table and len(block.steps) <= table.reach + 1:
                yield block

    def _of(self, function: Function, reach: int) -> list[Block]:
        """The calls that block in a function, and for each call of another function the first of each kind there."""
        key = (function, reach)
        if key not in self._within:
            # A function that calls itself.
            self._within[key] = []
            self._within[key] = list(self._search(function, reach))
        return self._within[key]

    def _search(self, function: Function, reach: int) -> Iterator[Block]:
        for call in function.calls:
            if id(call) in function.awaited:
                continue
            target = self._program.callee(call, function)
            step = Step(function, call)
            if isinstance(target, str):
                table = self._tables.get(target)
                if table is not None and table.blocks(call, target, function):
                    yield Block(table, target, (step,))
            elif reach and (helper := self._helper(target)) is not None:
                told: set[int] = set()
                for block in sorted(self._of(helper, reach - 1), key=lambda each: len(each.steps)):
                    if id(block.table) not in told:
                        told.add(id(block.table))
                        yield Block(block.table, block.name, (step, *block.steps))

    def _helper(self, target: object) -> Function | None:
        """Returns the plain function that runs when `target` is called; code of the loop is looked at by itself."""
        if isinstance(target, Class):
            target = self._program.method(target, "__init__")
        if not isinstance(target, Function) or target in self._loop.reasons or target.yields:
            return None
        # A decorator may have it run in a thread, or anything else; few leave a function as it is.
        if any(self._program.named(each, target) not in _HARMLESS for each in target.decorators):
            return None
        return target


#: Decorators under which a function still runs where it is called.
_HARMLESS = frozenset(
    f"{name}"
    for name in (
        "builtins.staticmethod",
        "builtins.classmethod",
        "functools.cache",
        "abc.abstractmethod",
        "typing.final",
        "typing.override",
    )
)
