"""Who listens for a loop that never runs is told so at the end."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

import pytest

SET_UP = """
import asyncio, logging
from eyewall.loop import IOLoop, run
from eyewall.net import TCPServer
logging.basicConfig(format="%(message)s")
server = TCPServer()
async def nothing():
    pass
def listen():
    server.listen(0, "127.0.0.1")
async def serve():
    listen()
"""


def said(program: str) -> str:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", SET_UP + program], env=environment, capture_output=True, text=True, check=True
    )
    return done.stderr


@pytest.mark.parametrize(
    "program",
    ["run(nothing()); listen()", "listen(); asyncio.run(nothing())", "listen(); run(nothing())", "listen()"],
)
def test_the_wrong_order(program: str) -> None:
    assert "Nobody was served on port" in said(program)


@pytest.mark.parametrize(
    "program",
    [
        "run(serve())",
        "asyncio.run(serve())",
        "listen(); IOLoop.current().run_sync(nothing)",
        "listen(); server.stop()",
    ],
)
def test_the_right_order(program: str) -> None:
    assert said(program) == ""


def test_a_loop_that_runs_is_not_expected_to() -> None:
    from eyewall.net import unserved
    from eyewall.net.tcpserver import TCPServer

    async def main() -> None:
        server = TCPServer()
        server.listen(0, "127.0.0.1")
        assert not set(server.sockets) & set(unserved._waiting)
        server.stop()

    asyncio.run(main())
