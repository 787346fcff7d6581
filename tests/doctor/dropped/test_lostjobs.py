"""Exceptions of executor jobs whose futures are dropped."""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from ..lines import line_of
from ..patient import turns, watched


def fails() -> None:
    raise ValueError("no such report")


def done(pool: ThreadPoolExecutor) -> None:
    """Returns when the jobs before are done, and their futures let go."""
    pool.submit(int).result()


def test_a_future_that_is_dropped(run: Callable[..., None]) -> None:
    async def main() -> None:
        with ThreadPoolExecutor(1) as pool, watched() as patient:
            pool.submit(fails)
            done(pool)
            [finding] = patient.look()
            assert finding.rule == "job-exception-unread"
            assert finding.place == line_of(fails, "raise")
            assert finding.evidence.error == "ValueError: no such report"

    run(main())


def test_a_callback_that_raises(run: Callable[..., None]) -> None:
    def counts(future: Future[int]) -> None:
        raise LookupError("no such counter")

    async def main() -> None:
        with ThreadPoolExecutor(1) as pool, watched() as patient, watched():
            pool.submit(int).add_done_callback(counts)
            done(pool)
            [finding] = patient.look()
            assert finding.rule == "callback-failed"
            assert finding.place == line_of(counts, "raise")
            assert finding.count == 1
        assert logging.getLogger("concurrent.futures").filters == []

    run(main())


async def fails_later() -> None:
    await asyncio.sleep(0)
    raise ValueError("no such report")


def test_a_coroutine_that_a_thread_hands_over(run: Callable[..., None]) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        with watched() as patient:
            kept = await asyncio.to_thread(asyncio.run_coroutine_threadsafe, fails_later(), loop)
            with pytest.raises(ValueError, match="no such report"):
                await asyncio.wrap_future(kept)
            del kept
            assert patient.look() == []
            await asyncio.to_thread(hand_over, loop)
            await turns()
            [finding] = patient.look()
            assert finding.rule == "job-exception-unread"
            assert finding.place == line_of(fails_later, "raise")
            assert "run_coroutine_threadsafe" in finding.advice

    run(main())


def hand_over(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.run_coroutine_threadsafe(fails_later(), loop)


def sets() -> None:
    Future[None]().set_exception(ValueError("never raised"))


def test_one_that_was_set_and_never_raised(run: Callable[..., None]) -> None:
    async def main() -> None:
        with watched() as patient:
            sets()
            [finding] = patient.look()
            assert finding.rule == "job-exception-unread"
            assert finding.place == line_of(sets, "set_exception")

    run(main())


def asked_for_its_result(future: Future[None], pool: ThreadPoolExecutor) -> None:
    with pytest.raises(ValueError, match="no such report"):
        future.result(10)


def asked_for_its_exception(future: Future[None], pool: ThreadPoolExecutor) -> None:
    assert isinstance(future.exception(10), ValueError)


def given_a_callback_late(future: Future[None], pool: ThreadPoolExecutor) -> None:
    done(pool)
    future.add_done_callback(lambda future: None)


def among_others(future: Future[None], pool: ThreadPoolExecutor) -> None:
    [each] = concurrent.futures.as_completed([future])
    asked_for_its_exception(each, pool)


@pytest.mark.parametrize(
    "use", [asked_for_its_result, asked_for_its_exception, given_a_callback_late, among_others]
)
@pytest.mark.parametrize("early", [True, False])
def test_futures_that_are_used(use: Callable[[Future[None], ThreadPoolExecutor], None], early: bool) -> None:
    """`early`: whether somebody waits already when the job fails."""

    async def main() -> None:
        gate = threading.Event()

        def job() -> None:
            gate.wait(10)
            fails()

        with ThreadPoolExecutor(1) as pool, watched() as patient:
            future = pool.submit(job)
            if early and use is not given_a_callback_late:
                user = threading.Thread(target=use, args=(future, pool))
                user.start()
                while not (future._condition._waiters or future._waiters):  # type: ignore[attr-defined]
                    await asyncio.sleep(0)
                gate.set()
                user.join()
            else:
                gate.set()
                done(pool)
                use(future, pool)
            del future
            done(pool)
            assert patient.look() == []

    asyncio.run(main())


def test_those_of_asyncio(run: Callable[..., None]) -> None:
    async def main() -> None:
        with ThreadPoolExecutor(1) as pool, watched() as patient:
            with pytest.raises(ValueError, match="no such report"):
                await asyncio.get_running_loop().run_in_executor(pool, fails)
            with pytest.raises(ValueError, match="no such report"):
                await asyncio.wrap_future(pool.submit(fails))
            done(pool)
            assert patient.look() == []

    run(main())


def test_classes_of_others_stay_as_they_are() -> None:
    class Special(Future[None]):
        pass

    async def main() -> None:
        before = Future.set_exception
        with watched() as patient, watched():
            assert Future.set_exception is not before
            special = Special()
            special.set_exception(ValueError())
            assert type(special) is Special
            plain: Future[None] = Future()
            plain.set_exception(ValueError("dropped"))
            assert repr(plain).startswith("<Future at")
            assert isinstance(plain, Future)
            del special, plain
            assert [each.count for each in patient.look()] == [1]
        assert Future.set_exception is before

    asyncio.run(main())


def test_a_detector_that_fails_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(error: BaseException) -> Any:
        raise LookupError("of the doctor")

    async def main() -> None:
        monkeypatch.setattr("eyewall.doctor.dropped.lostjobs._finding", broken)
        with watched() as patient:
            for _ in range(2):
                future: Future[None] = Future()
                future.set_exception(ValueError())
                del future
            [finding] = patient.look()
            assert finding.rule == "doctor-failed"
            assert finding.count == 1

    asyncio.run(main())
