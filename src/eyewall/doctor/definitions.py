"""Which function a line belongs to, and whether that is a coroutine: neither a sample nor a counted call says so, nor
does a record of an allocation."""

from __future__ import annotations

import ast
import tokenize
from typing import NamedTuple

from eyewall.doctor.places import Place

#: Bytes of a file that are read; a longer one defines nothing.
LIMIT = 4 * 1024 * 1024


class Definition(NamedTuple):
    """A function: its qualified name, where it begins (with its decorators) and ends, and whether it is `async`."""

    name: str
    first: int
    last: int
    is_async: bool


class Definitions:
    """Reads each file once. What can't be read or understood defines nothing."""

    def __init__(self) -> None:
        self._files: dict[str, list[Definition]] = {}

    def at(self, file: str, line: int) -> Definition | None:
        """Returns the innermost function around a line."""
        around = [each for each in self._of(file) if each.first <= line <= each.last]
        return max(around, key=lambda each: each.first, default=None)

    def place(self, file: str, line: int) -> Place:
        """Returns a line with the function around it; without one where the source can't be read."""
        found = self.at(file, line)
        outside = "<module>" if self._files.get(file) else ""
        return Place(file, line, outside if found is None else found.name)

    def written(self, text: str) -> Place | None:
        """Returns the place that is written as `file:line`, None for a text that says none."""
        file, _, line = text.rpartition(":")
        return self.place(file, int(line)) if file and line.isdecimal() else None

    def is_async(self, file: str, line: int) -> bool:
        """Whether a line is in a coroutine or asynchronous generator."""
        found = self.at(file, line)
        return found is not None and found.is_async

    def _of(self, file: str) -> list[Definition]:
        known = self._files.get(file)
        if known is None:
            known = self._files[file] = _read(file) if file.endswith(".py") else []
        return known


def _read(file: str) -> list[Definition]:
    try:
        with tokenize.open(file) as source:
            text = source.read(LIMIT + 1)
        if len(text) > LIMIT:
            return []
        tree = ast.parse(text)
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    found: list[Definition] = []
    _collect(tree, "", found)
    return found


def _collect(tree: ast.AST, prefix: str, found: list[Definition]) -> None:
    waiting: list[tuple[ast.AST, str]] = [(tree, prefix)]
    while waiting:
        node, prefix = waiting.pop()
        for child in ast.iter_child_nodes(node):
            inner = prefix
            if isinstance(child, ast.ClassDef):
                inner = f"{prefix}{child.name}."
            elif isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
                first = min([child.lineno, *(each.lineno for each in child.decorator_list)])
                is_async = isinstance(child, ast.AsyncFunctionDef)
                found.append(Definition(prefix + child.name, first, child.end_lineno or first, is_async))
                inner = f"{prefix}{child.name}.<locals>."
            waiting.append((child, inner))
