"""The how-tos, followed: their programs are started, what stands behind a `$` is typed, what comes is compared.

What takes long, or depends on the machine, stands in blocks without a kind, and is not typed. Port 8001 is another one
that is free.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import eyewall
from tests.redisserver import RedisServer, redis_server

from .console import Reader, Step, commands, free_port, is_server, steps
from .pages import ROOT, fences

pytestmark = pytest.mark.one_build

EXAMPLES = ROOT / "examples" / "howto"
SOURCES = str(Path(eyewall.__file__).parents[1])
INDEX = ROOT / "docs" / "howto" / "index.md"
PAGES = sorted(page for page in INDEX.parent.glob("*.md") if page != INDEX)


def typed(page: Path) -> list[Step]:
    return [step for fence in fences(page) if fence.kind == "console" for step in steps(fence)]


#: Pages on which a server is started.
FOLLOWED = [page for page in PAGES if any(is_server(step.command) for step in typed(page))]


class Follower(Reader):
    """Has all programs of the folder. What still hangs when a page ends was shown to."""

    def end_server(self) -> None:
        if self._server is not None:
            server, self._server = self._server, None
            server.kill()


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the commands `eyewall` and `python`, which are those of the tests."""
    return commands(tmp_path_factory.mktemp("bin"))


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


@pytest.mark.timeout(140)
@pytest.mark.parametrize("page", FOLLOWED, ids=lambda page: page.stem)
def test_a_page_is_true(page: Path, tmp_path: Path, tools: Path, request: pytest.FixtureRequest) -> None:
    replaced = {"8001": str(free_port())}
    if "6379" in page.read_text("utf-8"):
        replaced["6379"] = str(request.getfixturevalue("redis").port)
    environment = {
        "PATH": f"{tools}:{os.environ['PATH']}",
        "PYTHONPATH": SOURCES,
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTEST_PLUGINS": "eyewall.doctor.pytestplugin",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        # As `test_tutorial`: a quarter of a second is not much on a machine that has other tests to run.
        "PYTEST_ADDOPTS": "-p no:cacheprovider --eyewall-doctor-threshold 0.4",
    }
    folder = tmp_path / "programs"
    shutil.copytree(EXAMPLES, folder, ignore=shutil.ignore_patterns("__pycache__"))
    with Follower(folder, EXAMPLES, replaced=replaced, environment=environment) as reader:
        reader.follow(page)
        reader.end_server()


def test_every_program_is_shown() -> None:
    """And typed, which is how it is tried: see `test_examples.test_every_example_is_tried`."""
    told = {word for page in FOLLOWED for step in typed(page) for word in step.command.split()}
    assert {file.name for file in EXAMPLES.glob("*.py")} <= told


def test_every_page_is_in_the_index() -> None:
    text = INDEX.read_text("utf-8")
    assert [page.name for page in PAGES if f"({page.name})" not in text] == []
