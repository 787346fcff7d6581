"""What a chain of awaits ends in: in words, and what would let it go on.

The innermost links say it where they are functions of asyncio, Tornado, Eyewall or AnyIO that are known by name;
otherwise the future does, by its kind and by what hangs on it. What is known of nobody is a "future", of which
only the program knows who completes it.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterable, Iterator, Sequence
from concurrent import futures
from functools import partial
from types import CellType, FunctionType
from typing import Any, NamedTuple, TypeGuard

from eyewall.doctor.waits.holdings import exits_of
from eyewall.doctor.waits.links import Chain, Link
from eyewall.doctor.waits.resources import DISTANCE, Resource, owner_of, resource_of

_KNOWN = ("asyncio", "tornado", "eyewall", "anyio", "uvloop")
#: Futures one behind the other that are followed.
DEPTH = 20
#: The last parts of the names of functions that take something.
_TAKING = ("acquire", "acquire_on_behalf_of", "__aenter__", "enter", "lend", "_wait")
#: Functions of asyncio by name: the kind of what they wait for, and how to say it.
_NAMED = {
    "Event.wait": ("event", "an event to be set"),
    "Condition.wait": ("condition", "a condition to be notified"),
    "Queue.get": ("queue", "an item in a queue"),
    "Queue.put": ("queue", "room in a queue"),
    "Queue.join": ("queue", "everything in a queue to be dealt with"),
    "Barrier._wait": ("barrier", "others at a barrier"),
    "Barrier._block": ("barrier", "a barrier to be free"),
    "StreamReader._wait_for_data": ("socket", "bytes to read"),
    "FlowControlMixin._drain_helper": ("socket", "the peer to take bytes"),
    "BaseSubprocessTransport._wait": ("process", "a process to end"),
    "BaseEventLoop._sock_connect": ("socket", "a connection"),
    "Server.serve_forever": ("server", "the end of a server"),
}
#: Functions of asyncio that wait for several: whether all have to be done.
_SEVERAL = (
    "_wait",
    "TaskGroup.__aexit__",
    "_AsCompletedIterator._wait_for_one",
    "as_completed.<locals>._wait_for_one",
)


class End(NamedTuple):
    """What somebody waits for.

    `kind`: "lock", "task", "timer", "socket", …; `words`: the same for people, as what follows "waits for". `on`:
    futures of which one has to be done, or `every` one; None where others may let it go on, too. `resource`: what is
    to be given back. `until`: a time of the loop's clock at which the wait ends, whatever happens.
    """

    kind: str
    words: str
    on: tuple[Any, ...] | None = None
    every: bool = False
    resource: Resource | None = None
    until: float | None = None
    #: What runs elsewhere: its future, which is one of asyncio for AnyIO.
    job: Any = None


def end_of(chain: Chain) -> End:
    """Returns what `chain` ends in."""
    links, future = chain
    if future is None:
        return End("turn", "its turn in the loop")
    if isinstance(future, futures.Future):
        return _job(future)
    if future.done():  # type: ignore[attr-defined]
        return End("turn", "its turn in the loop: what it waited for is done")
    found = _by_links(links, future)
    if found is None:
        found = _by_future(links, future)
    until = time_limit(links, future) if found.until is None else found.until
    return found if until is None else found._replace(until=until)


def time_limit(links: Sequence[Link], future: object) -> float | None:
    """Returns when a timeout around the wait ends it, None for never: at a time of the loop's clock."""
    times = [handle.when() for handle in _timers(future)]
    for link in links:
        if link.module.startswith("eyewall.guard"):
            # That a limit ends the wait is no way out, but how it fails.
            continue
        referents = gc.get_referents(link.subject)
        times.extend(each.when() for each in referents if _is_timer(each))
        for owner in exits_of(referents):
            time = _when(owner)
            if isinstance(time, (int, float)) and time < float("inf"):
                times.append(time)
    return min(times, default=None)


def _when(owner: Any) -> object:
    """When a context manager ends what is in it: those of asyncio, AnyIO and async-timeout."""
    module, name = type(owner).__module__.partition(".")[0], type(owner).__name__
    if module == "asyncio" and name == "Timeout":
        return owner.when()
    return (
        owner.deadline
        if module in ("anyio", "async_timeout") and name in ("CancelScope", "Timeout")
        else None
    )


def _timers(future: object) -> Iterator[Any]:
    """The timers that end a future of Tornado or of ours, which hang on a callback that cancels them.

    Callbacks of others tell of those who wait for it, and of how long they do.
    """
    if isinstance(future, asyncio.Task):
        return
    line = [
        each
        for callback in gc.get_referents(future)
        for each in _callbacks(callback)
        if isinstance(each, FunctionType) and each.__module__.partition(".")[0] in ("eyewall", "tornado")
    ]
    for _ in range(DISTANCE):
        following: list[Any] = []
        for each in line:
            for inner in (
                gc.get_referents(each) if not isinstance(each, FunctionType) else each.__closure__ or ()
            ):
                if _is_timer(inner):
                    yield inner
                elif isinstance(inner, (FunctionType, CellType, partial, tuple, list)):
                    following.append(inner)
        line = following


def _is_timer(thing: Any) -> bool:
    return type(thing).__name__ == "TimerHandle" and not thing.cancelled()


def _is_all(thing: object) -> bool:
    return type(thing) is str and thing == asyncio.ALL_COMPLETED


def _by_links(links: Sequence[Link], future: object) -> End | None:
    found = None
    for link in reversed(links):
        if link.module.partition(".")[0] not in _KNOWN:
            break
        if found is None:
            found = _by_name(link, future)
        elif link.name in ("Queue.join", "Barrier._wait", "Barrier._block"):
            # They wait for an event or a condition of their own.
            found = _by_name(link, future)
    return found


def _by_name(link: Link, future: object) -> End | None:
    name, module = link.name, link.module
    referents = gc.get_referents(link.subject)
    if name.rpartition(".")[2] in _TAKING:
        resource = _first_resource(referents)
        if resource is not None:
            return _taking(resource)
    if name == "BoundedExecutor.run":
        return next((_job(each.future) for each in referents if type(each).__name__ == "Job"), None)
    if name == "AsyncIOBackend.run_sync_in_worker_thread":
        return End("executor", "a job", job=future)
    if name == "RequestCycle._news_come":
        socket = any(type(each).__name__ == "WebSocketCycle" for each in referents)
        words = "a message of a WebSocket" if socket else "content of the request, or its client to leave"
        return End("socket", words)
    if not module.startswith("asyncio"):
        return None
    if name in _NAMED:
        kind, words = _NAMED[name]
        return End(kind, words + _details(referents))
    if name == "sleep":
        timer = next(filter(_is_timer, referents), None)
        return None if timer is None else End("timer", "a timer", until=timer.when())
    if name == "wait_for":
        inner = [each for each in referents if asyncio.isfuture(each) and each is not future]
        return _futures(inner) if inner else None
    if name in _SEVERAL:
        found = _futures(_pending(referents), every=any(map(_is_all, referents)))
        # `asyncio.wait` has the timer of its timeout in a cell.
        timers = [each for each in map(_content, filter(_is_cell, referents)) if _is_timer(each)]
        return found if not timers else found._replace(until=timers[0].when())
    return None


def _is_cell(thing: object) -> TypeGuard[CellType]:
    return isinstance(thing, CellType)


def _first_resource(things: Iterable[object]) -> Resource | None:
    for each in things:
        # A condition's lock is taken when there was a notification; what acquires it is told so.
        resource = resource_of(each)
        if resource is not None:
            return resource
    return None


def _taking(resource: Resource) -> End:
    return End(resource.word, str(resource), resource=resource)


def _pending(things: Iterable[object]) -> list[Any]:
    found: dict[int, Any] = {}
    for each in things:
        inside = gc.get_referents(each) if isinstance(each, (set, list, tuple)) else ()
        if type(each).__name__ == "TaskGroup":
            inside = [task for tasks in gc.get_referents(each) for task in _flat(tasks)]
        for future in inside:
            if asyncio.isfuture(future) and not future.done():
                found[id(future)] = future
    return list(found.values())


def _flat(thing: object) -> list[object]:
    """The members of a set, also of one in a dictionary of attributes."""
    if isinstance(thing, dict):
        return [each for value in thing.values() if isinstance(value, set) for each in value]
    return list(thing) if isinstance(thing, set) else []


def _futures(several: Sequence[Any], every: bool = False, depth: int = 0) -> End:
    pending = [each for each in several if not each.done()]
    if len(pending) == 1:
        only = pending[0]
        if isinstance(only, asyncio.Task):
            return End("task", f"task {only.get_name()}", on=(only,))
        return _by_future((), only, depth + 1) if depth < DEPTH else End("future", "a future")
    names = [each.get_name() for each in pending if isinstance(each, asyncio.Task)]
    if not names:
        return End("tasks", f"{len(pending)} futures", on=tuple(pending), every=every)
    listed = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
    others = len(pending) - len(names)
    words = f"{len(names)} task{'s' * (len(names) != 1)}: {listed}"
    if others:
        words += f"; and {others} future{'s' * (others != 1)}"
    return End("tasks", words, on=tuple(pending), every=every)


def _by_future(links: Sequence[Link], future: Any, depth: int = 0) -> End:
    if isinstance(future, asyncio.Task):
        return End("task", f"task {future.get_name()}", on=(future,))
    children = getattr(future, "_children", None)
    if isinstance(children, (list, tuple)) and children:
        return _futures([each for each in children if not each.done()], depth=depth)
    inner = _inner(future)
    if isinstance(inner, futures.Future):
        return _job(inner)
    if inner is not None:
        return _futures([inner], depth=depth)
    number = _descriptor(future)
    if number is not None:
        return End("socket", f"file descriptor {number}")
    return _by_owner(links, future) or End("future", "a future")


#: What the functions of asyncio that are put on such a future call the other one. Those that are put on the other one,
#: and on each that is gathered, know the one that waits for it.
_SOURCES = ("inner", "source")


def _inner(future: object) -> Any:
    """What a future is completed by that only passes on how another one ended: `shield`, `wrap_future`."""
    for callback in gc.get_referents(future):
        for each in _callbacks(callback):
            if isinstance(each, FunctionType) and each.__module__ in ("asyncio.tasks", "asyncio.futures"):
                for name, cell in zip(each.__code__.co_freevars, each.__closure__ or (), strict=True):
                    held: Any = _content(cell) if name in _SOURCES else None
                    either = isinstance(held, futures.Future) or asyncio.isfuture(held)
                    if either and held is not future and not held.done():
                        return held
    return None


def _callbacks(thing: object) -> Iterator[object]:
    """A callback of a future, or those in its list of them."""
    if isinstance(thing, (list, tuple)):
        for each in thing:
            yield from _callbacks(each)
    else:
        yield thing


def _content(cell: CellType) -> object:
    try:
        return cell.cell_contents
    except ValueError:
        return None


def _descriptor(future: object) -> int | None:
    for callback in gc.get_referents(future):
        for each in _callbacks(callback):
            if isinstance(each, partial) and each.args and type(each.args[0]) is int:
                return each.args[0]
    return None


def _job(future: futures.Future[Any]) -> End:
    name = getattr(future, "function", None)
    state = "running" if future.running() else "queued"
    words = f"a job in an executor, {state}" if name is None else f"the job {name}, {state}"
    return End("executor", words, job=future)


def _by_owner(links: Sequence[Link], future: object) -> End | None:
    """By what the innermost frame has, or its function's module, that leads to the future."""
    roots: list[object] = [future]
    for link in links[-1:]:
        roots.append(link.subject)
        if link.frame is not None:
            names, values = link.frame.f_code.co_names, link.frame.f_globals
            roots.extend(values[name] for name in names if name in values)
    way = owner_of(future, roots)
    resource = next((found for each in reversed(way) if (found := resource_of(each)) is not None), None)
    if resource is not None:
        return _taking(resource)
    for each in way:
        kind = type(each).__name__
        if kind in _OWNERS and type(each).__module__.partition(".")[0] in _KNOWN:
            return End(*_OWNERS[kind])
    for each in way:
        module = type(each).__module__.partition(".")[0]
        if module not in ("builtins", "collections", "functools", "types", "_asyncio"):
            return End("future", f"a future that a {type(each).__qualname__} has")
    return None


#: By the name of the class of what has a future.
_OWNERS = {
    "Event": ("event", "an event to be set"),
    "Condition": ("condition", "a condition to be notified"),
    "Queue": ("queue", "a queue"),
    "PriorityQueue": ("queue", "a queue"),
    "LifoQueue": ("queue", "a queue"),
    "IOStream": ("socket", "a stream"),
    "SSLIOStream": ("socket", "a stream"),
    "UVProcessTransport": ("process", "a process to end"),
}


def _details(referents: Iterable[object]) -> str:
    """What is known of a connection or process that is waited for."""
    for each in referents:
        if type(each).__module__.partition(".")[0] not in ("asyncio", "uvloop"):
            continue
        transport = getattr(each, "_transport", None)
        if transport is None and isinstance(each, asyncio.BaseTransport):
            transport = each
        ask = getattr(transport, "get_extra_info", None)
        if ask is None:
            continue
        peer, socket = ask("peername"), ask("socket")
        pid = getattr(transport, "get_pid", None)
        if pid is not None:
            return f" (pid {pid()})"
        if socket is not None and peer:
            return f" (file descriptor {socket.fileno()}, peer {_address(peer)})"
    return ""


def _address(peer: object) -> str:
    return f"{peer[0]}:{peer[1]}" if isinstance(peer, tuple) and len(peer) >= 2 else str(peer)
