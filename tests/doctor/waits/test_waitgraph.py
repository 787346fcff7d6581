"""Who waits for whom, as a graph."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.doctor.waits import waitgraph
from eyewall.doctor.waits.waitgraph import (
    HELD,
    WAITERS,
    WAITS,
    Edge,
    Graph,
    Node,
    Pauses,
    bounded,
    wait_graph,
)
from eyewall.guard.executors.threads import ThreadExecutor
from eyewall.web import Application, RequestHandler

from ...waiting import until
from ...web.serving import fetch, serving
from ..lines import line_of
from ..patient import turns
from .looking import end


@pytest.fixture(autouse=True)
def _own_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves out the tasks of loops that were there before: some of other tests' libraries go on in threads."""
    every = waitgraph.references
    others = {task.get_loop() for each in every(None) if (task := each()) is not None}

    def own(loop: asyncio.AbstractEventLoop | None) -> list[weakref.ref[asyncio.Task[Any]]]:
        return [
            each for each in every(loop) if (task := each()) is not None and task.get_loop() not in others
        ]

    monkeypatch.setattr(waitgraph, "references", own)


def by_label(graph: Graph) -> dict[str, Node]:
    return {each.label: each for each in graph.nodes}


def told(graph: Graph) -> set[tuple[str, str, str]]:
    """The edges, by what is written at their ends: of things with an address, their kind."""
    names = {
        each.id: each.kind if " at 0x" in each.label or each.label == each.kind else each.label
        for each in graph.nodes
    }
    return {(names[each.source], each.label, names[each.target]) for each in graph.edges}


async def holds(lock: Any, forever: asyncio.Event) -> None:
    async with lock:  # taken
        await forever.wait()


async def takes(lock: Any) -> None:
    async with lock:  # waits
        pass


async def both(first: Any, second: Any) -> None:
    async with first:  # first
        await asyncio.sleep(0)
        async with second:  # second
            pass


def test_a_lock_and_who_holds_it(run: Callable[..., None]) -> None:
    async def main() -> None:
        lock, forever = asyncio.Lock(), asyncio.Event()
        tasks = [asyncio.create_task(holds(lock, forever), name="holder")]
        await turns()
        tasks += [asyncio.create_task(takes(lock), name=name) for name in ("one", "two")]
        await turns()
        graph = wait_graph()
        assert told(graph) == {
            ("one", WAITS, "lock"),
            ("two", WAITS, "lock"),
            ("lock", HELD, "holder"),
            ("holder", WAITS, "event"),
        }
        nodes = by_label(graph)
        assert nodes["one"].place == line_of(takes, "# waits")
        assert nodes["one"].kind == "task"
        assert nodes["one"].words.startswith("lock")
        [lock_node] = [each for each in graph.nodes if each.kind == "lock"]
        assert lock_node.waiters == 2
        [held] = [each for each in graph.edges if each.label == HELD]
        assert held.place == line_of(holds, "# taken")
        assert graph.circles == ()
        assert (graph.left_out, graph.unseen) == (0, 0)
        # The test itself runs.
        assert graph.tasks == 4
        end(tasks)

    run(main())


def test_a_circle_of_locks(run: Callable[..., None]) -> None:
    async def main() -> None:
        a, b = asyncio.Lock(), asyncio.Lock()
        tasks = [
            asyncio.create_task(both(a, b), name="one"),
            asyncio.create_task(both(b, a), name="two"),
            asyncio.create_task(takes(a), name="victim"),
        ]
        await turns()
        graph = wait_graph()
        [circle] = graph.circles
        kinds = {each.id: each.kind for each in graph.nodes}
        assert sorted(kinds[each] for each in circle) == ["lock", "lock", "task", "task"]
        following = {(each.source, each.target) for each in graph.edges}
        # Each leads to the next, and the last one to the first.
        assert all(pair in following for pair in zip(circle, (*circle[1:], circle[0]), strict=True))
        assert "victim" in by_label(graph)
        # Also where there is little place.
        small = wait_graph(limit=4)
        assert {each.id for each in small.nodes} == set(small.circles[0])
        assert small.left_out == 1
        end(tasks)

    run(main())


def test_a_wait_with_a_limit_is_in_no_circle(run: Callable[..., None]) -> None:
    async def limited(first: Any, second: Any) -> None:
        async with asyncio.timeout(3600):
            await both(first, second)

    async def main() -> None:
        a, b = asyncio.Lock(), asyncio.Lock()
        tasks = [asyncio.create_task(both(a, b)), asyncio.create_task(limited(b, a))]
        await turns()
        graph = wait_graph()
        assert graph.circles == ()
        assert len(graph.edges) == 4
        end(tasks)

    run(main())


def test_tasks_that_await_each_other(run: Callable[..., None]) -> None:
    async def main() -> None:
        tasks: dict[str, asyncio.Task[Any]] = {}

        async def awaits(name: str) -> None:
            # Where they await each other directly, asyncio goes round until the stack is full when one is cancelled.
            await asyncio.wait([tasks[name]])

        tasks["one"] = asyncio.create_task(awaits("two"), name="one")
        tasks["two"] = asyncio.create_task(awaits("one"), name="two")
        tasks["three"] = asyncio.create_task(awaits("one"), name="three")
        await turns()
        graph = wait_graph()
        assert told(graph) == {("one", WAITS, "two"), ("two", WAITS, "one"), ("three", WAITS, "one")}
        [circle] = graph.circles
        assert {each.label for each in graph.nodes if each.id in circle} == {"one", "two"}
        end(list(tasks.values()))

    run(main())


def test_executors_and_threads(run: Callable[..., None]) -> None:
    async def main() -> None:
        hold = threading.Event()
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1, "pool") as pool:
            named = ThreadExecutor("reports", workers=1)
            tasks = [
                asyncio.ensure_future(_await(loop.run_in_executor(pool, hold.wait))),
                asyncio.create_task(named.run(hold.wait), name="one"),
                asyncio.create_task(named.run(hold.wait), name="two"),
            ]
            try:
                await until(lambda: len(_held(wait_graph())) == 2)
                graph = wait_graph()
                nodes = by_label(graph)
                assert nodes["reports"].kind == "executor"
                assert nodes["reports"].waiters == 2
                threads = [each for each in graph.nodes if each.kind == "thread"]
                assert len(threads) == 2
                assert any(each.label.startswith("pool") for each in threads)
            finally:
                hold.set()
                await asyncio.gather(*tasks)
                named.shutdown()

    run(main())


async def _await(future: asyncio.Future[Any]) -> Any:
    return await future


def _held(graph: Graph) -> list[Edge]:
    return [each for each in graph.edges if each.label == HELD]


def test_a_queue_that_many_wait_for(run: Callable[..., None]) -> None:
    async def main() -> None:
        own = asyncio.current_task()
        assert own is not None
        queue: asyncio.Queue[int] = asyncio.Queue()
        tasks = [asyncio.create_task(queue.get(), name=f"worker {number}") for number in range(WAITERS + 20)]
        tasks.append(asyncio.create_task(asyncio.sleep(3600, 0), name="sleeper"))
        await turns()
        graph = wait_graph()
        [hub] = [each for each in graph.nodes if each.kind == "queue"]
        assert hub.waiters == WAITERS + 20
        # In other threads there may be loops of fixtures.
        assert len([each for each in graph.nodes if each.label.startswith("worker ")]) == WAITERS
        assert graph.left_out == 20
        # What waits for nobody is no part of it; nor is this test.
        assert graph.alone >= 1
        assert not {each.label for each in graph.nodes} & {"sleeper", own.get_name()}
        end(tasks)

    run(main())


def test_requests_are_told_by_what_they_are(run: Callable[..., None]) -> None:
    async def main() -> None:
        lock = asyncio.Lock()
        await lock.acquire()

        class Takes(RequestHandler):
            async def get(self) -> None:
                async with lock:
                    pass

        async with serving(Application([("/takes", Takes)])) as port:
            request = asyncio.create_task(fetch(port, "/takes"))
            await until(lambda: lock._waiters)
            [node] = [each for each in wait_graph().nodes if each.kind == "request"]
            assert node.label == "GET /takes"
            assert node.subject is not None
            assert node.subject.handler is not None
            assert node.subject.handler.endswith("Takes")
            lock.release()
            await request

    run(main())


def test_it_ends_where_it_takes_too_long(run: Callable[..., None]) -> None:
    async def main() -> None:
        tasks = [asyncio.create_task(asyncio.sleep(3600)) for _ in range(5)]
        await turns()
        ticks = iter(range(1000))
        slept: list[float] = []
        # Each look at the clock is a second later.
        pauses = Pauses(clock=lambda: float(next(ticks)), sleep=slept.append, longest=4.5)
        graph = wait_graph(pauses=pauses)
        assert len(slept) == 3
        assert graph.unseen > 0
        end(tasks)

    run(main())


def test_nothing_is_kept_alive(run: Callable[..., None]) -> None:
    async def main() -> None:
        class Own(asyncio.Lock):
            pass

        lock = Own()
        gone = weakref.ref(lock)
        await lock.acquire()
        task = asyncio.create_task(takes(lock))
        await turns()
        graph = wait_graph()
        assert [each.kind for each in graph.nodes if each.kind == "lock"] == ["lock"]
        end([task])
        await turns()
        del task, lock
        gc.collect()
        assert gone() is None

    run(main())


# -- the engine ---------------------------------------------------------------------------------------------


def nodes_of(edges: list[Edge]) -> dict[str, Node]:
    names = {name for edge in edges for name in (edge.source, edge.target)}
    return {name: Node(name, "task", name) for name in names}


def test_most_waiters_come_first() -> None:
    edges = [Edge(f"a{number}", "hub", WAITS) for number in range(30)]
    edges += [Edge("hub", "holder", HELD), Edge("holder", "far", WAITS), Edge("x", "y", WAITS)]
    graph = bounded(nodes_of(edges), edges, [], 8)
    names = [each.id for each in graph.nodes]
    assert names[:3] == ["hub", "holder", "far"]
    assert len(names) == 8
    assert graph.left_out == 35 - 8
    assert graph.nodes[0].waiters == 30
    assert all(edge.source in names and edge.target in names for edge in graph.edges)


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
@given(edges=st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=40))
def test_it_is_bounded(limit: int, edges: list[tuple[int, int]]) -> None:
    told = [Edge(str(source), str(target), WAITS) for source, target in edges]
    nodes = nodes_of(told)
    graph = bounded(nodes, told, [], limit)
    assert len(graph.nodes) <= limit
    assert len(graph.nodes) + graph.left_out == len(nodes)
    assert len({each.id for each in graph.nodes}) == len(graph.nodes)
