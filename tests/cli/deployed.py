"""What deploys a project, as far as a test can tell: systemd reads the unit, the steps of an image are done by hand."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path


def verify(unit: Path, folder: Path) -> None:
    """Has systemd read a unit. Raises AssertionError where it has something to say.

    The program that it starts is not where the unit has it; it is another one here.
    """
    copy = folder / unit.name
    copy.write_text(re.sub(r"/srv/\S+/bin/eyewall", "/bin/true", unit.read_text()))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(copy)], capture_output=True, text=True, check=False
    )
    said = [line for line in done.stderr.splitlines() if unit.name in line]
    assert (done.returncode, said) == (0, []), done.stderr


def lint(dockerfile: Path) -> None:
    """Raises AssertionError for what hadolint has to say of a Dockerfile."""
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run(
        [hadolint, "--no-color", dockerfile],
        cwd=dockerfile.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def instructions(dockerfile: Path) -> list[tuple[str, str]]:
    """The instructions, each with its arguments; lines that are continued are one."""
    text = re.sub(r"\\\n", " ", dockerfile.read_text())
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines)]


@dataclass
class Image:
    """A Dockerfile's steps, done one after the other in `root`, a folder, with a fresh virtual environment for Python.

    Another image than `python:…`, another user than ours and other folders than those below `root` can't be had
    without Docker. `useradd` and `install` are taken down in `asked` and not run.
    """

    project: Path
    root: Path
    environment: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    exposed: list[str] = field(default_factory=list)
    user: str = "root"
    command: list[str] = field(default_factory=list)
    check: list[str] = field(default_factory=list)

    def build(self) -> None:
        tools = self.root / "tools"
        tools.mkdir(parents=True)
        for name in ("useradd", "install"):
            (tools / name).write_text(f'#!/bin/sh\necho {name} "$@" >> {self.root}/asked\n')
            (tools / name).chmod(0o755)
        subprocess.run([sys.executable, "-m", "venv", self.root / "usr"], check=True)
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("EYEWALL_", "PYTEST_", "PYTHON", "CHAT_")) and name != "VIRTUAL_ENV"
        }
        self.environment = {**kept, "PATH": f"{tools}:{self.root}/usr/bin:{os.environ['PATH']}"}
        for word, rest in instructions(self.project / "Dockerfile"):
            getattr(self, f"_{word.lower()}")(rest)
        asked = self.root / "asked"
        self.asked = asked.read_text().splitlines() if asked.exists() else []

    def _from(self, image: str) -> None:
        assert re.fullmatch(r"python:3\.\d+-slim", image)

    def _env(self, rest: str) -> None:
        self.environment |= dict(word.split("=", 1) for word in shlex.split(rest))

    def _workdir(self, path: str) -> None:
        self.folder = self.root / path.lstrip("/")
        self.folder.mkdir(parents=True)

    def _copy(self, rest: str) -> None:
        assert rest == ". ."
        left_out = (self.project / ".dockerignore").read_text().split()

        def ignored(folder: str, names: list[str]) -> list[str]:
            place = Path(folder).relative_to(self.project)
            return [
                name
                for name in names
                if any(
                    name == pattern.removeprefix("**/")
                    if pattern.startswith("**/")
                    else fnmatch(str(place / name), pattern)
                    for pattern in left_out
                )
            ]

        shutil.copytree(self.project, self.folder, ignore=ignored, dirs_exist_ok=True)

    def _run(self, command: str) -> None:
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def _user(self, name: str) -> None:
        self.user = name

    def _expose(self, port: str) -> None:
        self.exposed.append(port)

    def _healthcheck(self, rest: str) -> None:
        self.check = _words(rest.partition(" CMD ")[2])

    def _cmd(self, rest: str) -> None:
        self.command = _words(rest)


def _words(listed: str) -> list[str]:
    """The words of an instruction's list, as in `["eyewall", "run"]`."""
    words: list[str] = json.loads(listed)
    return words
