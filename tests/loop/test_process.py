from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import textwrap

import pytest

from eyewall.loop import process
from eyewall.loop.process import CalledProcessError, Subprocess, cpu_count, task_id

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def python(code, *arguments, **kwargs):
    """Runs a program that forks: not in this process, whose threads and loops it would inherit."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
        **kwargs,
    )


FORKING = """
    import logging, os, sys, signal
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    from eyewall.loop.ioloop import IOLoop
    from eyewall.loop.policy import run
    from eyewall.loop.process import fork_processes, task_id
"""


class TestForking:
    def test_numbers_and_restarts(self, tmp_path):
        result = python(
            FORKING
            + """
    number = fork_processes(3)
    # Only in the children.
    async def main():
        return task_id()
    assert run(main()) == number
    flag = os.path.join(sys.argv[1], str(number))
    first = not os.path.exists(flag)
    open(flag, "a").close()
    sys.stdout.write(f"{number} {first}\\n")
    sys.stdout.flush()
    if first and number == 1:
        os._exit(3)
    if first and number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    os._exit(0)
    """,
            tmp_path,
        )
        assert result.returncode == 0, result.stderr
        assert sorted(result.stdout.split("\n")[:-1]) == [
            "0 True",
            "1 False",
            "1 True",
            "2 False",
            "2 True",
        ]
        lines = sorted(re.sub(r"pid \d+", "pid N", line) for line in result.stderr.splitlines())
        assert lines == [
            "INFO tornado.general Starting 3 processes",
            "INFO tornado.general child 0 (pid N) exited normally",
            "INFO tornado.general child 1 (pid N) exited normally",
            "INFO tornado.general child 2 (pid N) exited normally",
            "WARNING tornado.general child 1 (pid N) exited with status 3, restarting",
            "WARNING tornado.general child 2 (pid N) killed by signal 9, restarting",
        ]

    def test_giving_up(self):
        result = python(
            FORKING
            + """
    fork_processes(1, max_restarts=2)
    os._exit(1)
    """
        )
        assert result.returncode == 1
        assert result.stderr.count("exited with status 1, restarting") == 3
        assert "RuntimeError: Too many child restarts, giving up" in result.stderr

    def test_as_many_as_processors(self):
        result = python(
            FORKING
            + """
    os.cpu_count = lambda: 2
    fork_processes(0)
    os._exit(0)
    """
        )
        assert result.returncode == 0
        assert "Starting 2 processes" in result.stderr

    def test_parents_loop_is_not_shared(self):
        result = python(
            FORKING
            + """
    parents = IOLoop.current()
    fork_processes(1)
    assert IOLoop.current(instance=False) is None
    assert IOLoop.current() is not parents
    IOLoop.current().run_sync(lambda: None)
    try:
        fork_processes(1)
    except RuntimeError as error:
        assert "in a process that it made itself" in str(error)
        os._exit(0)
    """
        )
        assert result.returncode == 0, result.stderr

    def test_running_loop(self, run):
        async def main():
            with pytest.raises(RuntimeError, match="before the event loop is started"):
                process.fork_processes(1)

        run(main())

    def test_not_forked(self):
        assert task_id() is None
        assert cpu_count() >= 1


@pytest.fixture(params=["descriptor", "thread"])
def watched(request, monkeypatch):
    """How the end is noticed."""
    if request.param == "thread":
        monkeypatch.delattr(os, "pidfd_open", raising=False)
    elif not hasattr(os, "pidfd_open"):
        pytest.skip("this system has no process descriptors")


@pytest.mark.usefixtures("watched")
class TestEnd:
    @pytest.mark.parametrize("status", [0, 3])
    def test_callback(self, io_loop, status):
        seen = []

        def on_exit(code):
            seen.append(code)
            io_loop.stop()

        child = Subprocess([sys.executable, "-c", f"raise SystemExit({status})"])
        assert child.returncode is None
        child.set_exit_callback(lambda code: pytest.fail("replaced"))
        child.set_exit_callback(on_exit)
        io_loop.start()
        assert seen == [status]
        assert child.returncode == status
        child.set_exit_callback(on_exit)
        io_loop.start()
        assert seen == [status, status]

    def test_signal(self, io_loop):
        async def main():
            child = Subprocess([sys.executable, "-c", "import time; time.sleep(60)"])
            os.kill(child.pid, signal.SIGTERM)
            assert await child.wait_for_exit(raise_error=False) == -signal.SIGTERM
            assert child.returncode == -signal.SIGTERM

        io_loop.run_sync(main)

    def test_waiting(self, io_loop):
        async def main():
            assert await Subprocess([sys.executable, "-c", ""]).wait_for_exit() == 0
            child = Subprocess([sys.executable, "-c", "raise SystemExit(3)"])
            with pytest.raises(CalledProcessError) as caught:
                await child.wait_for_exit()
            assert caught.value.returncode == 3
            child = Subprocess([sys.executable, "-c", "raise SystemExit(3)"])
            assert await child.wait_for_exit(raise_error=False) == 3

        io_loop.run_sync(main)

    def test_waiting_that_is_cancelled(self, io_loop):
        async def main():
            child = Subprocess([sys.executable, "-c", "raise SystemExit(3)"])
            waiting = child.wait_for_exit()
            waiting.cancel()
            while child.returncode is None:
                await asyncio.sleep(0.001)
            assert waiting.cancelled()

        io_loop.run_sync(main)

    def test_many(self, io_loop):
        async def main():
            children = [Subprocess([sys.executable, "-I", "-S", "-c", ""]) for _ in range(5)]
            assert await asyncio.gather(*[child.wait_for_exit() for child in children]) == [0] * 5

        before = len(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else 0
        io_loop.run_sync(main)
        after = len(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else 0
        assert after <= before + 1


class TestStreams:
    def test_pipes(self, io_loop, monkeypatch):
        opened = {}

        def stream(descriptor):
            opened[descriptor] = os.fdopen(descriptor, "r+b", buffering=0)
            return opened[descriptor]

        monkeypatch.setattr(Subprocess, "pipe_stream", staticmethod(stream))
        child = Subprocess(
            [sys.executable, "-c", "import sys; sys.stdout.write(sys.stdin.read().upper())"],
            stdin=Subprocess.STREAM,
            stdout=Subprocess.STREAM,
            stderr=subprocess.PIPE,
        )
        assert set(opened.values()) == {child.stdin, child.stdout}
        child.stdin.write(b"shout")
        child.stdin.close()
        assert child.stdout.read() == b"SHOUT"
        child.stdout.close()
        assert child.stderr.read() == b""
        child.stderr.close()
        assert io_loop.run_sync(child.wait_for_exit) == 0

    @pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="needs /proc")
    @pytest.mark.parametrize("fault", ["no streams", "no program"])
    def test_failure_leaves_no_pipes(self, io_loop, monkeypatch, fault):
        monkeypatch.setattr(Subprocess, "pipe_stream", None if fault == "no streams" else staticmethod(int))
        before = os.listdir("/proc/self/fd")
        with pytest.raises((RuntimeError, FileNotFoundError)):
            Subprocess(["/nowhere/no-program"], stdin=Subprocess.STREAM, stdout=Subprocess.STREAM)
        assert os.listdir("/proc/self/fd") == before

    def test_signal_handling_is_nobodys(self):
        before = signal.getsignal(signal.SIGCHLD)
        Subprocess.initialize()
        assert signal.getsignal(signal.SIGCHLD) is before
        Subprocess.uninitialize()
