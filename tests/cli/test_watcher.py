"""Which changes of files count."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from eyewall.cli.settings import Settings
from eyewall.cli.watcher import _Suffixes, watched_folders


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
