"""`eyewall stacks`: what every task and thread of another process waits for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest
from click.testing import CliRunner, Result

from eyewall.cli import main
from eyewall.doctor.control import outside

pytestmark = pytest.mark.one_build

SOURCE = """
import asyncio, sys
from eyewall import doctor

lock = asyncio.Lock()

async def takes(name):
    async with lock:
        print(name, flush=True)
        await asyncio.Event().wait()

async def main():
    doctor.enable()
    tasks = [asyncio.create_task(takes(name), name=name) for name in ("holder", "waiter")]
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    for task in tasks:
        task.cancel()

asyncio.run(main())
"""


@pytest.fixture
def process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[str]]:
    """A program whose two tasks want one lock, and which has a doctor."""
    (tmp_path / "sockets").mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "sockets"))
    file = tmp_path / "program.py"
    file.write_text(textwrap.dedent(SOURCE))
    with subprocess.Popen(
        [sys.executable, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        output: IO[str] = process.stdout  # type: ignore[assignment]
        assert output.readline() == "holder\n"
        yield process
        process.kill()


def stacks(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["stacks", *map(str, arguments)])


def test_text_tree_and_json(process: subprocess.Popen[str]) -> None:
    text = stacks(process.pid)
    assert text.exit_code == 0
    assert "task waiter (takes): waiting" in text.output
    assert "held by task holder, taken at" in text.output
    tree = stacks(process.pid, "--tree")
    assert tree.output.index("task waiter") < tree.output.index("    task holder")
    data = json.loads(stacks(process.pid, "--json").output)
    assert {each["name"] for each in data["tasks"]} >= {"holder", "waiter"}
    limited = json.loads(stacks(process.pid, "--json", "--limit", 1).output)
    assert (len(limited["tasks"]), limited["omitted"]) == (1, len(data["tasks"]) - 1)
    assert "more tasks not shown" in stacks(process.pid, "--limit", 1).output


def test_a_process_without_a_doctor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr(outside, "spy", lambda: None)
    found = stacks(os.getpid())
    assert found.exit_code == 3
    assert "runs no doctor" in found.output
    assert "py-spy" in found.output


def test_no_process_and_wrong_options() -> None:
    found = stacks(2**22 + 1)
    assert found.exit_code == 3
    assert "there is no process" in found.output
    assert stacks(os.getpid(), "--json", "--tree").exit_code == 2
