import asyncio
import io
import threading

import pytest

from eyewall.guard.executors.errors import ExecutorClosed
from eyewall.net.filethreads import executor, off_loop
from tests.conftest import LOOP_KINDS

from ..waiting import until


def run(main, kind):
    if kind == "uvloop":
        import uvloop

        return uvloop.run(main())
    return asyncio.run(main())


@pytest.mark.parametrize("kind", LOOP_KINDS)
def test_a_call_runs_in_a_thread(kind):
    async def main():
        thread, arguments = await off_loop(lambda *args: (threading.current_thread(), args), 1, 2)
        assert thread.name.startswith("eyewall-files")
        assert arguments == (1, 2)
        with pytest.raises(ZeroDivisionError):
            await off_loop(lambda: 1 / 0)

    run(main, kind)


@pytest.mark.parametrize("kind", LOOP_KINDS)
@pytest.mark.parametrize("wrapped", [False, True])
def test_what_nobody_waits_for_is_closed(kind, wrapped):
    go = threading.Event()
    opened = []

    def slow():
        assert go.wait(10)
        opened.append(io.BytesIO())
        return (None, opened[0]) if wrapped else opened[0]

    async def main():
        task = asyncio.ensure_future(off_loop(slow))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        go.set()
        await until(lambda: opened and opened[0].closed)

    run(main, kind)


def test_a_loop_that_is_gone():
    go = threading.Event()
    done = threading.Event()

    class Result:
        def close(self):
            done.set()

    def slow():
        assert go.wait(10)
        return Result()

    async def main():
        off_loop(slow).cancel()

    asyncio.run(main())
    go.set()
    assert done.wait(10)


@pytest.mark.parametrize("kind", LOOP_KINDS)
def test_what_is_not_begun_is_told(kind):
    go = threading.Event()

    async def main():
        files = executor()
        running = [files.submit(go.wait, 10) for _ in range(files.state()["workers"])]
        waiting = off_loop(int)
        cancelled = off_loop(int)
        cancelled.cancel()
        await asyncio.sleep(0)
        assert files.state()["queued"] == 1
        report = await files.close(0.0)
        assert len(report.dropped) == 1
        with pytest.raises(ExecutorClosed):
            await waiting
        go.set()
        assert all(each.result(10) for each in running)
        # There is another one for what comes then.
        assert await off_loop(int) == 0

    run(main, kind)
