from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

pytest.importorskip("twisted")

from twisted.internet.defer import Deferred, fail, succeed

from eyewall.loop import coroutine
from eyewall.loop.deferreds import future_of

Run = Callable[[Coroutine[Any, Any, Any]], Any]


def test_deferreds_can_be_yielded(run: Run) -> None:
    async def main() -> None:
        later: Deferred[int] = Deferred()

        @coroutine
        def add() -> Any:
            one = yield succeed(1)
            others = yield [later, succeed(3)]
            return one + sum(others)

        asyncio.get_running_loop().call_soon(later.callback, 2)
        assert await add() == 6

    run(main())


def test_failures_are_exceptions(run: Run) -> None:
    async def main() -> None:
        @coroutine
        def wait() -> Any:
            yield fail(LookupError("nothing"))

        with pytest.raises(LookupError, match="nothing"):
            await wait()

    run(main())


def test_who_waits_may_give_up(run: Run) -> None:
    async def main() -> None:
        cancelled: list[Any] = []
        deferred: Deferred[int] = Deferred(cancelled.append)
        future = future_of(deferred)
        future.cancel()
        await asyncio.sleep(0)
        assert cancelled == [deferred]

    run(main())


PROGRAM = """
import asyncio, sys
from eyewall.tornado.platform.twisted import install
assert "twisted.internet.reactor" not in sys.modules
install()
from twisted.internet import reactor
from eyewall.tornado.ioloop import IOLoop
loop = IOLoop.current()
assert reactor._asyncioEventloop is loop.asyncio_loop
reactor.callLater(0, loop.stop)
reactor.startRunning()
loop.start()
print("stopped")
"""


def test_the_reactor_runs_on_the_loop() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=50, check=False
    )
    assert (done.stdout, done.returncode) == ("stopped\n", 0), done.stderr
