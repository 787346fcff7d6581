"""The resolvers: what they return, and what `configure` chooses."""

from __future__ import annotations

import asyncio
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from eyewall.guard.executors import registry
from eyewall.guard.executors.registry import executor
from eyewall.guard.profile import TORNADO, activate
from eyewall.net.resolver import (
    BlockingResolver,
    BoundedResolver,
    DefaultExecutorResolver,
    DefaultLoopResolver,
    ExecutorResolver,
    OverrideResolver,
    Resolver,
    ThreadedResolver,
)

from .loops import Run, both_loops

KINDS = [
    BoundedResolver,
    DefaultLoopResolver,
    DefaultExecutorResolver,
    BlockingResolver,
    ThreadedResolver,
    ExecutorResolver,
]


@pytest.fixture(autouse=True)
def _no_threads_are_left(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(ThreadedResolver, "_threadpool", None)
    yield
    if ThreadedResolver._threadpool is not None:
        ThreadedResolver._threadpool.shutdown()


@both_loops
@pytest.mark.parametrize("kind", KINDS)
def test_addresses(run: Run, kind: Any) -> None:
    async def main() -> None:
        resolver = kind()
        assert await resolver.resolve("127.0.0.1", 80) == [(socket.AF_INET, ("127.0.0.1", 80))]
        assert await resolver.resolve("::1", 80, socket.AF_INET6) == [(socket.AF_INET6, ("::1", 80, 0, 0))]
        found = await resolver.resolve("localhost", 80)
        assert (socket.AF_INET, ("127.0.0.1", 80)) in found or (socket.AF_INET6, ("::1", 80, 0, 0)) in found
        resolver.close()

    run(main())


def test_an_address_is_not_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def look_up(host: str, *args: object, **kwargs: object) -> list[object]:
        asked.append(host)
        return []

    async def main() -> None:
        resolver = DefaultLoopResolver()
        for host, family in (
            ("127.0.0.1", 0),
            ("127.0.0.1", socket.AF_INET),
            ("::1", 0),
            ("::1", socket.AF_INET6),
        ):
            assert len(await resolver.resolve(host, 80, family)) == 1
        assert asked == []
        # Of another family, with a zone, or something that only looks like one: the system knows.
        for host, family in (
            ("127.0.0.1", socket.AF_INET6),
            ("::1", socket.AF_INET),
            ("fe80::1%lo", 0),
            ("127.1", 0),
        ):
            await resolver.resolve(host, 80, family)
        assert asked == ["127.0.0.1", "::1", "fe80::1%lo", "127.1"]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    asyncio.run(main())


@both_loops
@pytest.mark.parametrize("kind", KINDS)
def test_unknown_names(run: Run, kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        resolver = kind()
        with pytest.raises(OSError):
            await resolver.resolve("an invalid domain", 80)
        resolver.close()

    run(main())


def test_the_default_and_configure() -> None:
    assert type(Resolver()) is BoundedResolver
    saved = Resolver._save_configuration()
    try:
        Resolver.configure("eyewall.net.resolver.ThreadedResolver", num_threads=2)
        assert type(Resolver()) is ThreadedResolver
        assert ThreadedResolver._threadpool is not None
        assert ThreadedResolver._threadpool._max_workers == 2
        assert ThreadedResolver(num_threads=5).executor is ThreadedResolver._threadpool
    finally:
        Resolver._restore_configuration(saved)
    assert type(Resolver()) is BoundedResolver
    activate(TORNADO)
    assert type(Resolver()) is DefaultLoopResolver


@both_loops
def test_too_many_names_at_once(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    go, inside = threading.Event(), threading.Semaphore(0)

    def look_up(host: str, port: int, family: int, kind: int) -> list[object]:
        inside.release()
        assert go.wait(30.0)
        return [(socket.AF_INET, kind, 0, "", ("192.0.2.1", port))]

    async def main() -> None:
        calls = [asyncio.ensure_future(BoundedResolver().resolve(f"{n}.example", 80)) for n in range(2)]
        await asyncio.to_thread(inside.acquire)
        with pytest.raises(socket.gaierror, match="'dns' is full") as told:
            await BoundedResolver().resolve("c.example", 80)
        assert told.value.errno == socket.EAI_AGAIN
        # Whoever waits for no name is not concerned.
        assert await BoundedResolver().resolve("192.0.2.7", 80) == [(socket.AF_INET, ("192.0.2.7", 80))]
        go.set()
        assert await asyncio.gather(*calls) == [[(socket.AF_INET, ("192.0.2.1", 80))]] * 2

    executor("dns").shutdown()
    monkeypatch.setitem(registry._settings, "dns", {"workers": 1, "queue": 1, "waiting": 0})
    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    try:
        run(main())
    finally:
        executor("dns").shutdown()


def test_closing() -> None:
    executor = ThreadPoolExecutor(1)
    kept = ExecutorResolver(executor=executor, close_executor=False)
    kept.close()
    assert executor.submit(int).result() == 0
    ending = ExecutorResolver(executor=executor)
    ending.close()
    ending.close()
    with pytest.raises(RuntimeError):
        executor.submit(int)
    with pytest.raises(RuntimeError, match="closed"):
        ending.resolve("localhost", 80)


class Recorder(Resolver):
    def initialize(self) -> None:
        self.asked: list[Any] = []
        self.closed = False

    def resolve(self, host: str, port: int, family: Any = socket.AF_UNSPEC) -> Any:
        self.asked.append((host, port, family))
        future = asyncio.get_running_loop().create_future()
        future.set_result([])
        return future

    def close(self) -> None:
        self.closed = True


@both_loops
def test_overrides(run: Run) -> None:
    async def main() -> None:
        other = Recorder()
        resolver = OverrideResolver(
            other,
            {
                "example.com": "127.0.1.1",
                ("login.example.com", 443): ("localhost", 1443),
                ("login.example.com", 443, socket.AF_INET6): ("::1", 1443),
            },
        )
        await resolver.resolve("example.com", 80)
        await resolver.resolve("login.example.com", 443, socket.AF_INET)
        await resolver.resolve("login.example.com", 443, socket.AF_INET6)
        await resolver.resolve("login.example.com", 80)
        assert other.asked == [
            ("127.0.1.1", 80, socket.AF_UNSPEC),
            ("localhost", 1443, socket.AF_INET),
            ("::1", 1443, socket.AF_INET6),
            ("login.example.com", 80, socket.AF_UNSPEC),
        ]
        resolver.close()
        assert other.closed

    run(main())
