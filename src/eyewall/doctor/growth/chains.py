"""What keeps an object alive: the chain of references from a module, a class or a coroutine down to it.

    module `app`  <-  class ChatHandler  <-  its dict  <-  the set `clients`  <-  the object

The collector can say who refers to an object, and for that it goes over all objects that it knows: a sixth of a second
where there are a million, and nothing else of the program runs meanwhile. So a search goes one level up with each pass,
breadth first, for all objects of the level at once; whoever orders the passes decides how often that may be. Objects
that are found are held until the search is over.

A reference is strong or it does not count: the collector knows of no weak ones. What is referred to by nothing but a
circle has no root, and is garbage.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Iterator
from itertools import pairwise
from threading import Thread
from types import AsyncGeneratorType, CoroutineType, FrameType, FunctionType, GeneratorType, ModuleType
from typing import Any, NamedTuple

from eyewall.doctor.growth import naming

#: Levels that are gone up, at most.
DEPTH = 20
#: Objects of a level that are gone on with, at most.
WIDTH = 60
#: Levels that are gone on for after something was found that runs, to find a module or class that holds it, too.
FURTHER = 4
#: Things that run and hold it which are remembered: some of them end while the search goes on.
RUNNING = 20

#: Modules of ours whose objects hold others only to watch them.
_OWN = ("eyewall.doctor.",)
#: What holds a handler for as long as its request runs, though it is found from a module.
_DISPATCH = ("eyewall.web.dispatch", "Dispatch")
_SUSPENDED = (CoroutineType, GeneratorType, AsyncGeneratorType)


class Chain(NamedTuple):
    """How something is kept alive.

    `text`: the references, from the root on ("app.ChatHandler.clients (set)"). `names`: the names in it, from the
    last ("clients") to the first; after that of what has the object, those by which coroutines know it. `lasting`:
    whether the root is a module or a class, not something that runs. `direct`: whether what runs has the object itself
    as a variable. `collected`: whether it is in a container, rather than an attribute or a variable. `path`: the
    objects, from the root to the object itself.
    """

    text: str
    names: tuple[str, ...]
    lasting: bool
    direct: bool
    collected: bool
    path: tuple[object, ...]


class _Node:
    """An object on the way up, and the one below it that it refers to."""

    __slots__ = ("below", "thing")

    def __init__(self, thing: object, below: _Node | None) -> None:
        self.thing = thing
        self.below = below


class Search:
    """Looks for what keeps `target` alive. `step` goes up one level; `chain` is what was found, None for nothing."""

    def __init__(self, target: object, *, depth: int = DEPTH, width: int = WIDTH) -> None:
        self.chain: Chain | None = None
        self._depth = depth
        self._width = width
        self._seen: dict[int, _Node] = {}
        self._level = [_Node(target, None)]
        self._seen[id(target)] = self._level[0]
        self._running: list[_Node] = []
        self._further = FURTHER
        self._modules: dict[int, ModuleType] = {}

    def step(self) -> bool:
        """Goes up one level: one pass over all objects. Returns whether the search is over."""
        self._modules = {id(vars(module)): module for module in _modules()}
        level, self._level = self._level, []
        targets = {id(node.thing): node for node in level}
        ours = self._ours(level, targets)
        found = gc.get_referrers(*[node.thing for node in level])
        for referrer in found:
            if id(referrer) in self._seen or id(referrer) in ours or referrer is found:
                continue
            below = _referred(referrer, targets)
            if below is None:
                continue
            node = _Node(referrer, below)
            if self._is_lasting(referrer):
                self.chain = self._chain(node)
                if self.chain is not None:
                    break
                continue
            self._seen[id(referrer)] = node
            if isinstance(referrer, _SUSPENDED) or _runs(referrer):
                if len(self._running) < RUNNING:
                    self._running.append(node)
            elif _leads_on(referrer) and len(self._level) < self._width:
                self._level.append(node)
        del found
        if self.chain is None:
            self._depth -= 1
            # Some have let go of it meanwhile, or ended.
            self._running = [each for each in self._running if _holds(_path(each))]
            self._further = self._further - 1 if self._running else FURTHER
            if self._level and self._depth > 0 and self._further > 0:
                return False
            self.chain = self._chain(self._running[0]) if self._running else None
        self._level = []
        self._seen.clear()
        self._running = []
        return True

    def _chain(self, root: _Node) -> Chain | None:
        path = _path(root)
        module = self._modules.get(id(root.thing))
        if not _holds(path):
            return None
        text, names = naming.chain_text(path, module)
        collected = naming.is_collected(path, module)
        lasting = self._is_lasting(root.thing)
        if collected:
            names = tuple(dict.fromkeys((*names[:1], *self._aliases(path[-2]), *names[1:])))
        return Chain(text, names, lasting, len(path) == 2, collected, tuple(path))

    def _aliases(self, thing: object) -> Iterator[str]:
        """Yields the names of the variables of coroutines that have `thing`."""
        for each in self._running:
            if each.below is not None and each.below.thing is thing and isinstance(each.thing, _SUSPENDED):
                name = naming.variable_of(each.thing, thing)
                if name is not None:
                    yield name

    def _is_lasting(self, thing: object) -> bool:
        return id(thing) in self._modules or isinstance(thing, (type, ModuleType))

    def _ours(self, level: list[_Node], targets: dict[int, _Node]) -> set[int]:
        """Returns, by identity, what refers to the objects only because they are looked for."""
        ours = {id(level), id(targets), id(self._seen), id(self.__dict__), id(self)}
        ours.update(id(node) for node in self._seen.values())
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            ours.add(id(frame))
            frame = frame.f_back
        return ours


def _path(root: _Node) -> list[object]:
    """Returns the objects from that of `root` down to the one that is looked for."""
    path: list[object] = []
    node: _Node | None = root
    while node is not None:
        path.append(node.thing)
        node = node.below
    return path


def _modules() -> Iterator[ModuleType]:
    for module in list(sys.modules.values()):
        if isinstance(module, ModuleType):
            yield module


def _referred(referrer: object, targets: dict[int, _Node]) -> _Node | None:
    """Returns which of the objects `referrer` refers to."""
    for each in gc.get_referents(referrer):
        node = targets.get(id(each))
        if node is not None:
            return node
    return None


def _holds(path: list[object]) -> bool:
    """Whether each still refers to the next: between two passes the program goes on."""
    return all(any(found is thing for found in gc.get_referents(owner)) for owner, thing in pairwise(path))


def _runs(thing: object) -> bool:
    """Whether `thing` is a root that will be gone some time."""
    if isinstance(thing, (Thread, asyncio.Handle, asyncio.AbstractEventLoop)):
        return True
    if isinstance(thing, asyncio.Task):
        return not thing.done()
    if _is_dispatch(thing):
        return not getattr(getattr(thing, "handler", None), "_finished", False)
    # Handles of uvloop are of kinds of their own.
    return type(thing).__module__ == "uvloop.loop" and type(thing).__name__ in ("Handle", "TimerHandle")


def _is_dispatch(thing: object) -> bool:
    return (type(thing).__module__, type(thing).__name__) == _DISPATCH


def _is_running(frame: FrameType) -> bool:
    """Whether `frame` is on the stack of a thread."""
    for top in sys._current_frames().values():
        each: FrameType | None = top
        while each is not None:
            if each is frame:
                return True
            each = each.f_back
    return False


def _leads_on(thing: object) -> bool:
    if isinstance(thing, FrameType):
        # One of an exception that somebody keeps. Others belong to what runs.
        return not _is_running(thing)
    if isinstance(thing, FunctionType):
        return True
    # Of a request that is over, the dispatch goes with its handler.
    return not (str(type(thing).__module__).startswith(_OWN) or _is_dispatch(thing))


def chain_of(target: Any, passes: int = DEPTH) -> Chain | None:
    """Returns what keeps `target` alive, after at most so many passes at once; for programs that can wait."""
    search = Search(target, depth=passes)
    while not search.step():
        pass
    return search.chain
