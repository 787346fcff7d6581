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

import pytest

from eyewall import doctor
from eyewall.doctor import enabling

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
        assert len(enabling._watches) == 1
        depths.append(sys.get_coroutine_origin_tracking_depth())
        doctor.disable()
        depths.append(sys.get_coroutine_origin_tracking_depth())

    run(main())
    assert depths == [1, 0]


def test_without_a_running_loop() -> None:
    with pytest.raises(RuntimeError, match="running loop"):
        doctor.enable()
    assert not doctor.enabled()


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
