"""JupyterLab under the alias, used as a person uses it, in a browser; and under Tornado, which proves the test.

    python -m pytest tests/jupyter/lab.py

It needs the environment that `make jupyter` makes, and is no part of the ordinary tests, which is why it is named so.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.demo.browser import Browser
from tests.cli.program import is_alive, until

from .desk import Desk
from .environment import SIDES
from .labprogram import Lab

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module", params=SIDES)
def side(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def lab(side: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    lab = Lab(side, tmp_path_factory.mktemp(side))
    try:
        yield lab
        assert lab.trouble() == []
        assert lab.stop() == 0, lab.log()
    finally:
        lab.kill()


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    # Without WebGL, which would be slow here and complain.
    browser = Browser(tmp_path_factory.mktemp("chromium"), "--disable-3d-apis")
    try:
        yield browser
    finally:
        browser.quit()


@pytest.fixture
def desk(chromium: Browser, lab: Lab, request: pytest.FixtureRequest) -> Iterator[Desk]:
    chromium.begin(lab.url)
    try:
        yield Desk(chromium, lab)
    finally:
        if os.environ.get("JUPYTER_SHOTS"):
            chromium.page.save_screenshot(f"{os.environ['JUPYTER_SHOTS']}/{request.node.name}.png")
        errors, _ = chromium.end()
    assert [error for error in errors if not any(part in error for part in chromium.expected)] == []


def test_it_runs_on_what_it_should(lab: Lab, side: str) -> None:
    assert lab.loaded("/eyewall/http/connection.") == (side == "eyewall")
    assert lab.loaded("/tornado/speedups.") == (side == "tornado")


def test_cells(desk: Desk, side: str) -> None:
    file = desk.open_notebook(
        "cells.ipynb",
        "print(6 * 7)",
        "import tornado; print(tornado.__name__)",
        "from IPython.display import HTML; HTML('<b id=rich>bold</b>')",
        "1 / 0",
        "name = input('Who? '); print('hello', name)",
        "for number in range(500): print(number, 'x' * 500, flush=True)",
        "import asyncio; await asyncio.sleep(0.01); 'waited'",
    )
    assert desk.run_cell(0) == "42"
    # The kernel is a child, and has inherited the alias.
    assert desk.run_cell(1) == ("eyewall.tornado" if side == "eyewall" else "tornado")
    assert desk.run_cell(2) == "bold"
    assert desk.browser.text("#rich") == "bold"
    assert "ZeroDivisionError: division by zero" in desk.run_cell(3)

    desk.begin_cell(4)
    desk.browser.until(lambda: desk.browser.all(".jp-Stdin-input"), "nothing is asked")
    desk.browser.find(".jp-Stdin-input").send_keys("Ada\n")
    desk.wait_for_cell(4)
    assert "hello Ada" in desk.output(4).split("\n")

    lines = desk.run_cell(5).split("\n")
    assert lines == [f"{number} {'x' * 500}" for number in range(500)]
    assert desk.run_cell(6) == "'waited'"
    assert desk.add_cell("print('typed', name)") == "typed Ada"

    desk.save()
    saved = until(lambda: _outputs(file), "the notebook is saved")
    assert saved[0] == [{"name": "stdout", "output_type": "stream", "text": ["42\n"]}]
    assert saved[3][0]["ename"] == "ZeroDivisionError"
    assert saved[8][0]["text"] == ["typed Ada\n"]


def _outputs(file: Path) -> list[list[dict[str, object]]] | None:
    """What a notebook's cells showed when it was saved; None where it is not, or is being."""
    try:
        cells = json.loads(file.read_text("utf-8"))["cells"]
    except json.JSONDecodeError:
        return None
    return [cell["outputs"] for cell in cells] if len(cells) == 9 and cells[8]["outputs"] else None


def test_a_kernel_is_interrupted_and_restarted(desk: Desk) -> None:
    desk.open_notebook(
        "restart.ipynb",
        "import os; here = 'here'; print(os.getpid())",
        "print('busy', flush=True)\nwhile True: pass",
        "print('here' in globals())",
    )
    first = int(desk.run_cell(0))
    assert desk.run_cell(2) == "True"
    desk.begin_cell(1)
    desk.browser.until(lambda: desk.output(1) == "busy", "the endless cell does not begin")
    desk.toolbar("notebook:interrupt-kernel")
    desk.wait_for_cell(1)
    assert desk.output(1).rstrip().endswith("KeyboardInterrupt:")

    desk.browser.expected.append("Connection lost, reconnecting")
    desk.toolbar("notebook:restart-kernel")
    desk.accept()
    until(lambda: not is_alive(first), "the old kernel ends")
    desk.wait_for_kernel()
    assert desk.run_cell(2) == "False"
    assert desk.prompt(2) == "[1]:"
    assert int(desk.run_cell(0)) != first


def test_a_terminal(desk: Desk) -> None:
    desk.open_terminal()
    desk.enter("echo a-$((6 * 7))-b; pwd > where.txt")
    desk.browser.until(lambda: "a-42-b" in desk.screen(), "the command's output is not shown")
    until((desk.lab.root / "where.txt").exists, "the command writes its file")
    assert (desk.lab.root / "where.txt").read_text() == f"{desk.lab.root}\n"
    # More than fits a window of the connection, and what comes behind it.
    desk.enter("seq 1 100000; echo end-$((1 + 1))")
    desk.browser.until(lambda: "100000\nend-2" in desk.screen(), "much output is not shown")
    desk.enter("exit")
    desk.browser.until(lambda: not desk.browser.all(".jp-Terminal"), "the terminal stays")


@pytest.mark.parametrize("size", [0, 70_000, 5_000_000])
def test_an_upload(desk: Desk, tmp_path: Path, size: int) -> None:
    """JupyterLab sends more than a megabyte in pieces."""
    file = tmp_path / f"upload of {size} – é.bin"
    file.write_bytes(os.urandom(size))
    desk.launcher()
    desk.upload(file)
    arrived = desk.lab.root / file.name
    until(lambda: arrived.exists() and arrived.stat().st_size == size, "the file arrives")
    assert arrived.read_bytes() == file.read_bytes()
    shown = ".jp-DirListing-itemName"
    desk.browser.until(lambda: file.name in desk.browser.texts(shown), "the file is not listed")
    # And back.
    digest = desk.browser.page.execute_async_script(
        """const done = arguments[1];
        fetch("/files/" + encodeURIComponent(arguments[0]))
            .then((response) => response.arrayBuffer())
            .then((bytes) => crypto.subtle.digest("SHA-256", bytes))
            .then((digest) => done([...new Uint8Array(digest)]));
        """,
        file.name,
    )
    assert bytes(digest) == hashlib.sha256(file.read_bytes()).digest()
