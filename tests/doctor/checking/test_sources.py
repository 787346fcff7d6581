"""Files that are found, and those that can't be checked: each is told of, none is lost."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from eyewall.doctor.checking import sources
from eyewall.doctor.checking.sources import Sources, matches, within

pytestmark = pytest.mark.one_build


def names(found: Sources) -> list[str]:
    return [each.path.name for each in found.read()]


def test_files_below_folders_in_order(tmp_path: Path) -> None:
    for name in (
        "b.py",
        "a.py",
        "z/c.py",
        "z/d.pyi",
        "z/e.txt",
        ".hidden/f.py",
        "build/g.py",
        "node_modules/h.py",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x = 1\n")
    assert names(Sources([tmp_path], tmp_path)) == ["a.py", "b.py", "c.py", "d.pyi"]
    assert names(Sources([tmp_path], tmp_path, ["z"])) == ["a.py", "b.py"]
    assert names(Sources([tmp_path], tmp_path, ["z/c*", "b.py"])) == ["a.py", "d.pyi"]
    named = [tmp_path / "build" / "g.py", tmp_path / "a.py", tmp_path / "a.py"]
    assert names(Sources(named, tmp_path)) == ["g.py", "a.py"]
    assert names(Sources(named, tmp_path, force=True)) == ["a.py"]


@pytest.mark.parametrize(
    ("path", "pattern", "fits", "inside"),
    [
        ("a/b.py", "b.py", True, True),
        ("a/b.py", "a", False, True),
        ("a/b.py", "a/*", True, True),
        ("a/b/c.py", "a/b", False, True),
        ("a/b.py", "b", False, False),
        (".venv/b.py", ".*", False, True),
    ],
)
def test_patterns(path: str, pattern: str, fits: bool, inside: bool) -> None:
    assert matches(Path(path), pattern) is fits
    assert within(Path(path), pattern) is inside


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("")
    (tmp_path / "again").symlink_to(tmp_path)
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "up").symlink_to(tmp_path)
    (tmp_path / "inner" / "b.py").write_text("")
    (tmp_path / "inner" / "same.py").symlink_to(tmp_path / "a.py")
    found = Sources([tmp_path], tmp_path)
    assert names(found) == ["a.py", "b.py"]
    assert found.problems == []


@pytest.mark.parametrize(
    ("content", "rule", "line"),
    [
        (b"x = 1\ndef f(:\n", sources.SYNTAX, 2),
        (b"x = '\xff'\n", sources.UNDECODABLE, 1),
        (b"# coding: nothing\n", sources.UNDECODABLE, 1),
        (b"x = 1\0\n", sources.SYNTAX, 1),
        (b"(" * 5000 + b")" * 5000, sources.SYNTAX, 1),
        (b"x = 1\n" * (sources.LARGEST // 6 + 1), sources.TOO_LARGE, 1),
    ],
    ids=["syntax", "bytes", "encoding", "null", "depth", "size"],
)
def test_what_can_not_be_checked_is_told(tmp_path: Path, content: bytes, rule: object, line: int) -> None:
    (tmp_path / "bad.py").write_bytes(content)
    (tmp_path / "good.py").write_text("")
    found = Sources([tmp_path], tmp_path)
    assert names(found) == ["good.py"]
    assert found.count == 2
    [problem] = found.problems
    assert (problem.rule, problem.spot.line) == (rule, line)
    assert problem.spot.path.endswith("bad.py")


def test_another_encoding_is_read(tmp_path: Path) -> None:
    (tmp_path / "old.py").write_bytes("# coding: latin-1\nx = 'é'\n".encode("latin-1"))
    (tmp_path / "marked.py").write_bytes(b"\xef\xbb\xbfx = 1\n")
    found = Sources([tmp_path], tmp_path)
    assert len(found.read()) == 2
    assert found.problems == []


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    (tmp_path / "gone.py").symlink_to(tmp_path / "nowhere.py")
    (tmp_path / "circle.py").symlink_to(tmp_path / "circle.py")
    found = Sources([tmp_path, tmp_path / "missing"], tmp_path)
    assert found.read() == []
    assert [each.rule for each in found.problems] == [sources.UNREADABLE] * 3


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "secret.py").write_text("")
    (tmp_path / "secret.py").chmod(0)
    (tmp_path / "closed").mkdir(mode=0)
    found = Sources([tmp_path], tmp_path)
    assert found.read() == []
    assert [each.rule for each in found.problems] == [sources.UNREADABLE] * 2
