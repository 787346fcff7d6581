"""Everything of the guard is in the inventory, says how it is, and is not kept alive by that."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import pkgutil
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import eyewall.client
import eyewall.guard
import eyewall.http
import eyewall.web
from eyewall.base import probe
from eyewall.client.guarding import HostBreaker
from eyewall.client.pool import Pool as ClientPool
from eyewall.guard.breakers.breaker import CircuitBreaker
from eyewall.guard.breakers.breakershare import SharedBreakers
from eyewall.guard.breakers.bulkhead import Bulkhead
from eyewall.guard.breakers.retry import Retry
from eyewall.guard.checks.healthregistry import Check, Health
from eyewall.guard.checks.heartbeat import Heartbeat
from eyewall.guard.deadlines import timeouts
from eyewall.guard.deadlines.counts import DeadlineCounts
from eyewall.guard.errors import DeadlineExceeded
from eyewall.guard.executors.bounded import BoundedExecutor
from eyewall.guard.executors.cluster import DaskExecutor
from eyewall.guard.executors.loopexecutor import LoopExecutor
from eyewall.guard.executors.processes import ProcessExecutor
from eyewall.guard.executors.threaded import ThreadedExecutor
from eyewall.guard.executors.threads import ThreadExecutor
from eyewall.guard.histogram import Histogram
from eyewall.guard.inventory import Item, inventory
from eyewall.guard.lifecycle.drain import Drain
from eyewall.guard.lifecycle.hooks import Lifecycle
from eyewall.guard.lifecycle.tasks import OwnedTasks, TaskRegister
from eyewall.guard.limits.adaptivelimit import AdaptiveLimit
from eyewall.guard.limits.admission import ConnectionLimit
from eyewall.guard.limits.ratelimit import RateLimit
from eyewall.guard.limits.rateshared import SharedRateLimit
from eyewall.guard.limits.requestlimit import RequestLimit
from eyewall.guard.pools.pool import ResourcePool
from eyewall.guard.profile import NATIVE
from eyewall.guard.registry import Registry
from eyewall.guard.topics.hub import Hub
from eyewall.guard.topics.redisplane import RedisBackplane
from eyewall.guard.topics.topic import Topic

#: Nobody is there, and nobody asks.
REDIS = "redis://127.0.0.1:1/0"

Make = Callable[[asyncio.AbstractEventLoop], Item]


def of_topic(loop: asyncio.AbstractEventLoop) -> Topic:
    return Hub("of a topic").topic("tested")


def of_check(loop: asyncio.AbstractEventLoop) -> Check:
    return Health("of a check", items=None).add("tested", lambda: None)


#: One of each, and what has to be known of it besides `state`.
MADE: dict[type[Item], tuple[Make, str]] = {
    AdaptiveLimit: (lambda loop: AdaptiveLimit("tested"), "counters histograms"),
    Bulkhead: (lambda loop: Bulkhead("tested", 1), "counters histograms"),
    Check: (of_check, "counters histograms"),
    CircuitBreaker: (lambda loop: CircuitBreaker("tested"), "counters histograms"),
    ClientPool: (lambda loop: ClientPool(NATIVE, loop), "counters histograms"),
    ConnectionLimit: (lambda loop: ConnectionLimit(3), "counters"),
    DaskExecutor: (lambda loop: DaskExecutor("tested"), "counters histograms"),
    DeadlineCounts: (lambda loop: DeadlineCounts(), "counters"),
    HostBreaker: (lambda loop: HostBreaker("tested"), "counters histograms"),
    Drain: (lambda loop: Drain(name="tested"), "counters histograms"),
    Health: (lambda loop: Health("tested"), "counters"),
    Heartbeat: (lambda loop: Heartbeat(loop), "counters histograms"),
    Hub: (lambda loop: Hub("tested"), "counters"),
    Lifecycle: (lambda loop: Lifecycle("tested", drain=Drain()), "counters histograms"),
    LoopExecutor: (lambda loop: LoopExecutor(), "counters histograms"),
    ProcessExecutor: (lambda loop: ProcessExecutor("tested"), "counters histograms"),
    RateLimit: (lambda loop: RateLimit(1, 1), "counters"),
    RedisBackplane: (lambda loop: RedisBackplane(REDIS), "counters histograms"),
    Registry: (lambda loop: Registry("tested"), ""),
    RequestLimit: (lambda loop: RequestLimit("tested", 1), "counters histograms"),
    ResourcePool: (lambda loop: ResourcePool(object, name="tested"), "counters histograms"),
    Retry: (lambda loop: Retry("tested"), "counters"),
    SharedBreakers: (lambda loop: SharedBreakers(REDIS), "counters"),
    SharedRateLimit: (lambda loop: SharedRateLimit(1, 1, REDIS), "counters"),
    TaskRegister: (lambda loop: TaskRegister(Drain()), "counters"),
    ThreadExecutor: (lambda loop: ThreadExecutor("tested"), "counters histograms"),
    Topic: (of_topic, "counters"),
}
#: What others derive from, and nobody makes.
ABSTRACT = {BoundedExecutor, ThreadedExecutor}


def kinds_of(kind: type[Item]) -> Iterator[type[Item]]:
    for each in kind.__subclasses__():
        yield each
        yield from kinds_of(each)


def test_there_is_nothing_else() -> None:
    """Whoever adds a kind adds it here, and so has it looked at below."""
    for package in (eyewall.guard, eyewall.http, eyewall.client, eyewall.web):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.startswith("eyewall.client.curl"):
                importlib.import_module(module.name)
    found = {kind for kind in kinds_of(Item) if kind.__module__.startswith("eyewall.")}
    assert found == MADE.keys() | ABSTRACT


@pytest.mark.parametrize("kind", MADE, ids=lambda kind: kind.__name__)
def test_each_says_how_it_is_while_somebody_holds_it(kind: type[Item]) -> None:
    make, known = MADE[kind]
    loop = asyncio.new_event_loop()
    before = len(inventory.items())

    async def made() -> Item:
        return make(loop)

    try:
        item = loop.run_until_complete(made())
        assert type(item) is kind
        assert item in inventory.items(kind.kind)
        assert inventory.find(kind.kind, item.name) is item
        state: Any = item.state()
        counters: Any = item.counters()
        assert state or kind is DeadlineCounts
        assert all(isinstance(name, str) and name for name in (*state, *counters))
        assert all(value is None or isinstance(value, str | int | float | bool) for value in state.values())
        assert all(type(count) is int and count >= 0 for count in counters.values())
        assert bool(counters) is ("counters" in known)
        assert all(isinstance(each, Histogram) for each in item.histograms().values())
        assert bool(item.histograms()) is ("histograms" in known)
        assert item.name in repr(item)
        item.health()
        gone = weakref.ref(item)
        if isinstance(item, BoundedExecutor):
            item.shutdown(wait=False)
        del item, state, counters
    finally:
        loop.close()
    gc.collect()
    assert gone() is None
    assert len(inventory.items()) <= before


def test_those_of_the_process_are_there() -> None:
    named = {(item.kind, item.name) for item in inventory.items()}
    assert {
        ("drain", "process"),
        ("tasks", "tasks"),
        ("deadlines", "deadlines"),
        ("health", "health"),
        ("registry", "connections"),
        ("registry", "requests"),
        ("registry", "websockets"),
        ("registry", "event_streams"),
        ("registry", "client_connections"),
    } <= named


def test_a_lifecycle_and_its_drain_count(run: Any) -> None:
    told: list[tuple[str, str]] = []

    async def main() -> None:
        drain = Drain(name="tested")
        lifecycle = Lifecycle("tested", drain=drain)

        @lifecycle.on_startup("database")
        @lifecycle.on_shutdown("cache", after=["database"])
        async def work() -> None:
            await asyncio.sleep(0)

        @lifecycle.on_shutdown("database")
        def fail() -> None:
            raise OSError("gone")

        assert lifecycle.state() == {"parts": 2, "started": 0, "changing": False, "stopping": None}
        await lifecycle.startup()
        assert lifecycle.state()["started"] == 2
        assert drain.state() == {"draining": False, "phase": 0, "participants": 1}
        report = await drain.run(10.0)
        assert lifecycle.counters() == {"startups": 1, "shutdowns": 1, "failed": 1}
        assert {name: each.count for name, each in lifecycle.histograms().items()} == {
            "startup": 1,
            "shutdown": 1,
        }
        assert drain.counters() == {"found": 2, "left": 1, "errors": 0}
        assert drain.histograms()["steps"].count == len(report.steps) == 1
        assert drain.state()["draining"] is True

    detach = probe.guard_event.attach(lambda item, event, details: told.append((item.kind, event)))  # type: ignore[attr-defined]
    try:
        run(main())
    finally:
        detach()
    assert told == [("lifecycle", "hook_failed"), ("drain", "drained")]


def test_tasks_of_owners_count(run: Any, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        register = TaskRegister(Drain())
        owned = OwnedTasks("the owner", register)

        async def fail() -> None:
            raise OSError("gone")

        failing = owned.spawn(fail())
        owned.spawn(asyncio.sleep(1000.0))
        assert register.state() == {"tasks": 2, "brief": 2}
        await asyncio.wait((failing,))
        await owned.finish()
        assert register.state() == {"tasks": 0, "brief": 0}
        assert register.counters() == {"spawned": 2, "failed": 1}

    run(main())


def test_deadlines_that_come_count(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = DeadlineCounts("tested")
    monkeypatch.setattr(timeouts, "deadline_counts", counts)
    told: list[tuple[str, Any]] = []
    detach = probe.guard_event.attach(lambda item, event, details: told.append((event, details)))

    async def main() -> None:
        with pytest.raises(DeadlineExceeded):
            async with timeouts.timeout(0.0):
                await asyncio.get_running_loop().create_future()
        async with timeouts.timeout(0.0):
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.get_running_loop().create_future()
        async with timeouts.timeout(1000.0):
            await asyncio.sleep(0)

    try:
        run(main())
    finally:
        detach()
    assert counts.counters() == {"expired": 2, "swallowed": 1}
    assert [event for event, _ in told] == ["expired", "expired", "swallowed"]
    assert told[0][1]["deadline"] == "the timeout of 0 s"
    assert "test_observable.py" in told[0][1]["place"]


def test_a_registry_of_checks_counts_who_asks(run: Any) -> None:
    async def main() -> None:
        health = Health("tested", items=None)
        assert (await health.report()).ok
        health.draining = True
        assert not health.now().ok
        health.state()
        assert health.counters() == {"reports": 2, "failed": 1}

    run(main())
