"""`eyewall top`: of a real process, and where there is none to be asked."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from eyewall.cli import main, unanswered
from eyewall.doctor.control.client import NoDoctor
from eyewall.doctor.top.model import tables, tasks_at
from eyewall.doctor.top.source import Process

from .program import PATIENCE

pytestmark = pytest.mark.one_build

PROGRAM = """
import asyncio

async def job():
    await asyncio.sleep(1000)

async def main():
    task = asyncio.create_task(job(), name="the job")
    print("ready", flush=True)
    try:
        await task
    except asyncio.CancelledError:
        print("cancelled", flush=True)
    await asyncio.sleep(1000)

asyncio.run(main())
"""


@pytest.fixture(autouse=True)
def _own_sockets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sockets").mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "sockets"))


@pytest.fixture
def patient(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A program under the doctor."""
    file = tmp_path / "program.py"
    file.write_text(textwrap.dedent(PROGRAM))
    process = subprocess.Popen(
        [sys.executable, "-m", "eyewall", "doctor", "run", str(file)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    yield process
    process.kill()
    process.communicate(timeout=PATIENCE)


def call(*args: object) -> Any:
    return CliRunner().invoke(main, ["top", *map(str, args)])


def test_once(patient: subprocess.Popen[str]) -> None:
    done = call(patient.pid, "--once")
    assert done.exit_code == 0, done.output
    assert done.output.startswith(f"Process {patient.pid}: ")
    assert "program.py:4" in done.output


def test_a_task_is_cancelled(patient: subprocess.Popen[str]) -> None:
    process = Process(patient.pid)
    now = process.answers()
    [row] = [
        row for each in tables(now) if each.name == "tasks" for row in each.rows if row.cells[1].text == "job"
    ]
    [task] = tasks_at(process.stacks(), row.subject["place"]).rows
    # A connection that was closed meanwhile is made again.
    process.disconnect()
    assert process.cancel(task.subject) == "the job was asked to cancel"
    assert patient.stdout is not None
    assert patient.stdout.readline() == "cancelled\n"
    patient.kill()
    patient.wait(PATIENCE)
    with pytest.raises(NoDoctor):
        process.answers()
    process.disconnect()


def test_a_real_process_in_the_terminal(patient: subprocess.Popen[str], run: Callable[[Any], Any]) -> None:
    pytest.importorskip("textual")
    from eyewall.doctor.top.view import Top

    process = Process(patient.pid)

    async def play() -> None:
        app = Top(process, 0.0)
        async with app.run_test() as pilot:
            await app.workers.wait_for_complete()
            await pilot.pause()
            assert f"Process {patient.pid}" in str(app.query_one("#heading").content)  # type: ignore[attr-defined]
            patient.kill()
            patient.wait(PATIENCE)
            app.action_again()
            await app.workers.wait_for_complete()
            assert app.query_one("#status").has_class("gone")

    run(play())
    process.disconnect()


def test_no_doctor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unanswered, "stacks_from_outside", lambda pid: (True, f"stacks of {pid}\n"))
    done = call(os.getpid())
    assert done.exit_code == 3
    assert "runs no doctor" in done.output
    assert "seen from outside" in done.output
    assert f"stacks of {os.getpid()}\n" in done.output


def test_no_such_process() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait(PATIENCE)
    done = call(process.pid, "--once")
    assert done.exit_code == 3
    assert "there is no process" in done.output


def test_without_textual(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    done = call(os.getpid())
    assert done.exit_code == 2
    assert "pip install 'eyewall[top]'" in done.output
