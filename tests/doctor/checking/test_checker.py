"""The check as a whole: what ruff and mypy add, what is told once, what happens where they are missing."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from eyewall.doctor.checking import mypypart, ruffpart
from eyewall.doctor.checking.checker import Report, check
from eyewall.doctor.checking.settings import Settings

from .marked import write

pytestmark = pytest.mark.one_build


def all_of(folder: Path, sources: dict[str, str], *, types: bool = False, ruff: bool = False) -> Report:
    write(folder, sources)
    return check([folder], Settings(folder, types=types, ruff=ruff))


def rules(report: Report) -> list[tuple[int, str, str]]:
    return [(each.spot.line, each.rule.id, each.tool) for each in report.problems]


def test_ruff_adds_what_it_knows(tmp_path: Path) -> None:
    source = """\
    import subprocess, time

    async def main(ready):
        time.sleep(1)
        subprocess.Popen(["ls"])
        while not ready():
            await trio.sleep(1)
        subprocess.Popen(["ls"])  # noqa: ASYNC220
    """
    report = all_of(tmp_path, {"app": source}, ruff=True)
    assert report.skipped == []
    assert rules(report) == [(4, "EW201", "eyewall"), (5, "EW203", "ruff")]
    assert report.problems[1].message.endswith("(ASYNC220)")


def test_what_waits_for_nothing_is_left_out_of_what_ruff_says(tmp_path: Path) -> None:
    source = """\
    import os, time
    from pathlib import Path

    async def main(path):
        time.sleep(0)
        time.sleep(
            0.0
        )
        os.path.normpath(path), os.path.abspath(os.path.join(path, "x")), os.path.relpath(path)
        Path(path).absolute()
        os.path.exists(path)
        os.path.exists(os.path.abspath(path))
        Path(path).exists(), Path(path).absolute()
    """
    report = all_of(tmp_path, {"app": source}, ruff=True)
    assert rules(report) == [(11, "EW205", "ruff"), (12, "EW205", "ruff"), (13, "EW205", "ruff")]


def test_types_add_what_names_do_not_say(tmp_path: Path) -> None:
    source = """\
    from collections.abc import Awaitable, Callable
    import asyncio

    class Store:
        async def save(self) -> None: ...

    def stores() -> list[Store]:
        return [Store()]

    async def main(stored: dict[str, Store], call: Callable[[], Awaitable[None]], task: asyncio.Task[None]) -> None:
        for store in stores():
            store.save()
        stored["x"].save()
        call()
        asyncio.shield(task)
        Store().save()
        stored["x"].save()  # type: ignore[unused-coroutine]
        "".nothing()
    """
    report = all_of(tmp_path, {"app": source, "other/app": "x = 1\n"}, types=True)
    assert report.skipped == []
    assert rules(report) == [
        (12, "EW101", "mypy"),
        (13, "EW101", "mypy"),
        (14, "EW104", "mypy"),
        (15, "EW103", "eyewall"),
        (16, "EW101", "eyewall"),
    ]
    assert (tmp_path / ".mypy_cache" / "eyewall").is_dir()


def test_what_is_missing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    report = all_of(tmp_path, {"app": "x = 1\n"}, types=True, ruff=True)
    assert report.problems == []
    assert ["pip install eyewall[check]" in each for each in report.skipped] == [True, True]


def test_what_fails_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ruffpart, "CODES", ("NOTHING",))
    monkeypatch.setattr(mypypart, "AWAITABLE", "nothing")
    source = "import time\n\nasync def main():\n    time.sleep(1)\n"
    report = all_of(tmp_path, {"app": source}, types=True, ruff=True)
    assert rules(report) == [(4, "EW201", "eyewall")]
    assert [each.partition(":")[0] for each in report.skipped] == ["ruff's rules", "awaits with types"]


def test_nothing_to_look_at(tmp_path: Path) -> None:
    report = check([tmp_path], Settings(tmp_path))
    assert (report.problems, report.files, report.skipped) == ([], 0, [])


def test_programs_side_by_side_have_modules_of_the_same_name(tmp_path: Path) -> None:
    program = "from tools import load\n\nasync def main():\n    load()\n"
    sources = {
        "one/app": program,
        "one/tools": "import time\n\ndef load():\n    time.sleep(1)\n",
        "two/app": program,
        "two/tools": "def load():\n    pass\n",
    }
    report = all_of(tmp_path, sources)
    assert [Path(each.spot.path).parent.name for each in report.problems] == ["one"]


def test_strange_programs_are_read(tmp_path: Path) -> None:
    """Cycles of imports, bases and calls, and names that mean nothing."""
    sources = {
        "a": """
        from b import *
        from b import y as x
        import a
        z = z
        p = q
        q = p
        class A(B, A, unknown[int], metaclass=Meta): ...
        class B(A): ...
        def f(*args, **kwargs):
            global g
            g = lambda h=lambda: f(): (yield)
            return f()()[0].x(f)
        async def main():
            f(); x(); z(); p(); A().b.c(); super().x(); await main()
            match f():
                case [A(), *rest]: rest()
            [w() async for w in y]
        @f
        @a.b.c(1)
        class C:
            class D(C):
                async def m(this): this.n(); D.m(this)
        """,
        "b": "from a import *\nfrom a import x as y\n",
    }
    assert rules(all_of(tmp_path, sources)) == [(23, "EW101", "eyewall")]
