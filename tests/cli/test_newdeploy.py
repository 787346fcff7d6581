"""What `eyewall new` makes is deployed: the unit is one that systemd takes, the image's steps are done and it serves.

Without Docker, whose daemon a test can't count on: see `Image` for what that leaves out. The wheel of Eyewall that the
project's README has one put into `wheels` is the one that `make` has built, where there is one, and else made here
without compiling.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from eyewall.cli import newcommand
from tests.cli.deployed import Image, lint, verify
from tests.cli.program import get
from tests.docs.checkout import checkout
from tests.docs.console import Server, free_port

pytestmark = pytest.mark.one_build


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs Debian's package systemd")
@pytest.mark.parametrize("name", ["shop", "a-rather-long-name-for-a-project-of-this-kind"])
def test_systemd_takes_the_unit(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    newcommand.make(folder, name, newcommand.check(name))
    verify(folder / "deploy" / f"{name}.service", tmp_path)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs Debian's package systemd")
def test_systemd_complains_of_a_unit_that_is_none(tmp_path: Path) -> None:
    unit = tmp_path / "one" / "shop.service"
    unit.parent.mkdir()
    unit.write_text("[Service]\nExecStart=/srv/shop/.venv/bin/eyewall run\nWatchdogSeconds=3\n")
    with pytest.raises(AssertionError, match="WatchdogSeconds"):
        verify(unit, tmp_path)


def test_the_dockerfile_is_linted(tmp_path: Path) -> None:
    newcommand.make(tmp_path / "shop", "shop", "shop")
    lint(tmp_path / "shop" / "Dockerfile")
    sick = tmp_path / "Dockerfile"
    sick.write_text("FROM python\nRUN cd /srv\n")
    with pytest.raises(AssertionError, match="DL3006"):
        lint(sick)


@pytest.mark.timeout(140)
def test_the_image_serves(tmp_path: Path) -> None:
    project = tmp_path / "paper-shop"
    newcommand.make(project, "paper-shop", newcommand.check("paper-shop"))
    # What a project has besides on a developer's machine, and an image has no use for.
    (project / ".venv").mkdir()
    (project / "paper_shop" / "__pycache__").mkdir()
    _wheels(project, tmp_path)
    image = Image(project, tmp_path / "image")
    image.build()
    copied = {path.name for path in image.folder.rglob("*")}
    assert "app.py" in copied
    assert not copied & {".venv", "__pycache__"}
    assert image.asked == ["useradd --uid 10001 --no-create-home paper-shop"]
    assert (image.user, image.exposed) == ("10001", ["8000"])
    port = free_port()
    command = " ".join(f"'{word}'" for word in image.command).replace("8000", str(port))
    server = Server(f"exec {command}", image.folder, image.environment)
    try:
        server.says([f'{{…"Listening on http://0.0.0.0:{port}"…}}'])
        status, _, body = get(port, "/api/greeting/you")
        assert (status, body) == (200, b'{"greeting": "Hello, you!"}')
        healthy = [word.replace("8000", str(port)) for word in image.check]
        subprocess.run(healthy, cwd=image.folder, env=image.environment, check=True)
        assert server.interrupt() == 0
        # Nobody is there any more.
        failed = subprocess.run(
            healthy, cwd=image.folder, env=image.environment, stderr=subprocess.DEVNULL, check=False
        )
        assert failed.returncode != 0
    finally:
        server.kill()


def _wheels(project: Path, folder: Path) -> None:
    """Does what the README of the project says, without the packages that Eyewall needs: pip has an index for those."""
    readme = (project / "README.md").read_text()
    assert re.search(r"^\$ pip wheel --wheel-dir wheels PATH_OF_EYEWALL$", readme, re.M)
    source = checkout(folder)
    if source.suffix == ".whl":
        (project / "wheels").mkdir()
        shutil.copy(source, project / "wheels")
        return
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--wheel-dir", "wheels", source],
        cwd=project,
        env={**os.environ, "EYEWALL_PURE": "1"},
        check=True,
        stderr=subprocess.DEVNULL,
    )
