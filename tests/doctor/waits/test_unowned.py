"""Locks of which it is not known who has them: taken by functions on behalf of others, or by somebody who is gone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from eyewall.doctor.finding import Finding
from eyewall.doctor.waits import suspects, unowned

from ..lines import line_of
from .looking import looking


class Registry:
    """Locks by name."""

    def __init__(self) -> None:
        self.locks: dict[str, asyncio.Lock] = {}

    async def lock(self, name: str) -> None:
        """Takes one."""
        lock = self.locks.setdefault(name, asyncio.Lock())
        await lock.acquire()  # in lock

    def unlock(self, name: str) -> None:
        """Gives one back."""
        self.locks[name].release()


async def copy(registry: Registry, source: str, target: str) -> None:
    await registry.lock(source)  # first
    await asyncio.sleep(0)
    await registry.lock(target)
    registry.unlock(target)
    registry.unlock(source)


async def all_of(locks: dict[str, asyncio.Lock], names: str) -> None:
    for name in names:
        await locks[name].acquire()  # one of several
        await asyncio.sleep(0)
    for name in names:
        locks[name].release()


async def forgets(lock: asyncio.Lock, fails: bool) -> None:
    await lock.acquire()  # never released
    if fails:
        return
    lock.release()


async def keeps(lock: asyncio.Lock, until: asyncio.Event) -> None:
    await lock.acquire()
    await until.wait()
    lock.release()


async def within(lock: asyncio.Lock, until: asyncio.Event) -> None:
    async with lock:
        await until.wait()


class Owner:
    """A context manager of the application, which takes what it is not known to give back."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry

    async def __aenter__(self) -> None:
        await self.registry.lock("a")

    async def __aexit__(self, *error: object) -> None:
        self.registry.unlock("a")


async def in_owner(registry: Registry, until: asyncio.Event) -> None:
    async with Owner(registry):
        await until.wait()


@pytest.fixture(autouse=True)
def _application(monkeypatch: pytest.MonkeyPatch) -> None:
    """The functions of this module, and no others of those that the tests have imported."""
    ours = [
        function.__code__
        for function in (Registry.lock, Registry.unlock, copy, all_of, forgets, keeps, within, in_owner)
    ]
    ours += [Owner.__aenter__.__code__, Owner.__aexit__.__code__]  # type: ignore[attr-defined]
    monkeypatch.setattr(suspects, "codes_of_application", lambda most: iter(ours))
    monkeypatch.setattr(suspects, "is_own_file", lambda file: file == __file__)


def found_of(run: Callable[..., None], start: Callable[[], Any], seconds: float = 7) -> list[Finding]:
    found: list[Finding] = []

    async def main() -> None:
        with looking() as eye:
            await eye.start(*start())
            found.extend(eye.after(seconds))

    run(main())
    return found


def test_a_function_that_takes_on_behalf_of_others(run: Callable[..., None]) -> None:
    def start() -> Any:
        registry = Registry()
        return copy(registry, "a", "b"), copy(registry, "b", "a")

    [finding] = found_of(run, start)
    assert finding.rule == "lock-deadlock"
    assert finding.place == line_of(Registry.lock, "in lock")
    stacks = finding.evidence.stacks
    for task, other in ("one", "two"), ("two", "one"):
        assert any(
            name.startswith(f"{task} waits for lock") and name.endswith(f"by {other}") for name in stacks
        )
        [taken] = [places for name, places in stacks.items() if name.startswith(f"{task} holds")]
        assert taken[0] == line_of(copy, "# first")


def test_one_who_takes_the_same_twice(run: Callable[..., None]) -> None:
    registry = Registry()
    [finding] = found_of(run, lambda: [copy(registry, "a", "a")])
    assert finding.rule == "lock-deadlock"
    assert "holds itself" in finding.summary


@pytest.fixture
def _paired(monkeypatch: pytest.MonkeyPatch) -> None:
    codes = [each.__code__ for each in (all_of, forgets, keeps, within)]
    monkeypatch.setattr(suspects, "codes_of_application", lambda most: iter(codes))


@pytest.mark.usefixtures("_paired")
def test_locks_that_are_taken_in_a_loop(run: Callable[..., None]) -> None:
    def start() -> Any:
        locks = {name: asyncio.Lock() for name in "abc"}
        return all_of(locks, "ab"), all_of(locks, "bc"), all_of(locks, "ca")

    [finding] = found_of(run, start)
    assert finding.rule == "lock-deadlock"
    assert finding.place == line_of(all_of, "one of several")
    assert finding.evidence.counts == {"tasks": 3}


@pytest.mark.usefixtures("_paired")
def test_a_lock_that_nobody_gives_back(run: Callable[..., None]) -> None:
    def start() -> Any:
        lock = asyncio.Lock()
        return forgets(lock, True), forgets(lock, False), forgets(lock, False)

    [finding] = found_of(run, start)
    assert finding.rule == "future-orphaned"
    assert finding.place == line_of(forgets, "never released")
    assert finding.summary.startswith("2 tasks wait for a lock that nobody gives back")


@pytest.mark.usefixtures("_paired")
def test_a_library_may_have_it(run: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suspects, "is_own_file", lambda file: False)
    until = asyncio.Event()

    def start() -> Any:
        lock = asyncio.Lock()
        return keeps(lock, until), forgets(lock, False)

    assert found_of(run, start) == []


@pytest.mark.usefixtures("_paired")
@pytest.mark.parametrize("holder", [keeps, within])
def test_who_goes_on_may_give_it_back(run: Callable[..., None], holder: Any) -> None:
    until = asyncio.Event()

    def start() -> Any:
        lock = asyncio.Lock()
        return holder(lock, until), forgets(lock, False)

    assert found_of(run, start) == []


def test_what_is_given_back_elsewhere_may_be_kept_by_an_object(run: Callable[..., None]) -> None:
    def start() -> Any:
        registry = Registry()
        # Whoever took it has ended, and somebody calls `unlock`.
        return registry.lock("c"), copy(registry, "a", "c"), copy(registry, "b", "c")

    assert found_of(run, start) == []


def test_a_context_manager_of_which_nobody_knows_what_it_gives_back(run: Callable[..., None]) -> None:
    until = asyncio.Event()

    def start() -> Any:
        registry = Registry()
        return in_owner(registry, until), copy(registry, "b", "a"), copy(registry, "a", "b")

    assert found_of(run, start) == []


def test_nobody_is_suspected_where_somebody_else_gives_it_back(monkeypatch: pytest.MonkeyPatch) -> None:
    async def takes(lock: asyncio.Lock) -> None:
        await lock.acquire()
        asyncio.get_running_loop().call_later(1, lock.release)

    monkeypatch.setattr(suspects, "codes_of_application", lambda most: iter([takes.__code__]))
    assert suspects.names_of_application() is None


def test_names(monkeypatch: pytest.MonkeyPatch) -> None:
    names = suspects.names_of_application()
    assert names is not None
    assert {"lock", "forgets", "__aenter__"} <= names.taking
    assert not {"copy", "within", "keeps"} & names.taking
    assert names.giving == {"release", "unlock", "__aexit__"}
    assert not names.paired


def test_nothing_is_said_of_too_many(run: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unowned, "SUSPENDED", 1)

    def start() -> Any:
        registry = Registry()
        return copy(registry, "a", "b"), copy(registry, "b", "a")

    assert found_of(run, start) == []
