"""What mypy knows of values that nobody awaits, as problems of ours.

mypy follows types where names alone say nothing: `self.store.save(row)`, where `store` is annotated. Nothing else that
it finds is told. Its cache is kept beside that of the project's own runs, whose options are others.
"""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypedDict

from eyewall.doctor.checking.problem import Problem, Spot
from eyewall.doctor.checking.rules.unawaited import NeverAwaited
from eyewall.doctor.checking.rules.unusedawaitables import UnusedAwaitable
from eyewall.doctor.checking.scopes import module_name
from eyewall.doctor.checking.sources import Source

COROUTINE = "unused-coroutine"
AWAITABLE = "unused-awaitable"
#: Futures that are dropped every day, in Tornado's programs above all: what `write_message` or `finish` returns. Where
#: it is a fault, another rule says so.
_FUTURES = re.compile(r'Value of type "(?:[\w.]*\.)?(?:Task|Future|_?GatheringFuture|JobFuture)\b')


class _Found(TypedDict):
    file: str
    line: int
    column: int
    message: str
    code: str | None


def check(sources: Sequence[Source], cache: Path) -> tuple[list[Problem], str]:
    """Returns what mypy finds in files, and why it found nothing, where that was not for want of problems."""
    if importlib.util.find_spec("mypy") is None:
        return [], "awaits with types: mypy is not installed (pip install eyewall[check])"
    found: list[Problem] = []
    for group in _groups(sources):
        told, error = _run(group, cache)
        if error:
            return found, f"awaits with types: mypy failed ({error})"
        shown = {str(each.path.resolve()): each.shown for each in group}
        found += [_problem(each, shown) for each in told if _is_fault(each)]
    return found, ""


def _groups(sources: Sequence[Source]) -> Iterator[list[Source]]:
    """Programs that stand side by side have modules of the same name, of which mypy takes one at a time."""
    left = list(sources)
    while left:
        names: set[str] = set()
        group: list[Source] = []
        rest: list[Source] = []
        for source in left:
            name, _ = module_name(source.path)
            (rest if name in names else group).append(source)
            names.add(name)
        yield group
        left = rest


def _run(sources: Sequence[Source], cache: Path) -> tuple[list[_Found], str]:
    # Loading mypy takes longer than checking a small program without it.
    from mypy import api

    out, err, status = api.run(
        [
            *(
                "--output",
                "json",
                "--no-error-summary",
                "--follow-imports",
                "silent",
                "--ignore-missing-imports",
            ),
            *("--check-untyped-defs", "--enable-error-code", AWAITABLE, "--enable-error-code", COROUTINE),
            *("--cache-dir", str(cache), "--", *(str(each.path) for each in sources)),
        ]
    )
    found: list[_Found] = []
    for line in out.splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            return [], line
    if status not in (0, 1):
        return [], (err.strip() or (found[-1]["message"] if found else f"exit status {status}")).splitlines()[
            -1
        ]
    return found, ""


def _is_fault(found: _Found) -> bool:
    if found["code"] == COROUTINE:
        return True
    return found["code"] == AWAITABLE and not _FUTURES.match(found["message"])


def _problem(found: _Found, shown: dict[str, str]) -> Problem:
    code = found["code"] or ""
    rule = NeverAwaited.about if code == COROUTINE else UnusedAwaitable.about
    path = str(Path(found["file"]).resolve())
    spot = Spot(
        shown.get(path, path),
        found["line"],
        found["column"] + 1,
        int(str(found.get("end_line") or found["line"])),
        int(str(found.get("end_column") or found["column"])) + 1,
    )
    kind = re.search(r'"(.*)"', found["message"])
    value = kind[1] if kind is not None else "a value"
    what = "A coroutine" if code == COROUTINE else "Something that is to be awaited"
    return Problem(rule, spot, f"{what} is made here and never awaited: {value}", rule.advice, tool="mypy")
