"""Tasks that belong to something: they end with it, or are waited for; what they raise is told."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable

import pytest

from eyewall.base import probe
from eyewall.guard.lifecycle.drain import Drain
from eyewall.guard.lifecycle.tasks import OwnedTasks, TaskRegister
from eyewall.testing.fakeclock import run_with_fake_clock


async def forever() -> None:
    await asyncio.get_running_loop().create_future()


def test_some_are_cancelled_and_some_go_on(run: Callable[..., None]) -> None:
    async def main() -> None:
        register = TaskRegister(Drain())
        owned = OwnedTasks("the owner", register)
        gate = asyncio.Event()
        cancelled = owned.spawn(forever())
        awaited = owned.spawn(gate.wait(), at_end="await", name="waiting")
        done = owned.spawn(asyncio.sleep(0, "result"))
        assert await done == "result"
        assert (len(owned), len(register)) == (2, 2)
        owned.end()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        assert not awaited.done()
        gate.set()
        await owned.finish()
        assert awaited.result() is True
        assert (len(owned), len(register)) == (0, 0)

    run(main())


def test_after_the_end_nothing_is_spawned(run: Callable[..., None]) -> None:
    async def main() -> None:
        owned = OwnedTasks("the owner", TaskRegister(Drain()))
        with pytest.raises(ValueError, match='at_end is "cancel" or "await"'):
            owned.spawn(forever(), at_end="forget")  # type: ignore[arg-type]
        owned.end()
        with pytest.raises(RuntimeError, match="the owner has ended"):
            owned.spawn(forever())

    run(main())


def test_an_error_is_logged_and_told_at_once(
    run: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    told: list[tuple[object, BaseException]] = []

    async def failing() -> None:
        raise ValueError("on purpose")

    async def main() -> None:
        owned = OwnedTasks("GET /report", TaskRegister(Drain()))
        task = owned.spawn(failing(), name="failing")
        await asyncio.wait((task,))
        await asyncio.sleep(0)
        assert [(which, str(error)) for which, error in told] == [(task, "on purpose")]
        owned.end()

    def listener(task: object, error: BaseException) -> None:
        told.append((task, error))

    detach = probe.task_error.attach(listener)
    try:
        run(main())
    finally:
        detach()
    assert "Uncaught exception in the task failing (test_an_error_is_logged" in caplog.text
    assert "of GET /report" in caplog.text
    assert "ValueError: on purpose" in caplog.text


def test_a_task_is_kept_alive(run: Callable[..., None]) -> None:
    async def main() -> None:
        register = TaskRegister(Drain())
        came: list[str] = []

        async def waiting() -> None:
            # Nothing but the task refers to the future.
            await asyncio.get_running_loop().create_future()

        OwnedTasks("the owner", register).spawn(waiting()).add_done_callback(lambda _: came.append("ended"))
        await asyncio.sleep(0)
        gc.collect()
        assert len(register) == 1
        assert came == []

    run(main())


def test_the_drain_waits_for_tasks_and_names_those_that_it_breaks_off() -> None:
    async def main() -> None:
        drain = Drain(lambda: asyncio.get_running_loop().time())
        register = TaskRegister(drain)
        owned = OwnedTasks("GET /report", register)
        short = owned.spawn(asyncio.sleep(2.0, "in time"), at_end="await")
        long = owned.spawn(forever(), at_end="await", name="long")
        report = await drain.run(5.0)
        assert short.result() == "in time"
        assert long.cancelled()
        [step] = report.steps
        assert len(step.found) == 2
        [left] = step.left
        assert left.startswith("task: long (forever) of GET /report, 0.0 s, at ")
        assert left.endswith(f"{forever.__code__.co_firstlineno + 1} in forever")
        assert step.seconds == pytest.approx(5.0)

    run_with_fake_clock(main())


def test_the_drain_does_not_wait_for_what_is_cancelled_anyhow() -> None:
    async def main() -> None:
        drain = Drain(asyncio.get_running_loop().time)
        owned = OwnedTasks("a poller, which a hook ends", TaskRegister(drain))
        endless = owned.spawn(forever())
        brief = owned.spawn(asyncio.sleep(2.0), at_end="await")
        report = await drain.run(60.0)
        assert report.clean
        assert (endless.cancelled(), brief.cancelled()) == (True, False)
        assert asyncio.get_running_loop().time() == pytest.approx(2.0, abs=0.01)

    run_with_fake_clock(main())
