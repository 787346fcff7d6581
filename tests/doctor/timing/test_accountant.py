"""The doctor counts where the time goes, as long as it watches."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from eyewall.doctor.collector import Collector
from eyewall.doctor.timing.accountant import Accountant
from eyewall.doctor.timing.pulse import pulses
from eyewall.doctor.timing.times import route_times
from eyewall.doctor.watch import Watch
from eyewall.web import Application, RequestHandler, accounting

from ...web.serving import fetch, serving


class Hello(RequestHandler):
    def get(self) -> None:
        self.write("hello")


async def counted(app: Application) -> int:
    """Returns by how many requests the accounts grow with one request."""

    def count() -> int:
        return sum(each.count for each in route_times())

    before = count()
    async with serving(app) as port:
        await fetch(port, "/")
    return count() - before


def test_the_watch_counts(run: Callable[..., Any]) -> None:
    async def main() -> None:
        accounting.forget()
        app = Application([("/", Hello)])
        assert await counted(app) == 0
        watch = Watch(asyncio.get_running_loop(), Collector(), interval=1e6)
        watch.start()
        assert await counted(app) == 1
        watch.look()
        [times] = route_times()
        assert (times.route, times.handler, times.count) == ("/", "Hello", 1)
        assert len(pulses()) == 1
        watch.stop()
        assert await counted(app) == 0
        assert pulses() == []
        assert watch.collector.findings() == []
        accounting.forget()

    run(main())


def test_two_that_count(run: Callable[..., Any]) -> None:
    async def main() -> None:
        app = Application([("/", Hello)])
        loop, collector = asyncio.get_running_loop(), Collector()
        one, other = Accountant(), Accountant()
        one.start(loop, collector)
        other.start(loop, collector)
        one.stop()
        assert await counted(app) == 1
        other.stop()
        other.stop()
        assert await counted(app) == 0

    run(main())


def test_a_program_that_serves_nothing_does_not_load_what_does() -> None:
    program = """
import asyncio, sys
from eyewall import doctor
async def main():
    doctor.enable()
    await asyncio.sleep(0.6)
    from eyewall.doctor.timing.times import route_times
    assert route_times() == []
asyncio.run(main())
assert "eyewall.web" not in sys.modules, "loaded"
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=50)
