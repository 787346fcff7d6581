"""Whether anybody but those who wait can still complete a future.

Who completes a future has to have it. An object that somebody else has, in whatever variable, container, C structure or
other thread, has a reference that the waiting task cannot account for. So the objects that the task leads to are gone
through from the task, its coroutines and the future (never backwards, which would take a look at every object there
is), and the references found are counted:

    task ─► coroutine ─► local variable `event` ─► its waiters ─► future
                    every one of these has as many references as were found: only this task has them

Beginning with the future, each object has to have no more references than were found; those who have it have to be the
waiting task itself, or to be of the same kind in turn. What was not gone through, because it is too far or too large,
shows as a reference that was not found: then somebody may complete the future. A mistake is on that side only. A weak
reference counts as somebody, too.

The same is done for several tasks at once, none of which can go on before another one does: what only they have, nobody
can complete. What somebody else has in a variable that he will never read again counts as had by nobody.

An object of the application may be had by anybody. What it has in an attribute can be used by those who mention the
attribute: `keepers` says so of `uses`, who looks for them.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import weakref
from collections import deque
from collections.abc import Sequence
from types import (
    AsyncGeneratorType,
    CodeType,
    CoroutineType,
    FrameType,
    FunctionType,
    GeneratorType,
    ModuleType,
)
from typing import Any

from eyewall.doctor.places import is_own_file
from eyewall.doctor.waits.links import Link, chain_of
from eyewall.doctor.waits.variables import forgotten
from eyewall.doctor.weak import Weak
from eyewall.guard.deadlines.awaiting import WRAPPERS

#: Objects that are gone through, and how many one may refer to, at most.
BUDGET = 300
#: Links of a task that are gone through before the others.
INNERMOST = 3
WIDEST = 500

_GENERATORS = (GeneratorType, AsyncGeneratorType)
_CONTAINERS = (list, tuple, dict, set, frozenset, deque)
_OPAQUE = (type, ModuleType, CodeType, FrameType, str, bytes, int, float, asyncio.AbstractEventLoop)
_PRIMITIVES = ("asyncio", "tornado.locks", "tornado.queues", "eyewall.loop", "anyio", "uvloop")
#: From Python 3.14 on, a frame may lend itself what it has in a variable: that is one reference, seen twice. It does so
#: over a `yield`, and never over an `await`.
_LENDS = sys.version_info >= (3, 14)

#: A module's variables, and the name of one.
Named = tuple[dict[str, Any], str]


class Reach:
    """What waiting tasks lead to, up to `BUDGET` objects for each, with the references among them. `others`: links of
    tasks, or frames that run, which go on; what they have and will not read again is had by nobody, and as many objects
    that this leads to are gone through besides. `named`: variables
    of modules of which the same is assumed. `keepers`: whether it is of objects of the application, too.

    It must not be kept: it refers to everything that it has gone through.
    """

    def __init__(
        self,
        *tasks: asyncio.Task[Any],
        others: Sequence[Link] = (),
        named: Sequence[Named] = (),
        keepers: bool = False,
    ) -> None:
        self.objects: list[object] = []
        #: What each of the tasks waits for, by its index.
        self.futures: list[int | None] = []
        #: Of each task its coroutines, from the outermost on.
        self.links: list[list[int]] = []
        #: Those that wait, and so do not complete anything.
        self.waiting: set[int] = set()
        #: Of each object those that refer to it, as often as they do.
        self.holders: dict[int, list[int]] = {}
        #: After `only_waiting`: the future, and what leads to it.
        self.owned: set[int] = set()
        self._having: set[int] | None = None
        #: After `only_waiting` has said no: what somebody else has.
        self.shared: int | None = None
        #: After `only_waiting`: objects of the application that have it.
        self.keepers: set[int] = set()
        self._with_keepers = keepers
        #: Coroutines of others: what they have, and may read again, is theirs.
        self._others = {id(link.subject) for link in others if link.subject is not None}
        self._others.update(id(module) for module, _ in named)
        self._indices: dict[int, int] = {}
        self._line: deque[int] = deque()
        chains = [(task, [link.subject for link in self._begin(task)]) for task in tasks]
        # What is waited for is nearest to the innermost links: those of a framework have much else.
        self._go_through(BUDGET // 2 * len(tasks))
        left, self._line = self._line, deque()
        for task, links in chains:
            self.waiting.add(self._enter(task))
            self.links.append([self._enter(link) for link in links])
            self.waiting.update(self.links[-1])
        self._line.extend(left)
        self._go_through(BUDGET // 2 * len(tasks))
        # By itself: others may have so much in their variables that nothing would be left for the tasks.
        self._line.clear()
        self._forget(others, named)
        self._go_through(len(self._line) + BUDGET * len(tasks))

    def _begin(self, task: asyncio.Task[Any]) -> tuple[Link, ...]:
        """Enters what a task waits for, and its innermost links. Returns all of them."""
        links, end = chain_of(task)
        self.futures.append(None if end is None else self._enter(end))
        for link in links[: -INNERMOST - 1 : -1]:
            self._enter(link.subject)
        return links

    def _forget(self, others: Sequence[Link], named: Sequence[Named]) -> None:
        # It hangs on one that does nothing.
        nobody = len(self.objects)
        self.objects.append(None)
        self.waiting.add(nobody)
        for link in others:
            for each in forgotten(link):
                self.holders.setdefault(self._enter(each), []).append(nobody)
        for module, name in named:
            if name in module:
                self.holders.setdefault(self._enter(module[name]), []).append(nobody)

    def _enter(self, each: object) -> int:
        index = self._indices.get(id(each))
        if index is None:
            index = self._indices[id(each)] = len(self.objects)
            self.objects.append(each)
            self._line.append(index)
            if type(each).__name__ in WRAPPERS:
                self.waiting.add(index)
        return index

    def _go_through(self, budget: int) -> None:
        line, holders = self._line, self.holders
        for _ in range(budget):
            if not line:
                break
            index = line.popleft()
            if id(self.objects[index]) in self._others:
                continue
            for inner in references_of(self.objects[index]):
                holders.setdefault(self._enter(inner), []).append(index)

    def only_waiting(self, number: int = 0) -> bool:
        """Whether nobody but the tasks has what the one with this number waits for, or what leads to it."""
        future = self.futures[number]
        if future is None:
            return False
        left = [future]
        seen = {future}
        self.keepers = set()
        self._having = None
        while left:
            index = left.pop()
            if self._with_keepers and is_keeper(self.objects[index]):
                self.keepers.add(index)
                continue
            found = self.holders.get(index, ())
            if _count(self.objects, index) > len(found) or _is_weakly_held(self.objects, index):
                self.shared = index
                return False
            for holder in found:
                if holder not in seen and holder not in self.waiting:
                    seen.add(holder)
                    left.append(holder)
        self.owned = seen
        return True

    def met(self) -> frozenset[int]:
        """The identities of all that it has come to, and that somebody could wait for or reach such a thing by."""
        return frozenset(id(each) for each in self.objects if not isinstance(each, _OPAQUE))

    def leads(self, thing: object) -> bool:
        """After `only_waiting`: whether `thing` is the future, or what leads to it."""
        return self._indices.get(id(thing)) in self.owned

    def having(self, number: int) -> list[int]:
        """After `only_waiting`: of which coroutines of the task with this number it is known that they have the future,
        or what leads to it."""
        if self._having is None:
            self._having = {holder for each in self.owned for holder in self.holders.get(each, ())}
        return [index for index in self.links[number] if index in self._having]

    def is_named(self, link: object) -> bool:
        """After `only_waiting`: whether the coroutine `link` itself has the future, or what leads to it, in a variable
        and did not only pass it on."""
        holder = self._indices.get(id(link))
        return any(holder in self.holders.get(index, ()) for index in self.owned)


def is_keeper(each: object) -> bool:
    """Whether it is an object of a class of the application, with attributes, and no queue or event itself."""
    kind = type(each)
    if isinstance(
        each, (*_OPAQUE, *_CONTAINERS, CoroutineType, *_GENERATORS, FunctionType)
    ) or asyncio.isfuture(each):
        return False
    if not hasattr(each, "__dict__") or any(base.__module__.startswith(_PRIMITIVES) for base in kind.__mro__):
        return False
    file = getattr(sys.modules.get(kind.__module__), "__file__", None)
    # Of what is compiled nobody can read the code.
    return isinstance(file, str) and file.endswith(".py") and is_own_file(file)


def references_of(each: object) -> list[object]:
    """Returns what `each` refers to, as often as it does; nothing of what leads everywhere, or is too wide."""
    if isinstance(each, FunctionType):
        # Its module's names lead everywhere.
        return [
            part for part in (each.__closure__, each.__defaults__, each.__kwdefaults__) if part is not None
        ]
    if isinstance(each, _OPAQUE) or (isinstance(each, _CONTAINERS) and len(each) > WIDEST):
        return []
    found = gc.get_referents(each)
    if _LENDS and isinstance(each, _GENERATORS):
        return list({id(inner): inner for inner in found}.values())
    return found


def _count(objects: list[object], index: int) -> int:
    """Returns how many references there are to an object, besides those of the list, and of this call."""
    return sys.getrefcount(objects[index]) - _OWN


def _is_weakly_held(objects: list[object], index: int) -> bool:
    own = sum(type(each) is Weak for each in weakref.getweakrefs(objects[index]))
    return weakref.getweakrefcount(objects[index]) > own


_OWN = 0
_OWN = _count([object()], 0)
