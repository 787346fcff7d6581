"""`eyewall tornado on|off|status`: a virtual environment in which tornado means Eyewall."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest
from click.testing import CliRunner

from eyewall.cli import main
from eyewall.cli.aliasfile import NAME, AliasFileError, Environment
from eyewall.cli.exits import ExitCode


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    """One that is described only: a folder."""
    return Environment(tmp_path, tmp_path, virtual=True)


def test_on_writes_one_file_and_off_removes_it(environment: Environment) -> None:
    assert not environment.is_on()
    assert environment.turn_on()
    assert environment.is_on()
    assert [each.name for each in environment.packages.iterdir()] == [NAME]
    assert not environment.turn_on()
    assert environment.turn_off()
    assert list(environment.packages.iterdir()) == []
    assert not environment.turn_off()


def test_a_file_of_another_version_is_renewed(environment: Environment) -> None:
    environment.turn_on()
    text = environment.file.read_text()
    environment.file.write_text(text + "# older\n")
    assert environment.is_on()
    assert not environment.is_current()
    assert environment.turn_on()
    assert environment.file.read_text() == text


def test_a_file_that_somebody_else_wrote_stays(environment: Environment) -> None:
    environment.file.write_text("import something\n")
    for action in (environment.is_on, environment.turn_on, environment.turn_off):
        with pytest.raises(AliasFileError, match="was not written by `eyewall tornado on`"):
            action()
    assert environment.file.read_text() == "import something\n"


def test_outside_of_a_virtual_environment_it_refuses(tmp_path: Path) -> None:
    with pytest.raises(AliasFileError, match="is not a virtual environment"):
        Environment(tmp_path, tmp_path, virtual=False).turn_on()
    assert list(tmp_path.iterdir()) == []


def test_where_nothing_can_be_written_it_says_so(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    with pytest.raises(AliasFileError, match=f"cannot write {missing / NAME}: No such file"):
        Environment(tmp_path, missing, virtual=True).turn_on()
    # A folder in the place of the file can't be read, and so can't be taken for ours.
    (tmp_path / NAME).mkdir()
    with pytest.raises(AliasFileError, match=r"cannot read .*: Is a directory"):
        Environment(tmp_path, tmp_path, virtual=True).turn_off()


def test_the_command_says_why_it_can_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    done = CliRunner().invoke(main, ["tornado", "on"])
    assert done.exit_code == ExitCode.USAGE
    assert "eyewall tornado: " in done.output
    assert "is not a virtual environment" in done.output


# -- in an environment of its own -----------------------------------------------------------------------


class Venv:
    """A virtual environment that sees the packages of this one, and Eyewall."""

    def __init__(self, folder: Path) -> None:
        venv.create(folder, symlinks=True)
        self.python = folder / "bin" / "python"
        self.packages = next((folder / "lib").glob("python*")) / "site-packages"
        source = os.environ["PYTHONPATH"].split(os.pathsep)[0]
        shared = sysconfig.get_paths()["purelib"]
        (self.packages / "shared.pth").write_text(f"{source}\n{shared}\n")

    def run(self, *arguments: str, **env: str) -> str:
        done = subprocess.run(
            [self.python, "-W", "error", *arguments],
            capture_output=True,
            text=True,
            env={**{name: value for name, value in os.environ.items() if name != "PYTHONPATH"}, **env},
            timeout=50,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def command(self, *arguments: str) -> str:
        return self.run("-m", "eyewall", "tornado", *arguments)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Venv:
    return Venv(tmp_path_factory.mktemp("environment") / "venv")


_WHICH = "import tornado.web; print(tornado.web.RequestHandler.__module__)"


def test_it_holds_for_the_programs_of_the_environment(installed: Venv) -> None:
    assert installed.run("-c", _WHICH) == "tornado.web\n"
    assert "the alias is off" in installed.command("status")

    assert str(installed.packages / NAME) in installed.command("on")
    assert "It is on already" in installed.command("on")
    assert installed.run("-c", _WHICH) == "eyewall.web.handler\n"
    # Isolated programs, and packages that look for a version.
    assert installed.run("-I", "-c", _WHICH) == "eyewall.web.handler\n"
    version = (
        "from importlib.metadata import metadata, version; "
        "print(version('tornado'), metadata('tornado')['Summary'], version('click') != '')"
    )
    assert installed.run("-c", version) == "6.6.1 Provided by Eyewall True\n"
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {version!r}], check=True)"
    assert installed.run("-c", child) == "6.6.1 Provided by Eyewall True\n"
    # Whoever has asked for the version gets what it is of.
    assert installed.run("-c", f"{version}; {_WHICH}; {version}").splitlines() == [
        "6.6.1 Provided by Eyewall True",
        "eyewall.web.handler",
        "6.6.1 Provided by Eyewall True",
    ]
    # With the other way in at the same time.
    assert installed.run("-m", "eyewall.tornado", "-c", _WHICH) == "eyewall.web.handler\n"
    assert "usage" in installed.run(
        "-c",
        "import subprocess, sys; print(subprocess.run([sys.executable, "
        "'-m', 'tornado.autoreload'], stderr=subprocess.PIPE, text=True).stderr.lower())",
    )
    status = installed.command("status")
    assert "tornado is eyewall.tornado" in status
    assert "Installed besides: Tornado 6." in status

    assert "removed" in installed.command("off")
    assert installed.run("-c", _WHICH) == "tornado.web\n"
    assert "It is off already" in installed.command("off")


def test_it_costs_one_finder_and_no_import(installed: Venv) -> None:
    program = "import sys; print(len(sys.meta_path), *sorted(sys.modules))"
    before = installed.run("-c", program).split()
    installed.command("on")
    try:
        after = installed.run("-c", program).split()
        # An import that does not concern it leaves it lazy, and so does the question for another distribution.
        lazy = (
            "import sys, json, importlib.metadata as m; m.version('click'); "
            "print(*[name for name in sys.modules if name.startswith(('eyewall', 'tornado', 'asyncio'))])"
        )
        assert installed.run("-c", lazy).split() == []
    finally:
        installed.command("off")
    assert int(after[0]) == int(before[0]) + 1
    assert after[1:] == before[1:]


def test_what_it_says_when_eyewall_is_gone(installed: Venv) -> None:
    installed.command("on")
    try:
        done = subprocess.run(
            [
                installed.python,
                "-S",
                "-c",
                f"import site; site.addsitedir({str(installed.packages)!r}); "
                "import sys; sys.path[:] = [p for p in sys.path if 'python3' in p and 'site-packages' not in p]; "
                "import tornado",
            ],
            capture_output=True,
            text=True,
            env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        )
    finally:
        installed.command("off")
    assert done.stderr.splitlines()[-1] == (
        "ImportError: tornado means Eyewall here, but Eyewall is not installed: install it, or delete "
        f"{installed.packages / NAME}"
    )
