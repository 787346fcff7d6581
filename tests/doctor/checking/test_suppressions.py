"""Comments that say that a problem is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from .marked import checked

pytestmark = pytest.mark.one_build

#: Is found as EW201 in line 4, with what is written after it.
PROGRAM = "import time\n\nasync def main():\n    time.sleep(1){}\n"


@pytest.mark.parametrize(
    "comment",
    [
        "  # noqa",
        "  # noqa: EW201",
        "  #noqa:EW201,E501",
        "  # noqa: E501 EW201",
        "  # NOQA: ew201",
        "  # noqa: EW2",
        "  # noqa: ASYNC251",
        "  # noqa: ASYNC251 - at start-up",
        "  # eyewall: ignore",
        "  # eyewall: ignore[EW201]",
        "  # eyewall: ignore[blocking-sleep, EW101] - at start-up",
        "\n# eyewall: ignore-file",
        "\n# eyewall: ignore-file[EW2]",
    ],
)
def test_it_is_none(tmp_path: Path, comment: str) -> None:
    assert checked(tmp_path, {"app": PROGRAM.format(comment)}).problems == []


@pytest.mark.parametrize(
    "comment",
    [
        "",
        "  # noqa: E501",
        "  # noqa: EW202",
        "  # type: ignore",
        "  # eyewall: ignore[EW1]",
        "  # eyewall: ignore-file",
        "\n# noqa",
        "\n# eyewall: ignore-file[EW3]",
    ],
)
def test_it_is_one(tmp_path: Path, comment: str) -> None:
    [problem] = checked(tmp_path, {"app": PROGRAM.format(comment)}).problems
    assert (problem.rule.id, problem.spot.line) == ("EW201", 4)


def test_a_comment_in_any_line_of_the_call_counts(tmp_path: Path) -> None:
    source = "import time\n\nasync def main():\n    time.sleep(\n        1  # noqa: EW201\n    )\n"
    assert checked(tmp_path, {"app": source}).problems == []


def test_what_mypy_is_told_to_ignore_is_ignored(tmp_path: Path) -> None:
    source = "async def f(): ...\n\nasync def main():\n    f(){}\n"
    assert len(checked(tmp_path, {"app": source.format("")}).problems) == 1
    assert checked(tmp_path, {"app": source.format("  # type: ignore[unused-coroutine]")}).problems == []
