"""Comments by which somebody says that a problem is none.

    time.sleep(1)  # noqa: EW201                 this line, these rules; without rules, all
    time.sleep(1)  # eyewall: ignore[EW201]      the same; also by name: ignore[blocking-sleep]
    # eyewall: ignore-file[EW2]                  the whole file

A comment for another tool counts, where that one's code says the same as the rule: `# noqa: ASYNC251`,
`# type: ignore[unused-coroutine]`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from eyewall.doctor.checking.problem import Problem, RuleInfo

_NOQA = re.compile(r"#\s*noqa(?P<colon>:\s*(?P<codes>[A-Z]+[0-9]+(?:[,\s]+[A-Z]+[0-9]+)*))?", re.I)
_IGNORE = re.compile(r"#\s*eyewall:\s*ignore(?!-)(?:\[(?P<codes>[^\]]*)\])?")
_FILE = re.compile(r"^\s*#\s*eyewall:\s*ignore-file(?:\[(?P<codes>[^\]]*)\])?", re.M)
_TYPE = re.compile(r"#\s*type:\s*ignore\[(?P<codes>[^\]]*)\]")


class Suppressions:
    """What the comments of one file say."""

    def __init__(self, text: str, lines: Sequence[str]) -> None:
        self._lines = lines
        self._file = [found["codes"] for found in _FILE.finditer(text)] if "eyewall:" in text else []
        self._any = bool(self._file) or "noqa" in text.lower() or "ignore" in text

    def covers(self, problem: Problem) -> bool:
        """Whether a problem is none, somebody says: for its file, or in one of the lines of its code."""
        if not self._any:
            return False
        if any(_names(codes, problem.rule) for codes in self._file):
            return True
        spot = problem.spot
        return any(
            _says(line, problem.rule) for line in self._lines[spot.line - 1 : max(spot.end_line, spot.line)]
        )


def _says(line: str, rule: RuleInfo) -> bool:
    if "#" not in line:
        return False
    found: Iterable[re.Match[str]] = [*_NOQA.finditer(line), *_IGNORE.finditer(line), *_TYPE.finditer(line)]
    return any(_names(each["codes"], rule) for each in found)


def _names(codes: str | None, rule: RuleInfo) -> bool:
    if codes is None:
        return True
    for code in re.split(r"[,\s]+", codes):
        if code and (
            code == rule.name
            or code in rule.also
            or (code.upper().startswith("EW") and rule.id.startswith(code.upper()))
        ):
            return True
    return False
