from __future__ import annotations

import asyncio
import threading

import pytest

from eyewall.loop import sleep, with_timeout
from eyewall.testing import NothingHappens, fakeclock, run_with_fake_clock


def test_time_passes_at_once_and_in_order() -> None:
    async def main() -> list[tuple[float, str]]:
        loop = asyncio.get_running_loop()
        seen: list[tuple[float, str]] = []

        async def after(seconds: float, name: str) -> None:
            await asyncio.sleep(seconds)
            seen.append((loop.time(), name))

        await asyncio.gather(after(3600, "hour"), after(1, "second"), after(86400 * 365, "year"))
        await sleep(0.5)
        return [*seen, (loop.time(), "end")]

    assert run_with_fake_clock(main()) == [
        (1, "second"),
        (3600, "hour"),
        (86400 * 365, "year"),
        (86400 * 365 + 0.5, "end"),
    ]


def test_it_stands_still_while_there_is_something_to_do() -> None:
    async def main() -> float:
        loop = asyncio.get_running_loop()
        loop.call_later(1, lambda: None)
        for _ in range(1000):
            await asyncio.sleep(0)
        return loop.time()

    assert run_with_fake_clock(main()) == 0


def test_timeouts_are_those_of_the_clock() -> None:
    async def main() -> None:
        never: asyncio.Future[None] = asyncio.Future()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(600):
                await never
        assert asyncio.get_running_loop().time() == 600

    run_with_fake_clock(main())


def test_who_waits_for_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fakeclock, "PATIENCE", 0.01)

    async def main() -> None:
        await asyncio.Event().wait()

    with pytest.raises(NothingHappens, match="no timers"):
        run_with_fake_clock(main())


def test_threads_are_waited_for_where_there_are_no_timers() -> None:
    async def main() -> str:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[str] = loop.create_future()
        thread = threading.Thread(target=loop.call_soon_threadsafe, args=(future.set_result, "thread"))
        thread.start()
        result = await future
        thread.join()
        return result

    assert run_with_fake_clock(main()) == "thread"


def test_timedeltas_of_tornado_work_too() -> None:
    import datetime

    async def main() -> float:
        with pytest.raises(TimeoutError):
            await with_timeout(datetime.timedelta(seconds=90), asyncio.Future())
        return asyncio.get_running_loop().time()

    assert run_with_fake_clock(main()) == pytest.approx(90, abs=1)
