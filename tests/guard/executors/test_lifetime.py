"""The end of a program that has jobs left."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from eyewall.guard.executors.bounded import BoundedExecutor
from eyewall.guard.executors.lifetime import executors
from eyewall.guard.executors.threads import ThreadExecutor

PATIENCE = 40.0


def program(tmp_path: Path, text: str) -> subprocess.CompletedProcess[str]:
    file = tmp_path / "program.py"
    file.write_text(text)
    return subprocess.run(
        [sys.executable, "-W", "error", str(file)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def test_jobs_that_are_there_at_the_end_are_finished(tmp_path: Path) -> None:
    done = program(
        tmp_path,
        "from eyewall.guard.executors import ThreadExecutor\n"
        "import sys, time\n"
        "executor = ThreadExecutor('last', workers=1)\n"
        "def work(number):\n"
        "    time.sleep(0.05)\n"
        "    print(number, flush=True)\n"
        "for number in range(4): executor.submit(work, number)\n",
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "0\n1\n2\n3\n", "")


def test_what_hangs_keeps_no_process_for_ever_and_is_named(tmp_path: Path) -> None:
    done = program(
        tmp_path,
        "from eyewall.guard.executors import ThreadExecutor, lifetime\n"
        "import threading\n"
        "lifetime.EXIT_GRACE = 0.1\n"
        "executor = ThreadExecutor('last', workers=1)\n"
        "def hang(): threading.Event().wait()\n"
        "executor.submit(hang)\n"
        "executor.submit(hang)\n",
    )
    assert done.returncode == 0
    assert "Executor 'last' is closed: 1 jobs were dropped; still running: __main__.hang" in done.stderr


def test_processes_end_with_the_program(tmp_path: Path) -> None:
    done = program(
        tmp_path,
        # In this order, the module that ends things is there before `multiprocessing`.
        "from eyewall.guard.executors import lifetime, ThreadExecutor, ProcessExecutor\n"
        "import os, time\n"
        "lifetime.EXIT_GRACE = 0.1\n"
        "if __name__ == '__main__':\n"
        "    ThreadExecutor('one')\n"
        "    executor = ProcessExecutor('last', workers=2)\n"
        "    executor.submit(os.getpid).result()\n"
        "    executor.submit(time.sleep, 1000)\n"
        "    print('end', flush=True)\n",
    )
    assert (done.returncode, done.stdout) == (0, "end\n")
    assert "still running: time.sleep" in done.stderr


def test_threads_have_ended_before_the_interpreter_does(tmp_path: Path) -> None:
    done = program(
        tmp_path,
        # What is registered first is called last.
        "import atexit, os, threading, time\n"
        "def look():\n"
        "    print([each.name for each in threading.enumerate() if each.name.startswith('eyewall-')], flush=True)\n"
        "if __name__ == '__main__':\n"
        "    atexit.register(look)\n"
        "    from eyewall.guard.executors import ProcessExecutor\n"
        "    from eyewall.guard.executors.processes import ProcessSeat\n"
        "    close = ProcessSeat.close\n"
        # As on a machine that has other things to do.
        "    ProcessSeat.close = lambda seat: (time.sleep(0.3), close(seat))\n"
        "    executor = ProcessExecutor('some', workers=2)\n"
        "    executor.submit(os.getpid).result()\n",
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", "")


def test_the_list_of_executors() -> None:
    executor = ThreadExecutor("listed")
    assert executor in executors()
    assert all(isinstance(each, BoundedExecutor) for each in executors())
    executor.shutdown()
