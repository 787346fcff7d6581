"""Which place of a stack, a traceback or a chain of awaits is named."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import sysconfig
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from eyewall.doctor.places import (
    DEPTH,
    LENGTH,
    Place,
    await_chain,
    best_of,
    culprit_of,
    definition,
    definition_of,
    is_own,
    place_of,
    places_of,
    stack_of,
    traceback_of,
)
from eyewall.guard.deadlines import awaiting
from eyewall.loop import locks

from .lines import line_of


def test_a_place_has_its_line_of_source() -> None:
    place = place_of(sys._getframe())  # here
    assert place == line_of(test_a_place_has_its_line_of_source, "_getframe())  # here")
    assert place.source.startswith("place = place_of(")
    assert str(place) == f"{__file__}:{place.line} in {place.function}"
    assert Place("/nowhere.py", 1, "f").source == ""
    assert len(place.source) <= LENGTH


def test_files_of_the_application_and_others() -> None:
    standard = Place(os.path.join(sysconfig.get_path("stdlib"), "json", "decoder.py"), 1, "f")
    installed = Place("/app/.venv/lib/python3.11/site-packages/other/a.py", 2, "f")
    ours = Place(locks.__file__, 3, "f")
    compiled = Place("src/eyewall/web/dispatch.py", 3, "f")
    frozen = Place("<frozen importlib._bootstrap>", 4, "f")
    own = Place("/app/main.py", 5, "f")
    assert is_own(own)
    made = Place("<string>", 6, "f")
    assert is_own(made)
    assert best_of([own, made]) == own
    assert best_of([made, installed]) == made
    assert not any(map(is_own, (standard, installed, ours, compiled, frozen)))
    assert best_of([own, own._replace(line=6), installed, standard]) == own._replace(line=6)
    assert best_of([standard, installed, ours, frozen]) == installed
    assert best_of([standard, ours, compiled]) == compiled
    assert best_of([]) is None
    assert culprit_of([]) is None


def test_files_of_compiled_modules(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # They know themselves by a path relative to where they were compiled.
    for name, file in (
        ("library", "/venv/lib/python3/site-packages/library/__init__.py"),
        ("app", "/srv/app/__init__.py"),
    ):
        module = ModuleType(name)
        module.__file__ = file
        monkeypatch.setitem(sys.modules, name, module)
    assert not is_own(Place("library/loop.pyx", 1, "run"))
    assert is_own(Place("app/fast.pyx", 1, "run"))
    assert is_own(Place("unknown/fast.pyx", 1, "run"))
    # Python may have been compiled, too.
    assert not is_own(Place("library/loop.py", 1, "run"))
    assert is_own(Place("app/fast.py", 1, "run"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "library").mkdir()
    (tmp_path / "library/loop.py").touch()
    assert is_own(Place("library/loop.py", 1, "run"))


def test_a_stack_names_the_application_below_libraries() -> None:
    seen: list[Place | None] = []

    def hook(value: dict[str, Any]) -> dict[str, Any]:
        frames = stack_of(sys._getframe().f_back)
        assert places_of(frames)[-1].file == json.decoder.__file__
        seen.append(culprit_of(frames))
        return value

    json.loads("{}", object_hook=hook)
    assert seen == [line_of(test_a_stack_names_the_application_below_libraries, "json.loads")]


def test_a_stack_names_who_runs_what_is_made_of_text() -> None:
    seen: list[Place | None] = []

    def see() -> None:
        frames = stack_of(sys._getframe().f_back)
        seen.extend((culprit_of(frames), culprit_of(frames[-2:])))

    exec("def inner(): see()\ninner()", {"see": see})
    who = line_of(test_a_stack_names_who_runs_what_is_made_of_text, "exec(")
    assert seen == [who, Place("<string>", 1, "inner")]


def test_a_deep_stack_is_cut() -> None:
    def down(left: int) -> int:
        return down(left - 1) if left else len(stack_of(sys._getframe()))

    assert down(2 * DEPTH) == DEPTH


def test_a_traceback_has_the_lines_of_the_error() -> None:
    def fails() -> None:
        json.loads("nonsense")

    try:
        fails()
    except ValueError as caught:
        error = caught
    places, culprit = traceback_of(error)
    assert places[0].function == "test_a_traceback_has_the_lines_of_the_error"
    assert places[-1].file == json.decoder.__file__
    assert culprit is not None
    assert culprit.source == 'json.loads("nonsense")'
    assert traceback_of(ValueError()) == ((), None)


def test_the_chain_of_a_task_and_of_a_coroutine(run: Callable[..., None]) -> None:
    async def items(lock: asyncio.Lock) -> AsyncIterator[int]:
        await lock.acquire()
        yield 1

    async def reads(lock: asyncio.Lock) -> None:
        async for _ in items(lock):
            pass

    async def gathers(lock: asyncio.Lock) -> None:
        await asyncio.gather(reads(lock))

    async def main() -> None:
        lock = asyncio.Lock()
        await lock.acquire()
        task = asyncio.ensure_future(gathers(lock))
        for _ in range(3):
            await asyncio.sleep(0)
        chain = await_chain(task)
        assert chain.culprit == line_of(items, "acquire")
        own = [place.function.rpartition(".")[2] for place in chain.places if is_own(place)]
        assert own == ["gathers", "reads", "items"]
        assert isinstance(chain.end, asyncio.Future)
        coro = task.get_coro()
        assert coro is not None
        assert await_chain(coro) == chain
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert await_chain(task) == ((), None, task)

    run(main())


def test_a_coroutine_that_has_not_begun() -> None:
    async def nothing() -> None:
        pass

    coro = nothing()
    assert await_chain(coro).culprit == definition(nothing.__code__)
    coro.close()


async def _ends_at_once() -> None:
    pass


@pytest.mark.parametrize("crashing", [False, True])
def test_the_coroutine_of_a_task_that_is_done(
    run: Callable[..., None], monkeypatch: pytest.MonkeyPatch, crashing: bool
) -> None:
    async def main() -> None:
        if crashing == awaiting._CRASHING:
            eager = getattr(asyncio, "eager_task_factory", None)
            if eager is not None:
                # There is nothing left of it, and it must not be asked for where that is fatal.
                assert definition_of(eager(asyncio.get_running_loop(), _ends_at_once())) is None
        monkeypatch.setattr(awaiting, "_CRASHING", crashing)
        task = asyncio.create_task(_ends_at_once())
        await task
        assert definition_of(task) == line_of(_ends_at_once, "async def")

    run(main())
