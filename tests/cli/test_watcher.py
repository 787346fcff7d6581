"""Which changes of files count."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from eyewall.cli.settings import Settings
from eyewall.cli.watcher import _Suffixes, watch, watched_folders


@pytest.mark.parametrize(
    ("path", "counts"),
    [
        ("app.py", True),
        ("pack/page.html", True),
        ("../other/app.py", True),
        ("app.pyc", False),
        ("notes.txt", False),
        (".venv/lib/app.py", False),
        ("pack/__pycache__/app.py", False),
        ("node_modules/x/app.py", False),
        ("pack/.#app.py", True),
    ],
)
def test_files_that_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, counts: bool) -> None:
    monkeypatch.chdir(tmp_path)
    assert _Suffixes((".py", ".html"))(None, str(tmp_path / path)) is counts


def test_folders(tmp_path: Path) -> None:
    assert watched_folders(Settings(target="app:app", app_dir="src")) == ("src",)
    assert watched_folders(Settings(target="app:app", reload_dirs=("a", "b"))) == ("a", "b")
    file = tmp_path / "app.py"
    assert watched_folders(Settings(target=f"{file}:app")) == (str(tmp_path),)
    assert watched_folders(Settings(target="app.py")) == (os.getcwd(),)


def test_what_is_saved_before_the_system_watches_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    written = {
        "old.py": now - 60,
        "new.py": now,
        "future.py": now + 3600,
        "new.txt": now,
        ".venv/new.py": now,
    }
    for name, at in written.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("")
        os.utime(path, (at, at))

    def told(*folders: str, **options: object) -> Iterator[set[tuple[int, str]]]:
        yield set()
        # What comes later is what the system says.
        yield {(1, str(tmp_path / "later.py"))}
        yield set()

    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "watchfiles", SimpleNamespace(watch=told))
    monkeypatch.setattr(signal, "signal", lambda number, handler: None)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        settings = Settings(target="app:app", reload_dirs=(str(tmp_path),))
        assert watch(settings, theirs, os.getppid(), now - 1.0) == 0
        theirs.close()
        assert ours.makefile().read() == "new.py\nlater.py\n"
