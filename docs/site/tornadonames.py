"""The table of Tornado's names: where in Eyewall each of them lives, and what is different about it."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

from .reference import real_names


def reference(differences: Path) -> str:
    """Returns Markdown with a table for each module of `eyewall.tornado`.

    `differences`: the page that tells of deliberate differences; a name that one of its tables mentions refers there.
    """
    public = real_names()
    mentioned = _mentioned(differences)
    parts = []
    for module, names in modules().items():
        rows = [
            f"| `{name}` | {_home(module, name, public)} | {_differs(name, mentioned)} |" for name in names
        ]
        head = "| Name | Where it lives | Differences |\n| --- | --- | --- |"
        parts.append(f"## `eyewall.tornado.{module}`\n\n{head}\n" + "\n".join(rows) + "\n")
    return "\n".join(parts)


def modules() -> dict[str, list[str]]:
    """Returns the public names of each module of `eyewall.tornado`, as its listing of the API has them."""
    package = importlib.import_module("eyewall.tornado")
    found = {}
    for name in package.__all__:
        module = importlib.import_module(f"eyewall.tornado.{name}")
        names = [each for each in vars(module) if not each.startswith("_")]
        own = [each for each in names if not inspect.ismodule(vars(module)[each]) and each != "annotations"]
        if own:
            found[name] = sorted(own, key=str.lower)
    return found


def _home(module: str, name: str, public: dict[str, str]) -> str:
    value = getattr(importlib.import_module(f"eyewall.tornado.{module}"), name)
    if inspect.isclass(value) or inspect.isroutine(value):
        real = f"{value.__module__}.{value.__qualname__}"
        if real in public:
            return f"{{py:obj}}`{public[real]}`"
        return f"`{real}`"
    return f"a constant: `{type(value).__module__}.{type(value).__name__}`".replace("builtins.", "")


def _mentioned(page: Path) -> dict[str, str]:
    """From names between backticks in tables of the page to the anchor of the section that they are in."""
    found: dict[str, str] = {}
    section = ""
    for line in page.read_text("utf-8").splitlines():
        if line.startswith("#"):
            section = line.lstrip("# ").lower().replace(" ", "-")
        elif line.startswith("| ") and section:
            cell = line.split(" | ")[0]
            for name in _names(cell):
                found.setdefault(name, section)
    return found


def _names(cell: str) -> Iterator[str]:
    for span in re.findall("`([^`]+)`", cell):
        yield from re.findall(r"[A-Za-z_]\w{3,}", span.partition("(")[0])


def _differs(name: str, mentioned: dict[str, str]) -> str:
    section = mentioned.get(name)
    return f"[{section.replace('-', ' ')}](../tornado.md#{section})" if section else ""
