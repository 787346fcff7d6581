"""Completion in shells: what is offered, that the scripts are good, and that a press of the key loads little."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from eyewall.cli import main
from eyewall.cli.completioncommand import SHELLS

pytestmark = pytest.mark.one_build

#: What pressing a key must not wait for.
HEAVY = (
    "asyncio",
    "concurrent.futures",
    "eyewall.http",
    "eyewall.loop",
    "eyewall.web",
    "ssl",
    "tomllib",
    "uvloop",
)

ASK = f"""
import json, sys
sys.argv = ["eyewall"]
from eyewall.cli import main
try:
    main(prog_name="eyewall")
except SystemExit:
    pass
print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))
"""


def ask(*words: str, folder: Path | None = None) -> tuple[list[str], list[str]]:
    """Returns what completes the last of `words`, and what of HEAVY was loaded for it."""
    environment = dict(os.environ)
    environment.update(
        _EYEWALL_COMPLETE="bash_complete",
        COMP_WORDS=" ".join(words),
        COMP_CWORD=str(len(words) - 1),
        PYTHONPATH=os.pathsep.join(sys.path),
    )
    done = subprocess.run(
        [sys.executable, "-c", ASK], env=environment, cwd=folder, capture_output=True, text=True, check=True
    )
    *lines, loaded = done.stdout.splitlines()
    return [line.partition(",")[2] for line in lines], json.loads(loaded)


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("eyewall", "ru"), ["run"]),
        (("eyewall", "co"), ["config", "completion"]),
        (("eyewall", "run", "--log"), ["--log-format", "--log-level"]),
        (("eyewall", "run", "--log-level", ""), ["debug", "info", "warning", "error"]),
        (("eyewall", "config", "--format", ""), ["text", "json"]),
        (("eyewall", "completion", ""), list(SHELLS)),
    ],
)
def test_what_is_offered_and_what_that_loads(words: tuple[str, ...], offered: list[str]) -> None:
    found, loaded = ask(*words)
    assert found == offered
    assert loaded == []


def test_a_file_that_is_wrong_is_not_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "eyewall.toml").write_text("nothing = 1")
    found, _ = ask("eyewall", "run", "--po", folder=tmp_path)
    assert found == ["--port"]


def test_all_commands_are_offered_as_they_are_listed() -> None:
    found, _ = ask("eyewall", "")
    listed = CliRunner().invoke(main, ["--help"]).output.partition("Commands:")[2]
    assert found == [line.split()[0] for line in listed.splitlines() if line[:3].strip() and line.split()]


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_is_one_of_that_shell(shell: str) -> None:
    result = CliRunner().invoke(main, ["completion", shell])
    assert result.exit_code == 0
    assert f"_EYEWALL_COMPLETE={shell}_complete" in result.output
    if shutil.which(shell) is not None:
        # It reads the script, and runs none of it.
        done = subprocess.run([shell, "-n"], input=result.stdout, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_another_shell_is_refused() -> None:
    result = CliRunner().invoke(main, ["completion", "tcsh"])
    assert result.exit_code == 2
    assert "'bash', 'zsh', 'fish'" in result.output


def test_the_listing_loads_no_command() -> None:
    code = (
        "import sys\nfrom eyewall.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "print([m for m in sys.modules if m.startswith('eyewall.cli.') and m.endswith(('command', '.run'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
