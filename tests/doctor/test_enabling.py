"""Turning the doctor on and off, in any asyncio program."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import textwrap
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from eyewall import doctor
from eyewall.doctor import enabling
from tests.conftest import loop_factory

from .patient import turns


@pytest.fixture(autouse=True)
def _own_collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(enabling, "_collector", None)
    monkeypatch.setattr(enabling.atexit, "register", lambda function: function)
    yield
    doctor.disable()
    assert enabling._watches == {}


def breaks() -> None:
    raise LookupError("nothing there")


def test_on_and_off(run: Callable[..., None], caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: None)
        before = loop.get_exception_handler()
        assert not doctor.enabled()
        doctor.enable()
        doctor.enable()
        assert doctor.enabled()
        loop.call_soon(breaks)
        await turns()
        doctor.disable()
        doctor.disable()
        assert not doctor.enabled()
        assert loop.get_exception_handler() is before
        [finding] = doctor.findings()
        assert finding.rule == "callback-failed"
        assert finding.count == 1
        [record] = [each for each in caplog.records if each.name == "tornado.application"]
        assert record.levelno == logging.ERROR
        assert record.getMessage() == finding.text()

    run(main())


def test_a_loop_that_was_closed_leaves_nothing_behind(run: Callable[..., None]) -> None:
    before = warnings._warn_unawaited_coroutine  # type: ignore[attr-defined]

    async def main() -> None:
        doctor.enable()
        assert len(enabling._watches) == 1

    for _ in range(3):
        run(main())
    doctor.disable()
    assert warnings._warn_unawaited_coroutine is before  # type: ignore[attr-defined]
    assert sys.get_coroutine_origin_tracking_depth() == 0


def test_loops_that_are_never_closed(event_loop_kind: str) -> None:
    depth = sys.get_coroutine_origin_tracking_depth()
    doctor.enable()
    loops = [loop_factory(event_loop_kind)() for _ in range(3 * enabling.RESTING)]
    for loop in loops:
        loop.run_until_complete(turns(1))
    assert [each.loop for each in enabling._watches.values()] == loops[-enabling.RESTING :]
    # One that runs again is watched again.
    loops[0].run_until_complete(turns(1))
    assert loops[0] in [each.loop for each in enabling._watches.values()]
    assert len(enabling._watches) == enabling.RESTING
    doctor.disable()
    assert sys.get_coroutine_origin_tracking_depth() == depth
    for loop in loops:
        loop.close()


def test_loops_of_several_threads(run: Callable[..., None]) -> None:
    depths: list[int] = []

    async def other() -> None:
        doctor.enable()

    async def main() -> None:
        thread = threading.Thread(target=lambda: asyncio.run(other()))
        thread.start()
        thread.join()
        assert sys.get_coroutine_origin_tracking_depth() == 0
        doctor.enable()
        assert [watch.loop for watch in enabling.watches()] == [asyncio.get_running_loop()]
        depths.append(sys.get_coroutine_origin_tracking_depth())
        doctor.disable()
        depths.append(sys.get_coroutine_origin_tracking_depth())

    run(main())
    assert depths == [1, 0]


def test_loops_that_begin_to_run_later(run: Callable[..., None]) -> None:
    async def main() -> None:
        assert doctor.enabled()
        asyncio.get_running_loop().call_soon(breaks)
        await turns()

    doctor.enable()
    assert doctor.enabled()
    run(main())
    thread = threading.Thread(target=run, args=(main(),))
    thread.start()
    thread.join()
    [finding] = doctor.findings()
    assert (finding.rule, finding.count) == ("callback-failed", 2)
    assert len(enabling._watches) == 2
    doctor.disable()
    assert not doctor.enabled()
    run(main_of_another())


async def main_of_another() -> None:
    assert not doctor.enabled()
    assert sys.get_coroutine_origin_tracking_depth() == 0


def test_a_loop_that_runs_again_and_again(event_loop_kind: str) -> None:
    doctor.enable()
    loop = loop_factory(event_loop_kind)()
    for _ in range(3):
        loop.run_until_complete(turns())
        [watch] = enabling.watches()
        assert watch.loop is loop
    loop.close()
    assert enabling.watches() == []


def test_what_is_done_to_loops_is_undone() -> None:
    kinds = [asyncio.BaseEventLoop, *([uvloop.Loop] if (uvloop := sys.modules.get("uvloop")) else [])]
    before = [(kind.run_forever, "run_forever" in vars(kind)) for kind in kinds]
    doctor.enable()
    assert [kind.run_forever for kind in kinds] != [each for each, _ in before]
    doctor.disable()
    assert [(kind.run_forever, "run_forever" in vars(kind)) for kind in kinds] == before


def test_somebody_else_stands_over_it(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[object] = []
    doctor.enable()
    ours = asyncio.BaseEventLoop.run_forever

    def theirs(loop: asyncio.BaseEventLoop) -> None:
        calls.append(loop)
        ours(loop)

    monkeypatch.setattr(asyncio.BaseEventLoop, "run_forever", theirs)
    doctor.disable()
    loop = loop_factory("asyncio")()
    loop.run_until_complete(turns())
    loop.close()
    assert calls == [loop]
    assert enabling.watches() == []
    monkeypatch.undo()
    # As if they had put back what they had found.
    asyncio.BaseEventLoop.run_forever = ours.__wrapped__  # type: ignore[attr-defined,method-assign]


def test_options(run: Callable[..., None], caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        asyncio.get_running_loop().call_soon(breaks)
        unawaited = turns()
        del unawaited
        await turns()

    doctor.enable(log_level="never", ignore=["coroutine-never-awaited"])
    doctor.enable()
    with pytest.raises(RuntimeError, match="disable"):
        doctor.enable(log_level="info")
    with pytest.warns(RuntimeWarning, match="never awaited"):
        run(main())
    assert [each.rule for each in doctor.findings()] == ["callback-failed"]
    assert not [each for each in caplog.records if each.name == "tornado.application"]


def test_detectors_that_are_not_wanted(run: Callable[..., None]) -> None:
    doctor.enable(without=["Unawaited"])
    assert sys.get_coroutine_origin_tracking_depth() == 0

    async def main() -> None:
        assert sys.get_coroutine_origin_tracking_depth() == 0

    run(main())


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"interval": 0}, "interval"),
        ({"log_level": "loud"}, "log_level"),
        ({"ignore": "callback-failed"}, "ignore"),
        ({"again": 10.0, "longest": 5.0}, "longest"),
        ({"keep": 0}, "keep"),
        ({"ignore": ["loop-blockd"]}, "no rule 'loop-blockd'"),
        ({"without": ["Stall"]}, "did you mean 'Stalls'"),
        ({"blocked": 0.01}, "blocked is 0.1 at least"),
        ({"blocked": 1.0}, "starved"),
        ({"orphaned": 0.0}, "orphaned"),
        ({"jammed": -1.0}, "jammed"),
        ({"kept": float("nan")}, "kept"),
    ],
)
def test_options_that_make_no_sense(options: dict[str, Any], error: str) -> None:
    with pytest.raises(doctor.OptionError, match=error):
        doctor.enable(**options)
    with pytest.raises(TypeError, match="interval"):
        doctor.enable(intervall=1.0)
    assert not doctor.enabled()


def test_the_environment_keeps_it_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EYEWALL_DOCTOR", "0")
    doctor.enable()
    assert not doctor.enabled()
    monkeypatch.setenv("EYEWALL_DOCTOR", "perhaps")
    with pytest.raises(doctor.OptionError, match="EYEWALL_DOCTOR"):
        doctor.enable()


def test_what_fails_here_is_a_finding(run: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(watch: object) -> None:
        raise OSError("no room")

    monkeypatch.setattr(enabling.Watch, "start", fails)
    doctor.enable()
    run(turns())
    [finding] = doctor.findings()
    assert finding.rule == "doctor-failed"


@pytest.mark.parametrize("end", ["pass", "sys.stderr.close()"])
def test_a_program_that_ends_with_it(end: str) -> None:
    program = textwrap.dedent(
        f"""
        import asyncio, logging, sys
        import eyewall.doctor

        async def save(): pass

        async def main():
            eyewall.doctor.enable()
            logging.basicConfig(stream=sys.stdout)
            save()
            {end}

        asyncio.run(main())
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=50, check=False
    )
    assert done.returncode == 0
    assert "coroutine-never-awaited" in done.stdout
    assert "<string>:10 in main" in done.stdout
    if end == "pass":
        assert done.stderr.startswith("<string>:10: RuntimeWarning: coroutine 'save' was never awaited")
