"""Whole programs under the doctor, each in a process of its own: sick ones, of which it must find the fault, and
healthy ones, of which it must find nothing.

A program's first docstring says its fault. Comments in it say the rest:

    # under: eyewall, tornado     how it is run: with `tornado` meaning Eyewall, with the Tornado that is installed;
                                  or `asyncio`, for a program that knows neither. These two are run with one build
                                  of Eyewall: of it they use nothing but the doctor
    # also: rule, rule            what else the doctor may find there, which is true as well
    ...  # finding: rule          the culprit; where several lines have one, each of them is right

It drives itself, and ends by itself or when the finding is there.

Most of its time it waits. So many of them run at once, ahead of the tests that ask for them.
"""

from __future__ import annotations

import ast
import dataclasses
import faulthandler
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

#: Seconds after which a program will not get there any more, on a machine that does much else.
PATIENCE = 100.0
#: Which loops a program is run on, by how it is run. The loop makes no difference to what Tornado does.
LOOPS = {"eyewall": ("uvloop", "asyncio"), "tornado": ("asyncio",), "asyncio": ("asyncio", "uvloop")}

_OF_EYEWALL = "eyewall"
#: Where both builds are tested, which loops a program is run on with which: each of Eyewall's on both, in the end.
_BUILDS = {
    "compiled": {_OF_EYEWALL: ("uvloop",), "tornado": ("asyncio",), "asyncio": ("asyncio", "uvloop")},
    "pure": {_OF_EYEWALL: ("asyncio",)},
}
#: As it is before tests have theirs: programs begin while others run. Set once the session knows where Eyewall is.
_environment: dict[str, str] = {}
_HEADER = re.compile(r"^# (under|also): (.+)$", re.MULTILINE)
_CULPRIT = re.compile(r"# finding: ([a-z-]+)")
_ON_UVLOOP = "import runpy, sys, uvloop; uvloop.install(); runpy.run_path(sys.argv[1], run_name='__main__')"


@dataclass(frozen=True)
class Program:
    """A program, and how it is to be run."""

    path: Path
    under: str
    loop: str

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.path.stem} under {self.under} with {self.loop}"

    @property
    def culprits(self) -> set[tuple[str, int]]:
        """Rules and lines that are right: that of the mark, and those before it of the same statement."""
        text = self.path.read_text()
        spans = list(_statements(ast.parse(text)))
        return {
            (match[1], right)
            for number, line in enumerate(text.splitlines(), 1)
            if (match := _CULPRIT.search(line)) is not None
            for right in range(max((first for first, last in spans if first <= number <= last)), number + 1)
        }

    @property
    def also(self) -> set[str]:
        """Rules that may be found as well."""
        return set(_headers(self.path).get("also", ()))

    def arguments(self, report: Path) -> list[str]:
        """The command that runs it."""
        arguments = [sys.executable, "-m", "eyewall", "doctor", "run", "--report", str(report)]
        # Without `culprits`: CPython 3.11 can't make two trees at once, and there are other threads (SystemError).
        for rule in sorted(set(_CULPRIT.findall(self.path.read_text()))):
            arguments += ["--exit-on", rule]
        if self.under == "eyewall":
            arguments.append("--alias")
        elif self.loop == "uvloop":
            return [*arguments, "-c", _ON_UVLOOP, str(self.path)]
        return [*arguments, str(self.path)]

    def run(self) -> Outcome:
        """Runs it to its end, or to its finding."""
        environment = {name: value for name, value in _environment.items() if not name.startswith("EYEWALL_")}
        environment["EYEWALL_LOOP"] = self.loop
        environment["PYTHONUNBUFFERED"] = "1"
        with tempfile.TemporaryDirectory(prefix="eyewall-doctor-") as folder:
            report = Path(folder, "report.json")
            printed = Path(folder, "output")
            # Not kept open: tests beside this one count what is.
            with printed.open("wb") as output:
                process = subprocess.Popen(
                    self.arguments(report),
                    cwd=folder,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            try:
                status: int | None = process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                status = None
            finally:
                # With all that it has started.
                try:
                    os.killpg(process.pid, 9)
                except ProcessLookupError:
                    pass
                process.wait()
            text = printed.read_bytes().decode(errors="replace")
            found = json.loads(report.read_text())["findings"] if report.exists() else None
        return Outcome(status, found, text)


@dataclass(frozen=True)
class Outcome:
    """How a program ended (None: not by itself), what was found (None: no report), and all it has printed."""

    status: int | None
    findings: list[dict[str, Any]] | None
    output: str


def _headers(path: Path) -> dict[str, list[str]]:
    return {
        match[1]: [each.strip() for each in match[2].split(",")]
        for match in _HEADER.finditer(path.read_text())
    }


def _statements(tree: ast.Module) -> Iterator[tuple[int, int]]:
    """The first and last line of each statement; of one that others belong to, those before these."""
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt | ast.ExceptHandler):
            body = getattr(node, "body", None)
            last = body[0].lineno - 1 if body else node.end_lineno or node.lineno
            yield node.lineno, max(last, node.lineno)


def paths(folder: Path) -> list[Path]:
    """All programs in `folder`."""
    return [each for each in sorted(folder.glob("*.py")) if not each.name.startswith(("test_", "_"))]


def parameters(folder: Path) -> list[Any]:
    """All programs in `folder`, for a test of each."""
    return [
        pytest.param(
            each,
            id=each.stem,
            marks=() if _OF_EYEWALL in _headers(each).get("under", ()) else pytest.mark.one_build,
        )
        for each in paths(folder)
    ]


def programs(path: Path) -> list[Program]:
    """A program in all ways that it is to be run with this build."""
    under = _headers(path).get("under")
    assert under, f"{path} does not say what it is to be run under"
    build = os.environ.get("EYEWALL_EXPECT_BUILD")
    return [
        Program(path, each, loop)
        for each in under
        for loop in LOOPS[each]
        if build is None or loop in _BUILDS[build].get(each, ())
    ]


class Runs:
    """Runs of programs ahead of the tests that ask for their outcomes, shared by the processes that run the tests.

    Each process goes through all programs, and runs those that no other one has begun, wherever one of `at_once` places
    is free. Who has a place, what has begun, and how it ended, is in `folder`, which they share.
    """

    def __init__(self, folder: Path, all_programs: Iterable[Program], at_once: int) -> None:
        _environment.update(os.environ)
        self._folder = folder
        self._left = deque(all_programs)
        places = [folder / f"place.{number}" for number in range(at_once)]
        self._threads = [threading.Thread(target=self._go_on, args=(each,)) for each in places]
        folder.mkdir(exist_ok=True)
        for each in self._threads:
            each.start()

    def outcomes(self, path: Path) -> list[tuple[Program, Outcome]]:
        """Waits for the end of a program in all ways that it is run."""
        # pytest's own limit is for a test that does something itself. Each program has a limit.
        faulthandler.cancel_dump_traceback_later()
        return [(each, self._outcome(each)) for each in programs(path)]

    def stop(self) -> None:
        """Begins no more, and waits for the end of those that run: other processes may wait for them."""
        self._left.clear()
        for each in self._threads:
            each.join()

    def _go_on(self, place: Path) -> None:
        while self._left:
            try:
                # No file that would be open meanwhile.
                place.mkdir()
            except FileExistsError:
                # Another process tells nobody when it is done.
                time.sleep(0.25)
                continue
            try:
                self._run_next()
            finally:
                place.rmdir()

    def _run_next(self) -> None:
        try:
            program = self._left.popleft()
        except IndexError:
            return
        begun, ended = self._files(program)
        try:
            begun.touch(exist_ok=False)
        except FileExistsError:
            return
        outcome = program.run()
        unfinished = ended.with_suffix(".unfinished")
        unfinished.write_text(json.dumps(dataclasses.astuple(outcome)))
        unfinished.rename(ended)

    def _outcome(self, program: Program) -> Outcome:
        ended = self._files(program)[1]
        while not ended.exists():
            time.sleep(0.05)
        return Outcome(*json.loads(ended.read_text()))

    def _files(self, program: Program) -> tuple[Path, Path]:
        name = f"{program.path.parent.name}.{program.path.stem}.{program.under}.{program.loop}"
        return self._folder / f"{name}.begun", self._folder / f"{name}.ended"
