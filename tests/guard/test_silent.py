"""Clients that say nothing, and clients that take nothing: others are served, memory is bounded, the log is short.

The small version of `bench.guard.silent`, without a network.
"""

from __future__ import annotations

import logging

import pytest

from eyewall.guard import registry
from eyewall.guard.profile import NATIVE
from eyewall.web import Application, RequestHandler

from ..http.wire import Bench, Client, bench_test, get, turns

SILENT = 2000
SLOW = 100
HIGH_WATER = 16 * 1024


class Plain(RequestHandler):
    def get(self) -> None:
        self.write("here")


class Endless(RequestHandler):
    async def get(self) -> None:
        while True:
            self.write(b"x" * 4096)
            await self.flush()


async def answered(client: Client) -> bool:
    """Whether a request is answered in a few turns."""
    before = len(client.responses())
    client.send(get("/"))
    await turns(3)
    return [response.status for response in client.responses()[before:]] == [200]


@bench_test
async def test_silent_and_slow_clients(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    profile = NATIVE.replace(write_high_water=HIGH_WATER)
    bench = Bench(Application([("/", Plain), ("/endless", Endless)], log_function=lambda _: None), profile)
    other = bench.connect()
    silent = [bench.connect() for _ in range(SILENT)]
    slow = [bench.connect(get("/endless")) for _ in range(SLOW)]
    for client in slow:
        client.transport.narrow = 1
    for second in range(9):
        assert await answered(other)
        for client in slow:
            client.transport.take(1)
        await bench.advance(1.0)
        waiting = [len(client.transport.kept) for client in slow]
        assert max(waiting) <= HIGH_WATER + 8192, second
    assert all(client.open for client in silent)
    assert len(registry.connections) == 1 + SILENT + SLOW
    longest = registry.connections.entries(where=lambda entry: entry.bytes_in == 0)
    assert len(longest) == SILENT
    assert min(entry.idle for entry in longest) >= 8.0
    # Their time is over; that of those who take a byte a second is not.
    await bench.advance(3.0)
    assert not any(client.open for client in silent)
    assert await answered(other)
    assert len(registry.connections) == 1 + SLOW
    # Those who take nothing at all are let go after `write_timeout`.
    await bench.advance(profile.write_timeout * 1.5)
    assert len(registry.requests) == 0
    lines = [record.getMessage() for record in caplog.records]
    assert len(set(lines)) <= 1, set(lines)
    await bench.hang_up()
