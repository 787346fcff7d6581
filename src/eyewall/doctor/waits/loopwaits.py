"""A loop whose thread waits for something that only the loop can do.

    def on_message(self, message):                  # in the loop's thread
        future = asyncio.run_coroutine_threadsafe(self.store(message), loop)
        future.result()                             # which waits for the loop, which waits here

The thread stands in a function of the standard library that waits: for `concurrent.futures` futures, an event, a
condition, a queue, or another thread. What it waits for is the loop's to do where it hangs on a handle or a task of the
loop, or on a thread that waits for such a thing in turn: one that does the job, or all that have the event or queue in
a variable, or in an attribute of one. And a thread may wait for a lock of `threading` that a suspended coroutine holds,
or a thread that waits for the loop: neither can give it back before the loop goes on. Of a thread that runs nobody can
see what it holds, but the `with` statements that it is in can be read, and which locks they name.

All of this is read from frames of threads that wait, by another thread: the loop's own can't look.
"""

from __future__ import annotations

import asyncio
import dis
import gc
import queue
import threading
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from concurrent import futures
from functools import partial
from types import BuiltinFunctionType, CellType, CodeType, FrameType, FunctionType, MethodType
from typing import Any, NamedTuple

from eyewall.doctor.finding import Evidence, Finding, Severity
from eyewall.doctor.flow import is_readable
from eyewall.doctor.places import Place, culprit_of, place_of, places_of, stack_of
from eyewall.doctor.subjects import subject_of
from eyewall.doctor.sweep import references
from eyewall.doctor.waits.holdings import exits_of
from eyewall.doctor.waits.links import chain_of
from eyewall.doctor.waits.variables import values_of
from eyewall.doctor.waits.withblocks import with_lines

#: Functions that wait, by module and name, for what is their `self`, and the words for it: the outermost one counts.
_WAITING = {
    ("concurrent.futures._base", "Future.result"): "a future",
    ("concurrent.futures._base", "Future.exception"): "a future",
    ("threading", "Event.wait"): "an event",
    ("threading", "Condition.wait"): "a condition",
    ("threading", "Condition.wait_for"): "a condition",
    ("threading", "Semaphore.acquire"): "a semaphore of threading",
    ("threading", "Barrier.wait"): "a barrier of threading",
    ("threading", "Thread.join"): "the end of a thread",
    ("queue", "Queue.get"): "an item in a queue of threads",
    ("queue", "Queue.put"): "room in a queue of threads",
    ("queue", "Queue.join"): "everything in a queue of threads to be dealt with",
}
#: The same for several futures, in a variable.
_SEVERAL = {
    ("concurrent.futures._base", "wait"): "not_done",
    ("concurrent.futures._base", "as_completed"): "pending",
}
_LIBRARY = ("threading", "concurrent.futures._base", "queue")
#: Functions in which an executor runs a job, by name, and the variable that has the job.
_RUNNING = {"_WorkItem.run": "self", "ThreadedExecutor._do": "job"}
_LOCKS = (type(threading.Lock()), type(threading.RLock()))
#: Threads that wait for each other, and objects between a loop and what it completes, that are followed.
DEPTH = 5
BUDGET = 20_000


class _Wait(NamedTuple):
    """What a thread waits for, of which `every` one has to come to pass, or one; and the words for it."""

    subjects: tuple[Any, ...]
    words: str
    every: bool = True


def loop_waits_for_itself(
    frames: Mapping[int, FrameType], loop: asyncio.AbstractEventLoop, thread: int | None = None
) -> Finding | None:
    """Returns the finding that `loop` waits for what only it can do; None where it does not, or that is not certain.

    `frames`: what `sys._current_frames()` returns; `thread`: the identity of the thread that runs the loop, which
    asyncio's own loops know. To be called in another thread.
    """
    thread = getattr(loop, "_thread_id", None) if thread is None else thread
    frame = None if thread is None else frames.get(thread)
    if frame is None:
        return None
    stack = stack_of(frame)
    wait = _waits_for(stack)
    if wait is None:
        return _held_lock(stack, loop, {key: each for key, each in frames.items() if key != thread})
    others: dict[str, tuple[Place, ...]] = {}
    if _hangs(loop, wait, frames, (thread,), others):
        return _finding(stack, wait.words, others)
    return None


def _hangs(
    loop: asyncio.AbstractEventLoop,
    wait: _Wait,
    frames: Mapping[int, FrameType],
    threads: tuple[int | None, ...],
    others: dict[str, tuple[Place, ...]],
) -> bool:
    """Whether what is waited for needs the loop. `threads`: those that wait, one for the other; what others of them
    there are is added to `others`."""
    answers = (_needs(loop, each, frames, threads, others) for each in wait.subjects)
    return any(answers) if wait.every else bool(wait.subjects) and all(answers)


def _needs(
    loop: asyncio.AbstractEventLoop,
    thing: object,
    frames: Mapping[int, FrameType],
    threads: tuple[int | None, ...],
    others: dict[str, tuple[Place, ...]],
) -> bool:
    if _is_for(loop, thing):
        return True
    if len(threads) > DEPTH or _is_over(thing):
        return False
    found = _threads_of(thing, frames, threads)
    seen: dict[str, tuple[Place, ...]] = {}
    for each in found:
        behind = stack_of(frames[each])
        wait = _waits_for(behind)
        if wait is None or not _hangs(loop, wait, frames, (*threads, each), seen):
            return False
        seen[f"thread {_name(each)}, which waits for the loop"] = places_of(behind)
    others.update(seen)
    return bool(found)


def _waits_for(stack: Sequence[FrameType]) -> _Wait | None:
    found = None
    for frame in reversed(stack):
        module = frame.f_globals.get("__name__")
        if module not in _LIBRARY:
            break
        key = module, frame.f_code.co_qualname
        if key in _SEVERAL:
            pending = tuple(each for each in frame.f_locals.get(_SEVERAL[key], ()) if not each.done())
            every = frame.f_locals.get("return_when") == futures.ALL_COMPLETED
            found = _Wait(pending, "futures", every)
        elif key in _WAITING:
            subject, words = frame.f_locals.get("self"), _WAITING[key]
            if isinstance(subject, threading.Thread):
                words = f"the end of thread {subject.name}"
            found = _Wait((subject,), words)
    return found


def _is_for(loop: asyncio.AbstractEventLoop, thing: object) -> bool:
    """Whether `thing` hangs on something that only the loop can do."""
    if isinstance(thing, futures.Future):
        if thing.done():
            return False
        # `run_coroutine_threadsafe` ties it to a task, as soon as the loop has come to that.
        for callback in getattr(thing, "_done_callbacks", ()):
            for cell in getattr(callback, "__closure__", None) or ():
                source = _content(cell)
                if asyncio.isfuture(source) and source.get_loop() is loop:
                    return True
    elif not isinstance(thing, _SHARED) or _is_over(thing):
        return False
    return _leads_to(loop, thing)


def _is_over(thing: object) -> bool:
    """Whether it has come to pass, and those who waited for it are about to go on."""
    if isinstance(thing, threading.Event):
        return thing.is_set()
    return isinstance(thing, queue.Queue) and 0 < thing.qsize() != thing.maxsize


#: What a thread waits for and any other one may bring about that has it.
_SHARED = (threading.Event, threading.Condition, threading.Semaphore, threading.Barrier, queue.Queue)
_HANDLES = ("Handle", "TimerHandle")
_FOLLOWED = (FunctionType, MethodType, BuiltinFunctionType, CellType, partial, deque, list, tuple)


def _leads_to(loop: asyncio.AbstractEventLoop, thing: object) -> bool:
    """Whether what the loop is to call next has `thing`."""
    line: list[tuple[object, int]] = [(each, 0) for each in _queues(loop)]
    seen: set[int] = set()
    while line and len(seen) < BUDGET:
        each, distance = line.pop()
        for inner in _parts(each):
            if inner is thing:
                return True
            known = isinstance(inner, _FOLLOWED) or type(inner).__name__ in _HANDLES
            if known and distance < 6 and id(inner) not in seen:
                seen.add(id(inner))
                line.append((inner, distance + 1))
    return False


def _queues(loop: asyncio.AbstractEventLoop) -> list[object]:
    """The queue of what is ready; uvloop shows it to the collector only."""
    fields = gc.get_referents(loop)
    inside = [part for each in fields if type(each) is dict for part in each.values()]
    return [each for each in (*fields, *inside) if isinstance(each, deque)]


def _parts(each: object) -> Iterable[object]:
    if isinstance(each, FunctionType):
        return each.__closure__ or ()
    if isinstance(each, MethodType):
        # The method may use what its object has.
        return [each.__func__, each.__self__, *_fields(each.__self__)]
    return gc.get_referents(each)


def _fields(thing: object) -> list[object]:
    return list(vars(thing).values()) if hasattr(thing, "__dict__") and not isinstance(thing, type) else []


def _content(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return None


def _threads_of(thing: object, frames: Mapping[int, FrameType], waiting: tuple[int | None, ...]) -> list[int]:
    """The threads that have to go on before `thing` comes to pass, besides those that wait for it already."""
    if isinstance(thing, threading.Thread):
        ident = thing.ident
        return [ident] if ident is not None and ident in frames and ident not in waiting else []
    if isinstance(thing, futures.Future):
        for ident, frame in frames.items():
            for each in stack_of(frame):
                variable = _RUNNING.get(each.f_code.co_qualname)
                if variable is not None and getattr(each.f_locals.get(variable), "future", None) is thing:
                    return [ident] if ident not in waiting else []
        return []
    if not isinstance(thing, _SHARED):
        return []
    return [
        ident
        for ident, frame in frames.items()
        if ident not in waiting and any(_has(each, thing) for each in stack_of(frame))
    ]


def _has(frame: FrameType, thing: object) -> bool:
    """Whether `frame` has it in a variable, in one of its module, or in an attribute of what it has there."""
    named = (frame.f_globals.get(name) for name in frame.f_code.co_names)
    for each in (*values_of(frame).values(), *named):
        if each is thing or any(inner is thing for inner in _fields(each)):
            return True
    return False


def _held_lock(
    stack: Sequence[FrameType], loop: asyncio.AbstractEventLoop, others: Mapping[int, FrameType]
) -> Finding | None:
    """Whether the innermost frame waits for a lock of `threading` that a suspended coroutine of the loop holds, or one
    of the `others`, threads, that waits for the loop."""
    frame = stack[-1]
    if not _takes(frame):
        return None
    locks = _locks_of(frame, frame.f_lineno) or _locks_of(frame)
    wanted = {id(each) for each in locks if _is_locked(each)}
    if not wanted:
        return None
    for reference in references(loop):
        task = reference()
        if task is None or task.done() or task.get_loop() is not loop:
            continue
        for link in chain_of(task).links:
            if link.frame is None or link.frame in stack:
                continue
            for owner in exits_of(gc.get_referents(link.subject)):
                if isinstance(owner, _LOCKS) and id(owner) in wanted:
                    lines = with_lines(link.frame) or ()
                    place = place_of(link.frame)
                    taken = place._replace(line=lines[-1]) if lines else place
                    held = {f"task {task.get_name()} holds it, taken at": (taken,)}
                    return _finding(stack, f"a lock of threading that task {task.get_name()} holds", held)
    for ident, innermost in others.items():
        behind = stack_of(innermost)
        wait = _waits_for(behind)
        if wait is None or not any(_is_for(loop, each) for each in wait.subjects):
            continue
        for frame in behind:
            for line in with_lines(frame) or ():
                if any(id(each) in wanted for each in _locks_of(frame, line)):
                    name = _name(ident)
                    seen: dict[str, tuple[Place, ...]] = {
                        f"thread {name} holds it, taken at": (place_of(frame)._replace(line=line),),
                        f"thread {name}, which waits for the loop": places_of(behind),
                    }
                    return _finding(stack, f"a lock of threading that thread {name} holds", seen)
    return None


def _is_locked(lock: Any) -> bool:
    # One that can be taken again by its thread does not say before Python 3.14.
    locked = getattr(lock, "locked", None)
    return locked is None or bool(locked())


def _takes(frame: FrameType) -> bool:
    """Whether `frame` stands at a `with` statement that is being entered, or calls `acquire`."""
    if not is_readable(frame.f_code):
        return False
    called = ""
    for each in dis.get_instructions(frame.f_code):
        if each.offset > frame.f_lasti:
            break
        if each.opname in ("LOAD_METHOD", "LOAD_ATTR", "LOAD_SUPER_ATTR"):
            called = str(each.argval)
        elif each.opname == "BEFORE_WITH":
            called = "acquire"
        if each.offset == frame.f_lasti:
            return called == "acquire" and each.opname.startswith(("BEFORE_WITH", "CALL", "PRECALL"))
    return False


def _locks_of(frame: FrameType, line: int | None = None) -> list[Any]:
    """The locks that `frame` may be about, or those that it names on a `line`."""
    names: Iterable[str] = frame.f_code.co_names
    variables = frame.f_locals
    if line is None:
        values = list(variables.values())
    else:
        names = _names_on(frame.f_code, line)
        values = [variables[name] for name in names if name in variables]
    values.extend(frame.f_globals[name] for name in names if name in frame.f_globals)
    found: list[Any] = []
    for each in values:
        if isinstance(each, _LOCKS):
            found.append(each)
        elif hasattr(each, "__dict__") and not isinstance(each, type):
            found.extend(
                value for name, value in vars(each).items() if name in names and isinstance(value, _LOCKS)
            )
    return found


def _names_on(code: CodeType, line: int) -> list[str]:
    """The variables and attributes that a line names."""
    return [
        each.argval
        for each in dis.get_instructions(code)
        if each.positions is not None and each.positions.lineno == line and isinstance(each.argval, str)
    ]


def _name(ident: int) -> str:
    return next((each.name for each in threading.enumerate() if each.ident == ident), str(ident))


def _finding(stack: Sequence[FrameType], words: str, others: Mapping[str, tuple[Place, ...]]) -> Finding:
    return Finding(
        "loop-waits-for-itself",
        Severity.ERROR,
        f"The loop's thread waits for {words}, which only the loop itself can bring about: nothing will go on",
        "Await it instead: asyncio.wrap_future(future), loop.run_in_executor, or a lock of asyncio; never wait in the "
        "loop's thread for what the loop has to do.",
        place=culprit_of(stack),
        subject=subject_of(stack),
        evidence=Evidence(stacks={"the loop waits in": places_of(stack), **others}),
    )
