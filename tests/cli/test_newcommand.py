"""`eyewall new`: the project that it makes works, and where it can make none it leaves nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from eyewall.cli import main, newcommand
from eyewall.cli.exits import ExitCode
from tests.cli.program import Program, get

pytestmark = pytest.mark.one_build

#: Where `eyewall` is imported from in these tests; programs that are started need to know it.
SOURCES = str(Path(newcommand.__file__).parents[2])


def make(*args: str) -> Any:
    return CliRunner().invoke(main, ["new", *args])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("EYEWALL_", "PYTEST_"))}
    return {**kept, "PYTHONPATH": SOURCES, "PYTHONDONTWRITEBYTECODE": "1"}


def test_its_own_tests_pass_and_it_is_served(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "eyewall", "new", "paper-shop"],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "cd paper-shop" in done.stdout
    project = folder / "paper-shop"
    tests = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:asyncio"],
        cwd=project,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert tests.returncode == 0, tests.stdout + tests.stderr
    assert "3 passed" in tests.stdout
    with Program(project, "--port", "0", env={"PYTHONPATH": SOURCES}) as program:
        port = program.port()
        status, _, body = get(port)
        assert status == 200
        assert b"<h1>Paper shop</h1>" in body
        assert get(port, "/api/greeting/you")[2] == b'{"greeting": "Hello, you!"}'
        assert get(port, "/health/livez")[0] == 200
        assert program.stop() == ExitCode.DONE


def test_what_is_in_it(folder: Path) -> None:
    assert make("shop").exit_code == 0
    found = {
        str(file.relative_to(folder / "shop")) for file in (folder / "shop").rglob("*") if file.is_file()
    }
    assert found == {
        ".dockerignore",
        ".gitignore",
        "Dockerfile",
        "README.md",
        "deploy/shop.service",
        "eyewall.toml",
        "pyproject.toml",
        "shop/__init__.py",
        "shop/app.py",
        "tests/test_app.py",
    }
    project = tomllib.loads((folder / "shop/pyproject.toml").read_text())
    assert project["project"]["name"] == "shop"
    assert project["tool"]["setuptools"]["packages"] == ["shop"]
    assert "ExecReload=/bin/kill -HUP $MAINPID" in (folder / "shop/deploy/shop.service").read_text()


def test_nothing_is_found_in_it_by_check(folder: Path) -> None:
    assert make("shop").exit_code == 0
    result = CliRunner().invoke(main, ["check", "--no-types", "shop"])
    assert result.exit_code == 0, result.output


@pytest.mark.skipif(shutil.which("ruff", path=str(Path(sys.executable).parent)) is None, reason="needs ruff")
def test_it_is_formatted(folder: Path) -> None:
    name = "a-rather-long-name-for-a-project"
    assert make(name).exit_code == 0
    ruff = str(Path(sys.executable).parent / "ruff")
    for words in (["check", "--select", "E,F,I,UP,B", "--line-length", "120"], ["format", "--check"]):
        done = subprocess.run(
            [ruff, *words, "--no-cache"], cwd=folder / name, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout


def test_the_commands_of_its_deployment_can_be_meant(folder: Path) -> None:
    assert make("shop").exit_code == 0
    unit = (folder / "shop/deploy/shop.service").read_text()
    started = next(line for line in unit.splitlines() if line.startswith("ExecStart=")).split()[2:]
    os.chdir(folder / "shop")
    for words in (started, ["--host", "*", "--port", "8000", "--log-format", "json"]):
        result = CliRunner().invoke(main, ["config", *words])
        assert result.exit_code == 0, result.output
        assert "shop.app:make_app" in result.output
    # And the image starts it with the latter.
    assert '"--host", "*", "--port", "8000", "--log-format", "json"]' in Path("Dockerfile").read_text()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Shop", "'shop' would do"),
        ("my shop", "'my-shop' would do"),
        ("a/b", "'a-b' would do"),
        ("..", "begins with a small letter"),
        ("", "begins with a small letter"),
        ("1st", "begins with a small letter"),
        ("a--b", "single hyphens"),
        ("a-", "single hyphens"),
        ("läden", "small letter"),
        ("json", "'json-app' would do"),
        ("class", "'class-app' would do"),
        ("eyewall", "'eyewall-app' would do"),
        ("tests", "'tests-app' would do"),
        ("a" * 51, "51 characters"),
    ],
)
def test_a_bad_name(folder: Path, name: str, said: str) -> None:
    result = make(name)
    assert result.exit_code == 2
    assert said in " ".join(result.output.split())
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_what_exists_is_left_alone(folder: Path, kind: str) -> None:
    place = folder / "shop"
    {"file": place.touch, "folder": place.mkdir, "link": lambda: place.symlink_to("nowhere")}[kind]()
    result = make("shop")
    assert result.exit_code == 2
    assert "exists already" in " ".join(result.output.split())
    assert list(folder.iterdir()) == [place]
    assert not place.is_dir() or not list(place.iterdir())


def test_half_a_project_is_not_left(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[Path] = []
    write_text = Path.write_text

    def failing(self: Path, *args: Any) -> int:
        if written:
            raise OSError(28, "No space left on device")
        written.append(self)
        return write_text(self, *args)

    monkeypatch.setattr(Path, "write_text", failing)
    result = make("shop")
    assert result.exit_code == 1
    assert "can't be made: No space left on device" in result.output
    assert written
    assert list(folder.iterdir()) == []


def test_its_rights_are_those_of_other_folders(folder: Path) -> None:
    (folder / "other").mkdir()
    assert make("shop").exit_code == 0
    assert (folder / "shop").stat().st_mode == (folder / "other").stat().st_mode
