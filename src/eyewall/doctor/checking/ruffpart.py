"""What ruff's rules about asynchronous code find, as problems of ours.

Those of its rules are asked for that are about blocking and waiting; where one says the same as a rule of ours, it is
told as that. Left out is what neither sleeps nor asks a disk: `time.sleep(0)`, and functions of paths that only look at
their text.
"""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

from eyewall.doctor.checking.problem import Problem, Spot
from eyewall.doctor.checking.rulebook import FOREIGN
from eyewall.doctor.checking.sources import Source

#: Seconds that ruff gets.
PATIENCE = 120.0
#: Files that one command line has room for.
BATCH = 500
#: Those that have a counterpart.
CODES = tuple(f"ASYNC{number}" for number in (110, 210, 212, 220, 221, 222, 230, 240, 250, 251))
#: Calls that wait for nothing, by code.
_HARMLESS = {
    "ASYNC240": re.compile(r"[\w.]*\b(abspath|normpath|relpath)\(|[\w.]+(\([^()]*\))?\.absolute\(\)"),
    "ASYNC251": re.compile(r"[\w.]+\(\s*0(\.0*)?\s*,?\s*\)"),
}


class _Location(TypedDict):
    row: int
    column: int


class _Found(TypedDict):
    code: str | None
    message: str
    filename: str
    location: _Location
    end_location: _Location


def check(sources: Sequence[Source]) -> tuple[list[Problem], str]:
    """Returns what ruff finds in files, and why it found nothing, where that was not for want of problems."""
    if importlib.util.find_spec("ruff") is None:
        return [], "ruff's rules: ruff is not installed (pip install eyewall[check])"
    paths = [each.path for each in sources]
    by_path = {str(each.path.resolve()): each for each in sources}
    found: list[Problem] = []
    for start in range(0, len(paths), BATCH):
        try:
            found += [
                _problem(each, by_path)
                for each in _run(paths[start : start + BATCH])
                if each["code"] in FOREIGN and not _is_harmless(each, by_path)
            ]
        except (OSError, subprocess.TimeoutExpired, ValueError) as error:
            return found, f"ruff's rules: it failed ({error})"
    return found, ""


def _run(paths: Sequence[Path]) -> list[_Found]:
    done = subprocess.run(  # noqa: S603 - our own interpreter, and no shell
        [
            *(sys.executable, "-m", "ruff", "check", "--isolated", "--no-cache", "--exit-zero"),
            *("--output-format", "json", "--select", ",".join(CODES), "--target-version", "py311"),
            *("--", *map(str, paths)),
        ],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    if done.returncode:
        raise ValueError(done.stderr.strip().partition("\n")[0] or f"exit status {done.returncode}")
    found: list[_Found] = json.loads(done.stdout)
    return found


def _is_harmless(found: _Found, by_path: dict[str, Source]) -> bool:
    pattern = _HARMLESS.get(found["code"] or "")
    source = by_path.get(str(Path(found["filename"]).resolve()))
    if pattern is None or source is None:
        return False
    start, end = found["location"], found["end_location"]
    # Some are told with the whole call, some with what is called.
    lines = source.text.splitlines(keepends=True)[start["row"] - 1 : end["row"] + 2]
    return bool(lines) and pattern.match("".join(lines)[start["column"] - 1 :]) is not None


def _problem(found: _Found, by_path: dict[str, Source]) -> Problem:
    rule = FOREIGN[found["code"] or ""]
    start, end = found["location"], found["end_location"]
    path = str(Path(found["filename"]).resolve())
    shown = by_path[path].shown if path in by_path else path
    spot = Spot(shown, start["row"], start["column"], end["row"], end["column"])
    return Problem(rule, spot, f"{found['message']} ({found['code']})", rule.advice, tool="ruff")
