"""`eyewall profile`: of processes with a doctor and without one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from eyewall.cli import main, recording
from eyewall.doctor.control.client import Client

from .program import PATIENCE

pytestmark = pytest.mark.one_build

BUSY = """
import asyncio, time

class Report:
    async def get(self):
        await asyncio.sleep(0.001)
        return self.render()

    def render(self):
        return sorted(str(number) for number in range(20_000))

async def main():
    print("ready", flush=True)
    while True:
        await asyncio.gather(*(Report().get() for _ in range(2)))

asyncio.run(main())
"""
BLOCKED = """
import asyncio, time

async def main():
    print("ready", flush=True)
    time.sleep(1000)

asyncio.run(main())
"""
#: In place of py-spy: says what it was called with, and writes what it would.
SPY = """
import os, sys
arguments = sys.argv[1:]
print(*arguments, file=open(os.environ["SAID"], "a"))
if "--native" in arguments and "NO_NATIVE" in os.environ:
    sys.exit("Error: Failed to unwind\\n\\nCaused by:\\n    0: no symbols\\n\\nStack backtrace:\\n   0: core::x")
idle = "thread (3): pool;wait (/usr/lib/x.c:9) 300" if "--idle" in arguments else ""
with open(arguments[arguments.index("--output") + 1], "w") as file:
    print(f"thread (2): MainThread;get ({os.environ['APP']}:4) 150", idle, sep="\\n", file=file)
"""


@pytest.fixture(autouse=True)
def _own_sockets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sockets").mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "sockets"))


@pytest.fixture
def spied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with what py-spy was called with."""
    script = tmp_path / "spy.py"
    script.write_text(SPY)
    program = tmp_path / "py-spy"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -I {script} "$@"\n')
    program.chmod(0o700)
    monkeypatch.setattr(recording, "spy", lambda: str(program))
    application = tmp_path / "application.py"
    application.write_text("class Report:\n    async def get(self):\n        x()\n        y()\n")
    said = tmp_path / "said"
    monkeypatch.setenv("APP", str(application))
    monkeypatch.setenv("SAID", str(said))
    return said


def call(*args: str | Path) -> Any:
    return CliRunner().invoke(main, ["profile", *map(str, args)])


def started(tmp_path: Path, source: str, *under: str) -> subprocess.Popen[str]:
    file = tmp_path / "program.py"
    file.write_text(textwrap.dedent(source))
    process = subprocess.Popen(
        [sys.executable, *under, str(file)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.fixture(params=[BUSY])
def patient(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[str]]:
    """A program under the doctor."""
    process = started(tmp_path, request.param, "-m", "eyewall", "doctor", "run")
    yield process
    process.kill()
    process.communicate(timeout=PATIENCE)


# -- from outside ---------------------------------------------------------------------------------------


def test_samples(spied: Path, tmp_path: Path) -> None:
    done = call(os.getpid(), "--seconds", "5", "--from", "outside", "--rate", "50")
    assert done.exit_code == 0, done.output
    assert "from outside (py-spy), 50 samples a second: 3 s of CPU time, 2 s of wall-clock" in done.output
    assert f"coroutine Report.get, {tmp_path / 'application.py'}:2" in done.output
    # 150 samples are 3 s: all of the first recording, and more than there was of the second.
    assert " 100.0 %   50.0 %  coroutine" in done.output
    cpu, wall = spied.read_text().splitlines()
    assert f"--pid {os.getpid()} --duration 3 --rate 50 --format raw" in cpu
    assert "--duration 2" in wall
    assert ("--idle" in cpu, "--idle" in wall) == (False, True)


def test_files(spied: Path, tmp_path: Path) -> None:
    files = [tmp_path / f"out.{suffix}" for suffix in ("svg", "html", "json", "folded", "txt")]
    done = call(os.getpid(), *(part for file in files for part in ("-o", file)))
    assert done.exit_code == 0, done.output
    for clock in ("cpu", "wall"):
        ElementTree.parse(tmp_path / f"out.{clock}.svg")
        assert (tmp_path / f"out.{clock}.folded").read_text().startswith("get (")
    assert (tmp_path / "out.html").read_text().count("<svg") == 2
    assert [each["name"] for each in json.loads((tmp_path / "out.json").read_text())["profiles"]] == [
        "CPU time",
        "wall-clock",
    ]
    assert "Report.get" in (tmp_path / "out.txt").read_text()


def test_native_frames_where_possible(spied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert call(os.getpid(), "--native").exit_code == 0
    assert "--native" in spied.read_text()
    monkeypatch.setenv("NO_NATIVE", "1")
    done = call(os.getpid(), "--native")
    assert done.exit_code == 0
    assert "Without native frames: py-spy can't see it: Failed to unwind (no symbols)." in done.output
    assert "Report.get" in done.output


def test_what_py_spy_really_writes(tmp_path: Path) -> None:
    process = started(tmp_path, BUSY)
    try:
        done = call(process.pid, "--seconds", "2", "--from", "outside")
    finally:
        process.kill()
        process.communicate(timeout=PATIENCE)
    # It may not be allowed to, where this runs.
    if done.exit_code:
        assert "not from outside: py-spy" in done.output
    else:
        assert "coroutine Report.get" in done.output or "(the event loop)" in done.output


# -- from inside ----------------------------------------------------------------------------------------


def test_calls(patient: subprocess.Popen[str], tmp_path: Path) -> None:
    done = call(patient.pid, "--seconds", "2", "--from", "inside", "-o", tmp_path / "out.json")
    assert done.exit_code == 0, done.output
    assert "from inside (yappi)" in done.output
    assert f"coroutine Report.get, {tmp_path / 'program.py'}:5" in done.output
    said = json.loads((tmp_path / "out.json").read_text())
    assert {"Report.get", "Report.render"} <= {each["name"] for each in said["shared"]["frames"]}
    with Client(patient.pid) as client:
        # And it is over.
        client.call("profile-start", clock="cpu", seconds=100.0)
        assert client.call("profile-stop")["clock"] == "cpu"


@pytest.mark.parametrize("patient", [BLOCKED], indirect=True)
def test_a_blocked_loop_does_not_keep_it_from_ending(patient: subprocess.Popen[str]) -> None:
    done = call(patient.pid, "--seconds", "2", "--from", "inside")
    assert done.exit_code == 0, done.output


def test_two_at_once(patient: subprocess.Popen[str]) -> None:
    with Client(patient.pid) as client:
        client.call("profile-start", clock="cpu", seconds=100.0)
    done = call(patient.pid, "--seconds", "2", "--from", "inside")
    assert done.exit_code == 3
    assert "is being profiled already" in done.output


# -- either ---------------------------------------------------------------------------------------------


def test_inside_where_outside_is_not_possible(
    patient: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "spy", lambda: None)
    done = call(patient.pid, "--seconds", "2")
    assert done.exit_code == 0, done.output
    assert "not from outside: py-spy is not installed: pip install 'eyewall[profile]'" in done.output
    assert "from inside (yappi)" in done.output


def test_neither(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "spy", lambda: None)
    done = call(os.getpid(), "--seconds", "2")
    assert done.exit_code == 3
    assert "not from outside" in done.output
    assert "not from inside: process" in done.output
    assert "runs no doctor" in done.output


def test_no_such_process(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait(PATIENCE)
    done = call(process.pid, "--seconds", "2")
    assert done.exit_code == 3
    assert "there is no process" in done.output


@pytest.mark.parametrize(
    "args",
    [
        ("--seconds", "1"),
        ("--seconds", "100000"),
        ("-o", "out.png"),
        ("-o", "/no/such/folder/out.svg"),
        ("--from", "inside", "--native"),
        ("--rate", "0"),
    ],
)
def test_wrong_wishes(args: tuple[str, ...]) -> None:
    done = call(os.getpid(), *args)
    assert done.exit_code == 2
    assert "Error" in done.output
