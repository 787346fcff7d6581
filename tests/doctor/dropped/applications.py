"""Modules that are all of the application."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path
from types import ModuleType

import pytest


def only_module(file: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Returns a module of this text, in this file, besides which the application has none."""
    file.write_text(textwrap.dedent(text))
    module = ModuleType(file.stem)
    module.__file__ = str(file)
    exec(compile(file.read_text(), file, "exec"), vars(module))
    monkeypatch.setattr("eyewall.doctor.codes.is_own_file", str(file).__eq__)
    monkeypatch.setitem(sys.modules, file.stem, module)
    return module
