"""What Eyewall is installed from, in tests that install it as a reader does."""

from __future__ import annotations

import shutil
from pathlib import Path

from .pages import ROOT


def checkout(folder: Path) -> Path:
    """What a checkout of Eyewall stands for: a wheel that `make` has built of these sources, else a copy of them.

    The copy is made in `folder`, since a build writes into the folder that it builds, and other tests use this one.
    """
    newest = max(
        file.stat().st_mtime
        for folder in ("src", "setup.py", "pyproject.toml")
        for file in [ROOT / folder, *(ROOT / folder).rglob("*")]
        if file.suffix in {".py", ".pxd", ".toml"}
    )
    for wheel in (ROOT / "build" / "wheel").glob("eyewall-*.whl"):
        if wheel.stat().st_mtime > newest:
            return wheel
    copy = folder / "eyewall"
    copy.mkdir()
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy2(ROOT / name, copy / name)
    ignore = shutil.ignore_patterns("__pycache__", "*.so", "*.c", "*.egg-info")
    shutil.copytree(ROOT / "src", copy / "src", ignore=ignore)
    return copy
