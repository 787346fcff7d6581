"""What pyproject.toml says."""

from __future__ import annotations

from pathlib import Path

import pytest

from eyewall.doctor.checking.rulebook import BOOK, UnknownRule, chosen, named
from eyewall.doctor.checking.settings import Settings, SettingsError, find, load

from .marked import checked

pytestmark = pytest.mark.one_build

SECTION = """
[tool.eyewall.check]
select = ["EW2", "coroutine-never-awaited"]
ignore = ["blocking-file"]
exclude = ["generated"]
per-file-ignores = { "tests/*" = ["EW201"] }
types = false
ruff = false
"""


def test_all_of_it(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(SECTION)
    (tmp_path / "inner").mkdir()
    expected = Settings(
        tmp_path,
        select=("EW2", "coroutine-never-awaited"),
        ignore=("blocking-file",),
        exclude=("generated",),
        per_file_ignores={"tests/*": ("EW201",)},
        types=False,
        ruff=False,
    )
    assert load(tmp_path / "pyproject.toml") == expected
    assert find(tmp_path / "inner") == expected


def test_nothing_is_said(tmp_path: Path) -> None:
    assert find(tmp_path) == Settings(tmp_path)
    # One without the section is not ours; the next one above may be.
    (tmp_path / "pyproject.toml").write_text(SECTION)
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "pyproject.toml").write_text("[tool.other]\n")
    assert find(tmp_path / "inner").root == tmp_path


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[tool.eyewall.check]\nselect = 'EW2'", "select must be a list of strings"),
        ("[tool.eyewall.check]\nselect = ['EW9']", "no rule 'EW9'"),
        ("[tool.eyewall.check]\nper-file-ignores = {a = ['nothing']}", "no rule 'nothing'"),
        ("[tool.eyewall.check]\nper-file-ignores = []", "per-file-ignores must be a table"),
        ("[tool.eyewall.check]\ntypes = 1", "types must be true or false"),
        ("[tool.eyewall.check]\nextra = 1", "no setting 'extra'"),
        ("[tool.eyewall]\ncheck = 1", "must be a table"),
        ("[tool", "can't be read"),
    ],
)
def test_mistakes_are_explained(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(SettingsError, match=said):
        find(tmp_path)


def test_rules_are_chosen() -> None:
    everything = {rule.id for rule in BOOK}
    assert chosen([], []) == everything
    assert chosen(["EW201"], []) == {"EW201"}
    assert chosen(["blocking-sleep", "ew1"], ["EW102"]) == {"EW201", "EW101", "EW103", "EW104"}
    assert chosen(["all"], ["all"]) == frozenset()
    with pytest.raises(UnknownRule, match="'E'"):
        named(["E"])


def test_rules_have_ids_and_names_of_their_own() -> None:
    assert len({rule.id for rule in BOOK}) == len({rule.name for rule in BOOK}) == len(BOOK)
    assert [rule.id for rule in BOOK] == sorted(rule.id for rule in BOOK)
    for rule in BOOK:
        assert rule.explanation.endswith(".")
        assert rule.advice.endswith(".")


def test_they_are_applied(tmp_path: Path) -> None:
    source = "import time\n\nasync def main():\n    time.sleep(1)\n    open('x')\n"
    sources = {"app": source, "tests/a": source, "generated/b": source}
    report = checked(
        tmp_path,
        sources,
        ignore=("EW205",),
        exclude=("generated",),
        per_file_ignores={"tests/*": ("blocking-sleep",)},
    )
    assert [(Path(each.spot.path).name, each.rule.id) for each in report.problems] == [("app.py", "EW201")]
    assert report.files == 2
    report = checked(tmp_path, sources, select=("blocking-file",), exclude=("tests", "generated"))
    assert [each.rule.id for each in report.problems] == ["EW205"]
