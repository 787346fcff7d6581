"""Two processes and a Redis that is killed and started again under load."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from eyewall.client import AsyncHTTPClient, WebSocketClientConnection, websocket_connect
from tests.redisserver import RedisServer, redis_server

ROOT = Path(__file__).resolve().parent.parent.parent
SOCKETS = 50
#: Seconds that a process may take to end.
PATIENCE = 30.0


class Server:
    """One process, as the other side sees it."""

    def __init__(self, url: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.web.roomserver", url],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def stop(self) -> int:
        self.process.terminate()
        try:
            return self.process.wait(PATIENCE)
        finally:
            self.process.kill()
            assert self.process.stdout is not None
            self.process.stdout.close()

    async def get(self, path: str) -> str:
        response = await AsyncHTTPClient().fetch(f"http://127.0.0.1:{self.port}{path}", request_timeout=0)
        return response.body.decode()

    async def publish(self, text: str) -> dict[str, Any]:
        url = f"http://127.0.0.1:{self.port}/publish"
        response = await AsyncHTTPClient().fetch(url, method="POST", body=text, request_timeout=0)
        result: dict[str, Any] = json.loads(response.body)
        return result

    async def state(self) -> dict[str, Any]:
        state: dict[str, Any] = json.loads(await self.get("/state"))
        return state

    async def sockets(self, count: int) -> list[WebSocketClientConnection]:
        opened = [await websocket_connect(f"ws://127.0.0.1:{self.port}/room") for _ in range(count)]
        for each in opened:
            assert await each.read_message() == "welcome"
        return opened


@contextmanager
def servers(count: int, url: str) -> Iterator[list[Server]]:
    started = [Server(url) for _ in range(count)]
    codes: list[int] = []
    try:
        yield started
    finally:
        codes.extend(server.stop() for server in started)
    # An outage ends no process, and leaves none that cannot end in order.
    assert codes == [0] * count


async def heard(socket: WebSocketClientConnection, last: str) -> list[str]:
    """Reads until `last` comes; returns everything."""
    texts: list[str] = []
    while not texts or texts[-1] != last:
        message = await socket.read_message()
        assert isinstance(message, str), "the WebSocket was closed"
        texts.append(message)
    return texts


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


async def scenario(redis: RedisServer, one: Server, other: Server) -> None:
    near, far = await one.sockets(2), await other.sockets(SOCKETS)
    result = await one.publish("first")
    assert (result["delivered"], result["reached"]) == (True, 2)
    for socket in (*near, *far):
        assert await socket.read_message() == "first"
    while (await one.state())["members"] != SOCKETS + 2:
        pass

    texts: list[str] = []
    results: list[dict[str, Any]] = []
    enough = asyncio.Event()
    stopped = asyncio.Event()

    async def load() -> None:
        while not stopped.is_set():
            texts.append(str(len(texts)))
            results.append(await one.publish(texts[-1]))
            if len(results) % 10 == 0:
                enough.set()

    loading = asyncio.create_task(load())
    await enough.wait()
    # Not on this loop: the load goes on.
    await asyncio.to_thread(redis.kill)
    await asyncio.gather(one.get("/until/down"), other.get("/until/down"))
    count = len(results)
    while len(results) < count + 20:
        enough.clear()
        await enough.wait()
    # All of them since then say that they stayed where they were published.
    assert [each["delivered"] for each in results[count + 1 :]] == [False] * (len(results) - count - 1)
    assert all(each["reached"] == 2 for each in results)
    await asyncio.to_thread(redis.start)
    await asyncio.gather(one.get("/until/up"), other.get("/until/up"))
    resumed = len(texts)
    while len(results) < resumed + 20:
        enough.clear()
        await enough.wait()
    stopped.set()
    await loading
    last = await one.publish("last")
    assert last["delivered"]
    # Who is where they were published has heard everything, in order.
    for socket in near:
        assert await heard(socket, "last") == [*texts, "last"]
    received = [await heard(socket, "last") for socket in far]
    assert all(each == received[0] for each in received)
    # The others have it in order, too, and all that was published since both are connected again.
    assert received[0] == [*sorted(received[0][:-1], key=int), "last"]
    assert len(set(received[0])) == len(received[0])
    assert set(texts[resumed:]) <= set(received[0])
    # What was not delivered is not there, unless Redis took it and died before it said so.
    undelivered = {text for text, each in zip(texts, results, strict=True) if not each["delivered"]}
    assert len(undelivered & set(received[0])) <= 1
    # Presence is whole again.
    assert (await one.state())["members"] == (await other.state())["members"] == SOCKETS + 2
    far.pop().close()
    while (await one.state())["members"] != SOCKETS + 1:
        pass
    assert (await other.state())["backplane"]["outages"] == 1


def test_redis_is_killed_and_started_under_load(redis: RedisServer) -> None:
    with servers(2, redis.url) as (one, other):
        asyncio.run(scenario(redis, one, other))


def test_the_members_of_a_process_that_ends_are_gone(redis: RedisServer) -> None:
    async def main(one: Server) -> None:
        other = Server(redis.url)
        try:
            await other.sockets(3)
            while (await one.state())["members"] != 3:
                pass
        finally:
            assert other.stop() == 0
        while (await one.state())["members"]:
            pass

    with servers(1, redis.url) as (one,):
        asyncio.run(main(one))
