"""Who waits for whom, as a graph to be drawn: tasks and requests, what they take and give back, executors and threads.

    task  --waits for-->  lock  --is held by-->  task
    task  --waits for-->  executor  --is held by-->  thread
    task  --waits for-->  task, queue, event, ...

It is collected in the thread of whoever asks, a little at a time, with pauses in which the loop gets on; so it is no
moment that it shows, but some tenths of a second where there are thousands of tasks. Nothing is kept alive by it: it
is text and numbers. What waits for nobody, and nobody for it, is only counted. Of the rest there may be too much to
draw: what is in a circle stays, then whatever most wait for, with some of those who wait.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import FrameType
from typing import Any, NamedTuple

from eyewall.doctor.finding import Subject
from eyewall.doctor.places import Place, culprit_of
from eyewall.doctor.subjects import subject_of
from eyewall.doctor.sweep import references
from eyewall.doctor.waits.circles import facts_from, held_by, needs_of
from eyewall.doctor.waits.ends import end_of
from eyewall.doctor.waits.graph import circles
from eyewall.doctor.waits.links import Chain, chain_of, runs
from eyewall.doctor.waits.patience import Facts, Held
from eyewall.doctor.waits.stacks import Known, running_jobs, tornado_runners

#: Nodes that are told of, and of those who wait for the same, how many, unless they are in a circle.
LIMIT = 200
WAITERS = 10
#: Seconds of work between two pauses, of a pause, and of all of it: tasks that are not seen by then are counted.
WORK = 0.002
PAUSE = 0.001
LONGEST = 3.0

WAITS, HELD = "waits for", "is held by"
#: What is waited for, by the name of its class, and is no resource.
_SHARED = ("Queue", "PriorityQueue", "LifoQueue", "Event", "Condition", "Barrier")


class Node(NamedTuple):
    """`seconds`: for how long it has waited, None where nobody has noted. `words`: what it waits for. `waiters`: how
    many wait for it, drawn or not."""

    id: str
    kind: str
    label: str
    place: Place | None = None
    subject: Subject | None = None
    seconds: float | None = None
    words: str = ""
    waiters: int = 0


class Edge(NamedTuple):
    """One waits for another, or is held by it. `place`: where it was taken."""

    source: str
    target: str
    label: str
    place: Place | None = None


class Graph(NamedTuple):
    """`circles`: identities of nodes that wait for each other, in order. `left_out`: nodes with edges that are not
    among these. `alone`: tasks that wait for nobody, and nobody for them. `unseen`: tasks that were not looked at,
    since that took too long. `tasks`: all of them."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    circles: tuple[tuple[str, ...], ...]
    left_out: int
    alone: int
    unseen: int
    tasks: int


class _Job(NamedTuple):
    """What a task waits for that runs elsewhere: `id` of the job; its executor, where that is known."""

    id: int
    words: str
    executor: tuple[int, str] | None


class _Seen(NamedTuple):
    """One task that is suspended."""

    node: Node
    facts: Facts
    holds: tuple[Held, ...]
    resource: str
    shared: tuple[int, str] | None
    job: _Job | None


class Pauses:
    """Lets others have their turn. `clock` is in seconds; `sleep` waits without the interpreter's lock."""

    def __init__(
        self,
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], object] = time.sleep,
        longest: float = LONGEST,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._began = clock()
        self._end = self._began + longest

    def passed(self) -> bool:
        """Pauses where that is due. Returns whether it all takes too long."""
        now = self._clock()
        if now - self._began >= WORK:
            self._sleep(PAUSE)
            self._began = now = self._clock()
        return now >= self._end


def wait_graph(known: Known | None = None, limit: int = LIMIT, pauses: Pauses | None = None) -> Graph:
    """Returns the graph of this process, with at most `limit` nodes. `known`: has what the doctor knows of a task. May
    be called in any thread but is meant for one without a loop: it sleeps."""
    pauses = Pauses() if pauses is None else pauses
    runners = tornado_runners()
    left = references(None)
    seen: dict[int, _Seen] = {}
    tasks = unseen = 0
    for number, reference in enumerate(left):
        if pauses.passed():
            unseen = len(left) - number
            break
        task = reference()
        if task is None or task.done():
            continue
        tasks += 1
        found = _seen(task, runners, known)
        if found is not None:
            seen[id(task)] = found
    nodes, edges = _drawn(seen)
    rings = [_ring(circle, seen) for circle in circles(needs_of(_blocked(seen))[0])]
    return bounded(nodes, edges, rings, limit)._replace(
        alone=len(seen) - sum(1 for each in nodes if each.startswith("t")),
        unseen=unseen,
        tasks=tasks + unseen,
    )


def bounded(
    nodes: Mapping[str, Node], edges: Sequence[Edge], rings: Sequence[Sequence[str]], limit: int
) -> Graph:
    """Returns at most `limit` of `nodes`, all but those of `rings` by how many wait for them. An engine."""
    waiters: dict[str, list[str]] = {}
    holders: dict[str, list[str]] = {}
    for edge in edges:
        # Who waits for something waits for those who hold it.
        waiters.setdefault(edge.target, []).append(edge.source)
        holders.setdefault(edge.source, []).append(edge.target)
    kept: dict[str, None] = dict.fromkeys(node for ring in rings for node in ring)
    hubs = sorted(waiters, key=lambda node: (-len(waiters[node]), node))
    for hub in (*kept, *hubs):
        group = [hub, *_along(hub, holders), *waiters.get(hub, ())[:WAITERS]]
        for node in group:
            if len(kept) >= limit:
                break
            kept[node] = None
    told = tuple(nodes[node]._replace(waiters=len(waiters.get(node, ()))) for node in kept)
    between = tuple(edge for edge in edges if edge.source in kept and edge.target in kept)
    return Graph(told, between, tuple(map(tuple, rings)), len(nodes) - len(kept), 0, 0, 0)


def _along(node: str, following: Mapping[str, Sequence[str]]) -> list[str]:
    """What `node` waits for, and that in turn: as long as it is one thing."""
    found: list[str] = []
    while len(further := following.get(node, ())) == 1 and further[0] not in found:
        node = further[0]
        found.append(node)
    return [*found, *following.get(node, ())[:WAITERS]]


# -- collecting ---------------------------------------------------------------------------------------------


def _seen(task: asyncio.Task[Any], runners: Mapping[int, Any], known: Known | None) -> _Seen | None:
    if runs(task):
        # It waits for nothing. What it holds nobody can see.
        return None
    chain = chain_of(task, runners)
    end = end_of(chain)
    frames = [link.frame for link in chain.links if link.frame is not None]
    subject = subject_of(frames)
    record = None if known is None else known(task)
    label = task.get_name() if subject is None else f"{subject.method} {subject.path}"
    node = Node(
        f"t{id(task):x}",
        "task" if subject is None else "request",
        label,
        culprit_of(frames),
        subject,
        None if record is None else max(0.0, task.get_loop().time() - record.since),
        end.words,
    )
    holds = held_by(chain)
    facts = facts_from(chain, end)
    job = None if end.job is None else _Job(id(end.job), end.words, _executor(chain))
    shared = None if end.resource is not None or end.on is not None else _shared(chain)
    return _Seen(node, facts, holds, "" if end.resource is None else str(end.resource), shared, job)


def _executor(chain: Chain) -> tuple[int, str] | None:
    """The executor of ours that a chain waits for, by identity and name."""
    for link in chain.links:
        if link.name == "BoundedExecutor.run":
            for each in gc.get_referents(link.subject):
                if any(base.__name__ == "BoundedExecutor" for base in type(each).__mro__):
                    return id(each), str(getattr(each, "name", "an executor"))
    return None


def _shared(chain: Chain) -> tuple[int, str] | None:
    """The queue, event or the like that an innermost link is a method of, by identity and kind."""
    for link in reversed(chain.links):
        if link.module.partition(".")[0] not in ("asyncio", "tornado", "eyewall"):
            return None
        for each in gc.get_referents(link.subject):
            kind = next((base.__name__ for base in type(each).__mro__ if base.__name__ in _SHARED), None)
            if kind is not None:
                return id(each), "queue" if kind.endswith("Queue") else kind.lower()
    return None


def _blocked(seen: Mapping[int, _Seen]) -> dict[int, Facts]:
    return {key: each.facts for key, each in seen.items() if each.facts.is_blocked}


# -- drawing ------------------------------------------------------------------------------------------------


def _drawn(seen: Mapping[int, _Seen]) -> tuple[dict[str, Node], list[Edge]]:
    """Returns all nodes that have edges, by their identities, and the edges."""
    edges: list[Edge] = []
    nodes: dict[str, Node] = {}
    frames = sys._current_frames()
    jobs = running_jobs(frames)
    own = threading.get_ident()
    wanted = {key for each in seen.values() if (key := each.facts.resource) is not None}
    for each in seen.values():
        if each.job is not None and jobs.get(each.job.id, (0, None))[0] == own:
            # Whoever asks for it, and waits for the answer, is no part of the picture.
            continue
        edges.extend(_waiting(each, seen, nodes, jobs))
        for held in each.holds:
            # What nobody waits for needs no picture.
            if held.resource in wanted:
                edges.append(Edge(f"r{held.resource:x}", each.node.id, HELD, held.place))
    nodes.update(_threads(edges, frames))
    told = {end for edge in edges for end in (edge.source, edge.target)}
    nodes.update((each.node.id, each.node) for each in seen.values() if each.node.id in told)
    return {node: nodes[node] for node in told if node in nodes}, [
        edge for edge in edges if edge.source in nodes and edge.target in nodes
    ]


def _waiting(
    each: _Seen,
    seen: Mapping[int, _Seen],
    nodes: dict[str, Node],
    jobs: Mapping[int, tuple[int, Place | None]],
) -> Iterable[Edge]:
    source, facts = each.node.id, each.facts
    if facts.resource is not None:
        target = f"r{facts.resource:x}"
        nodes.setdefault(target, Node(target, facts.kind, each.resource))
        yield Edge(source, target, WAITS)
    elif facts.on is not None:
        for other in facts.on:
            if other in seen:
                yield Edge(source, seen[other].node.id, WAITS)
    elif each.job is not None:
        job = each.job
        if job.executor is None:
            target = f"j{job.id:x}"
            nodes.setdefault(target, Node(target, "executor", job.words))
        else:
            target = f"x{job.executor[0]:x}"
            nodes.setdefault(target, Node(target, "executor", job.executor[1]))
        yield Edge(source, target, WAITS)
        if job.id in jobs:
            thread, place = jobs[job.id]
            yield Edge(target, f"h{thread:x}", HELD, place)
    elif each.shared is not None:
        target = f"s{each.shared[0]:x}"
        nodes.setdefault(target, Node(target, each.shared[1], each.shared[1]))
        yield Edge(source, target, WAITS)


def _threads(edges: Iterable[Edge], frames: Mapping[int, FrameType]) -> Iterable[tuple[str, Node]]:
    names = {each.ident: each.name for each in threading.enumerate()}
    wanted = {int(edge.target[1:], 16): edge.place for edge in edges if edge.target.startswith("h")}
    for ident, place in wanted.items():
        node = f"h{ident:x}"
        yield node, Node(node, "thread", names.get(ident, f"thread {ident}"), place)


def _ring(circle: Sequence[int], seen: Mapping[int, _Seen]) -> tuple[str, ...]:
    """The nodes of a circle of tasks, with what each waits for between them."""
    found: list[str] = []
    for key in circle:
        found.append(seen[key].node.id)
        resource = seen[key].facts.resource
        if resource is not None and f"r{resource:x}" not in found:
            found.append(f"r{resource:x}")
    return tuple(found)
