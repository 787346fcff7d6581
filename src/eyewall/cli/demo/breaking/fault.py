"""A fault: its code, as the page shows it and as it runs, and which line of it the doctor has to name."""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path

#: The programs.
DIRECTORY = Path(__file__).parent.parent / "faults"

_MARK = re.compile(r"# finding: ([a-z-]+)")
#: What is there for tests and checks, and nobody's business who reads it on the page or in a finding.
_NOTES = re.compile(r"\s+# (?:finding|noqa|type): ?.*$", re.MULTILINE)


class Fault:
    """One button. `name` is that of its file, `title` says in some words what somebody did.

    `seconds`: after so many it is ended, whether it was found or not. `blocks`: whether it blocks the loop.
    """

    def __init__(self, name: str, title: str, seconds: float = 30.0, *, blocks: bool = False) -> None:
        self.name = name
        self.title = title
        self.seconds = seconds
        self.blocks = blocks

    @functools.cached_property
    def _marked(self) -> str:
        return (DIRECTORY / f"{self.name}.py").read_text(encoding="utf-8")

    @functools.cached_property
    def source(self) -> str:
        """The program: line by line the file, without its notes."""
        return _NOTES.sub("", self._marked)

    @functools.cached_property
    def summary(self) -> str:
        """What is wrong, in a sentence."""
        return ast.get_docstring(ast.parse(self._marked)) or ""

    @functools.cached_property
    def lines(self) -> tuple[int, ...]:
        """The lines of which the doctor names one."""
        return tuple(
            number
            for number, line in enumerate(self._marked.splitlines(), 1)
            if _MARK.search(line) is not None
        )

    @functools.cached_property
    def rule(self) -> str:
        """What it calls the fault."""
        found = _MARK.search(self._marked)
        assert found is not None, f"no line of {self.name} is marked as the culprit"
        return found[1]
