"""The adaptive limit: what it makes of its controllers, and its timer on a real loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from eyewall.base import probe
from eyewall.guard.limits.adaptivelimit import WINDOW, AdaptiveLimit

from ...http.wire import App, Bench, answer, bench_test, get, later, turns
from ...waiting import until

Run = Callable[[Coroutine[Any, Any, Any]], Any]


@bench_test
async def test_a_server_whose_loop_is_late_refuses_a_share() -> None:
    bench = Bench(App())
    limit = AdaptiveLimit("test", priorities={"/feed": -1})
    bench.server.limit_requests(limit)
    events: list[str] = []
    detach = probe.guard_event.attach(lambda item, event, details: item is limit and events.append(event))
    try:
        client = bench.connect(get("/a") * 3)
        assert client.statuses == [200] * 3
        for _ in range(30):
            limit.measured(1.0)
        assert limit.share > 0.5
        bench.connect(get("/feed") * 10)
        other = bench.connect(get("/a") * 100)
        # No more of them in one turn than may wait on a connection.
        await turns()
        refused = other.statuses.count(503)
        assert refused == pytest.approx(100 * (2 * limit.share - 1), abs=1)
        assert bench.clients[1].statuses == [503] * 10
        health = bench.connect(get("/livez") * 10)
        assert health.statuses == [200] * 10
        assert limit.counters()["shed"] == refused + 10 == limit.refused
        assert "refuses" in str(limit.error())
        for _ in range(200):
            limit.measured(0.0)
        assert bench.connect(get("/feed") * 10).statuses == [200] * 10
        assert limit.state()["share"] == 0.0
    finally:
        detach()
        limit.stop()
    assert events == ["shedding", "recovered"]
    await bench.hang_up()


@bench_test
async def test_the_limit_follows_from_how_long_requests_take(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(App(later))
    limit = AdaptiveLimit("test", initial=10, least=2, most=50, queue=20, patience=1000.0)
    bench.server.limit_requests(limit)
    loop = bench.server.loop
    now = 1000.0
    monkeypatch.setattr(loop, "time", lambda: now)

    async def window(takes: float) -> None:
        nonlocal now
        clients = [bench.connect(get("/a")) for _ in range(12)]
        now += takes
        while bench.app.sinks:
            answer(bench.app.sinks.pop())
            await turns(3)
        assert all(client.statuses == [200] for client in clients)
        for client in clients:
            client.transport.abort()
        await turns(3)
        for _ in range(WINDOW):
            limit.measured(0.0)

    for _ in range(3):
        await window(0.1)
    grown = limit.gate.most
    assert grown > 10
    assert limit.state()["latency"] == pytest.approx(0.1)
    for _ in range(3):
        await window(1.0)
    assert limit.gate.most < grown
    assert limit.state()["best_latency"] == pytest.approx(0.1)
    limit.stop()
    await bench.hang_up()
    assert limit.gate.busy == 0


def test_the_timer_measures_a_real_loop_and_rests_with_it(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eyewall.guard.limits.adaptivelimit.INTERVAL", 0.001)
    monkeypatch.setattr("eyewall.guard.limits.adaptivelimit._QUIET", 5)

    async def main() -> None:
        limit = AdaptiveLimit("timed", target_lag=0.001)
        assert not limit.refuses("/")
        # It can't be earlier than that.
        while limit.pressure.lag < 0.01:
            time.sleep(0.02)
            await asyncio.sleep(0)
        assert limit.share > 0.0
        await until(lambda: limit._timing is None)
        assert limit.share == 0.0
        assert not limit.refuses("/")
        assert limit._timing is not None
        limit.stop()
        limit.stop()

    run(main())
