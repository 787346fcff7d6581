"""When the interpreter looks for garbage in the process of a server."""

from __future__ import annotations

import subprocess
import sys

import pytest

SERVE = """
import asyncio, gc
from eyewall.guard.profile import NATIVE
from eyewall.http.server import HTTPServer

async def main():
    gc.set_threshold(*{before})
    for objects in {stated}:
        server = HTTPServer(lambda request: None, profile=NATIVE.replace(young_objects=objects))
        server.listen(0, "127.0.0.1")
        server.stop()
    print(*gc.get_threshold())

asyncio.run(main())
"""


def threshold(before: tuple[int, ...], *stated: int) -> tuple[int, ...]:
    """The thresholds of a process in which servers began to listen, one after the other."""
    program = SERVE.format(before=before, stated=list(stated))
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    return tuple(map(int, done.stdout.split()))


@pytest.mark.parametrize(
    ("before", "stated", "after"),
    [
        # What interpreters begin with.
        ((700, 10, 10), (10_000,), (10_000, 10, 10)),
        ((2000, 10, 5), (10_000,), (10_000, 10, 5)),
        ((700, 10, 10), (0,), (700, 10, 10)),
        # Of several, the largest counts.
        ((700, 10, 10), (5000, 20_000, 10_000), (20_000, 10, 10)),
        # What the program has set stays, also where that is not at all.
        ((50_000, 5, 5), (10_000,), (50_000, 5, 5)),
        ((0, 10, 10), (10_000,), (0, 10, 10)),
    ],
)
def test_a_server_has_the_interpreter_look_seldom(
    before: tuple[int, ...], stated: tuple[int, ...], after: tuple[int, ...]
) -> None:
    assert threshold(before, *stated) == after


def test_the_number_is_one_for_a_server() -> None:
    from eyewall.guard.profile import NATIVE, TORNADO

    assert NATIVE.young_objects == TORNADO.young_objects == 10_000
