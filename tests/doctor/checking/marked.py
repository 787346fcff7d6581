"""Programs to check, with what is to be found in them written beside: `#! EW201` at the line."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

from eyewall.doctor.checking.checker import Report, check
from eyewall.doctor.checking.settings import Settings


def write(folder: Path, sources: dict[str, str]) -> None:
    """Writes sources by name; `.py` is added, and a slash makes a folder."""
    for name, source in sources.items():
        file = folder / f"{name}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(source), "utf-8")


def checked(folder: Path, sources: dict[str, str], **settings: object) -> Report:
    """What our own rules find in `sources`."""
    write(folder, sources)
    return check([folder], Settings(folder, types=False, ruff=False, **settings))  # type: ignore[arg-type]


def marks(folder: Path) -> set[tuple[str, int, str]]:
    """What is to be found."""
    found: set[tuple[str, int, str]] = set()
    for file in folder.rglob("*.py"):
        for number, line in enumerate(file.read_text("utf-8").splitlines(), 1):
            mark = re.search(r"#! ([A-Z0-9 ]+)$", line)
            for rule in mark[1].split() if mark else ():
                found.add((file.relative_to(folder).as_posix(), number, rule))
    return found


def told(folder: Path, report: Report) -> set[tuple[str, int, str]]:
    """What was found, as `marks` has it."""
    return {
        (Path(each.spot.path).relative_to(folder).as_posix(), each.spot.line, each.rule.id)
        for each in report.problems
    }


def holds(folder: Path, source: str = "", **more: str) -> Report:
    """Asserts that in a program exactly that is found which is marked."""
    sources = {"app": source, **more} if source else more
    report = checked(folder, sources)
    found, wanted = told(folder, report), marks(folder)
    assert found == wanted, f"found and not marked: {found - wanted}; marked and not found: {wanted - found}"
    return report
