"""`eyewall check`, as it is called."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from eyewall.cli import main
from eyewall.cli.checkcommand import _write_coloured
from eyewall.doctor.checking.checker import check
from eyewall.doctor.checking.rulebook import BOOK
from eyewall.doctor.checking.settings import Settings

pytestmark = pytest.mark.one_build

ROOT = Path(__file__).resolve().parent.parent.parent
PROGRAM = "import time\n\nasync def main():\n    time.sleep(1)\n    open('x')\n"
OURS = ("--no-types", "--no-ruff")


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "app.py"
    file.write_text(PROGRAM)
    return file


def call(*args: str) -> Any:
    return CliRunner().invoke(main, ["check", *args])


def test_the_status_says_whether_something_was_found(app: Path) -> None:
    result = call(*OURS)
    assert result.exit_code == 1
    assert "app.py:4:5: EW201 blocking-sleep" in result.output
    assert result.output.endswith("Found 2 problems in 1 file: 1 error, 1 notice.\n")
    assert call(*OURS, "--select", "EW205", "--fail-on", "warning").exit_code == 0
    assert call(*OURS, "--fail-on", "never").exit_code == 0
    assert call(*OURS, "--fail-on", "error").exit_code == 1
    app.write_text("")
    result = call(*OURS)
    assert (result.exit_code, result.output) == (0, "Nothing found in 1 file.\n")


@pytest.mark.parametrize(
    "args", [("--select", "EW9"), ("--format", "xml"), ("--config", "missing.toml"), ("--output", "no/where")]
)
def test_mistakes_are_explained(app: Path, args: tuple[str, ...]) -> None:
    result = call(*OURS, *args)
    assert result.exit_code == 2
    assert "Error" in result.output


def test_the_command_line_comes_before_the_configuration(app: Path) -> None:
    (app.parent / "pyproject.toml").write_text(
        "[tool.eyewall.check]\nselect = ['EW205']\nexclude = ['other.py']\ntypes = false\nruff = false\n"
    )
    (app.parent / "other.py").write_text(PROGRAM)
    assert [each["rule"] for each in found("--format", "json")] == ["EW205"]
    assert [each["rule"] for each in found("--format", "json", "--select", "EW201,EW205")] == [
        "EW201",
        "EW205",
    ]
    assert found("--format", "json", "--ignore", "blocking-file") == []
    assert len(found("--format", "json", "other.py")) == 1
    assert found("--format", "json", "--force-exclude", "other.py") == []
    assert found("--format", "json", "--exclude", "app.py") == []


def found(*args: str) -> list[dict[str, Any]]:
    problems: list[dict[str, Any]] = json.loads(call(*args).stdout)["problems"]
    return problems


def test_other_formats_and_a_file(app: Path) -> None:
    result = call(*OURS, "--format", "sarif", "--output", "found.sarif")
    assert (result.exit_code, result.output) == (1, "")
    log = json.loads((app.parent / "found.sarif").read_text())
    assert [each["ruleId"] for each in log["runs"][0]["results"]] == ["EW201", "EW205"]


def test_colours_are_for_a_terminal(app: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = check([app], Settings(app.parent, types=False, ruff=False))
    assert _write_coloured(report)
    assert "EW201 blocking-sleep" in capsys.readouterr().out


def test_the_rules_are_listed() -> None:
    output = call("--rules").output
    for rule in BOOK:
        assert f"{rule.id} {rule.name} (" in output


def test_nothing_is_loaded_for_the_help() -> None:
    code = (
        "import sys\nfrom eyewall.cli import main\n"
        "try: main(['check', '--help'])\nexcept SystemExit: pass\n"
        "print([m for m in sys.modules if 'checking' in m or m in ('mypy', 'rich')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("[]\n")


def test_our_own_sources_are_clean() -> None:
    """With the settings of this repository."""
    result = subprocess.run(
        [sys.executable, "-m", "eyewall", "check", *OURS, "src", "examples"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stdout.partition(" in ")[0], result.stderr) == (0, "Nothing found", "")


def test_the_hook_calls_the_command() -> None:
    text = (ROOT / ".pre-commit-hooks.yaml").read_text()
    lines = dict(
        line.strip("- ").split(": ", 1) for line in text.splitlines() if ": " in line and "#" not in line
    )
    assert lines["id"] == "eyewall-check"
    words = lines["entry"].split()
    assert words[:2] == ["eyewall", "check"]
    assert CliRunner().invoke(main, [*words[1:], "--help"]).exit_code == 0
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["check"]
    for each in ("mypy", "ruff"):
        assert any(extra.startswith(each) for extra in extras)
        assert each in lines["additional_dependencies"]
