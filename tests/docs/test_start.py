"""The five-minute start, followed literally on a fresh virtual environment; and the runner that does it.

What differs from what a reader does, so that this takes seconds and disturbs nobody: where `make` has built a wheel of
these sources, that is installed in place of the checkout, and elsewhere the checkout is, but without compiling. And the
port is one that is free.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from .checkout import checkout
from .console import Reader, Server, Step, fits, is_server, pattern, steps
from .pages import ROOT, Fence, fences

pytestmark = pytest.mark.one_build

PAGE = ROOT / "docs" / "start.md"
EXAMPLES = ROOT / "examples" / "start"


@pytest.mark.long
@pytest.mark.timeout(140)
def test_the_page_is_true(tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    # The interpreter that the wheel is for.
    interpreter = Path(sys.executable).resolve().parent
    environment = {"EYEWALL_PURE": "1", "PATH": f"{interpreter}:{os.environ['PATH']}"}
    replaced = {"../eyewall": str(checkout(tmp_path))}
    with Reader(folder, EXAMPLES, replaced=replaced, environment=environment) as reader:
        reader.follow(PAGE)
        reader.end_server()


def test_its_files_are_shown_whole() -> None:
    shown = {fence.mark: fence.text for fence in fences(PAGE) if fence.mark}
    for file in sorted(EXAMPLES.glob("*.py")):
        assert shown[f"examples/start/{file.name}"] == file.read_text("utf-8")


# -- the runner ---------------------------------------------------------------------------------------------


def test_a_block_is_taken_apart() -> None:
    fence = Fence(PAGE, "console", "$ one\na\nb\n$ two\n$ three\nc\n", None, 1)
    assert list(steps(fence)) == [Step("one", ["a", "b"]), Step("two"), Step("three", ["c"])]
    assert list(steps(Fence(PAGE, "console", "said\n", None, 1))) == [Step("", ["said"])]


@pytest.mark.parametrize(
    ("shown", "came", "same"),
    [
        (["a"], ["a"], True),
        (["a"], ["a  "], True),
        (["a"], ["b"], False),
        (["a"], ["a", "b"], False),
        (["a", "..."], ["a", "b", "c"], True),
        (["...", "c"], ["a", "b", "c"], True),
        (["...", "c"], ["a", "b"], False),
        (["a…b"], ["a, and b"], True),
        (["a.c"], ["abc"], False),
        (["2 passed in 0.12s"], ["2 passed in 10.03s"], True),
        (["2 passed in 0.12s"], ["3 passed in 0.12s"], False),
        (["Process 4711"], ["Process 12"], True),
        (["8000"], ["8001"], False),
        (
            ["[I 260131 12:00:04 requestlog:37] (8bc27d1955918fdca0d3d799) 200 GET / (127.0.0.1) 0.33ms"],
            ["[I 261129 20:13:25 requestlog:41] (557ad6aaf2543a5ba5c3f1cb) 200 GET / (127.0.0.1) 1000.80ms"],
            True,
        ),
        (
            ["[I 260131 12:00:04 requestlog:37] 200 GET /"],
            ["[W 260131 12:00:04 requestlog:37] 200 GET /"],
            False,
        ),
    ],
)
def test_what_comes_is_compared_with_what_is_shown(shown: list[str], came: list[str], same: bool) -> None:
    assert fits(shown, came) is same


def test_patterns_take_nothing_else_for_granted() -> None:
    assert pattern("at …/slow.py:7 in load") == r"at\ .*/slow\.py:7\ in\ load"


def test_servers_are_known() -> None:
    assert is_server("eyewall run hello.py")
    assert is_server("REDIS_URL=redis://x eyewall run --processes 2")
    assert not is_server("eyewall check .")


def test_a_command_that_fails_is_noticed(tmp_path: Path) -> None:
    with Reader(tmp_path, EXAMPLES) as reader:
        with pytest.raises(AssertionError, match="here"):
            reader.do(Step("false"), "here")
        with pytest.raises(AssertionError, match="is not what the page shows"):
            reader.do(Step("echo other", ["one"]), "here")
        reader.do(Step("echo one", ["one"]), "here")
        reader.do(Step("mkdir sub"), "here")
        reader.do(Step("cd sub"), "here")
        reader.do(Step("pwd", [str(tmp_path / "sub")]), "here")
        assert reader.where() == tmp_path / "sub"


def test_what_a_server_does_not_say_is_noticed(tmp_path: Path) -> None:
    server = Server("echo one; echo two; echo three", tmp_path, {"PATH": "/usr/bin:/bin"})
    try:
        server.says(["one", "three"])
        with pytest.raises(AssertionError, match="'two' was not said"):
            server.says(["two"])
    finally:
        server.kill()
