"""Tornado's listing of its public API, entry by entry, and whether ours has what it says.

An entry is a line `path: kind(details)`. What must match: that the name is there, its kind, a function's parameters
with their defaults, a class's bases (ours must be a subclass of each that is public), what an alias stands for. Where
a thing is defined does not matter.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

_ENTRY = re.compile(
    r"(?P<path>tornado[\w.]*): (?P<kind>[a-z]+(?: [a-z]+)?)(?: (?P<of>[\w.]+))?(?P<details>\(.*\))?"
)
#: The longest text that the listing gives as a default.
_SHOWN = 40


@dataclass(frozen=True)
class Entry:
    """One line of the listing."""

    line: str
    path: str
    kind: str
    #: What an alias or an import is one of; empty for others.
    of: str
    #: Parameters or bases with their parentheses; empty for what has neither.
    details: str

    @classmethod
    def of_line(cls, line: str) -> Entry:
        match = _ENTRY.fullmatch(line)
        if match is None:
            raise ValueError(f"not an entry of the listing: {line!r}")
        return cls(line, match["path"], match["kind"], match["of"] or "", match["details"] or "")


def folder() -> Path:
    """Where the tests of the installed Tornado are; it is not imported for that."""
    spec = PathFinder.find_spec("tornado")
    if spec is None or spec.origin is None:
        raise LookupError("Tornado is not installed; it comes with the extra `test`")
    return Path(spec.origin).parent / "test"


def entries() -> dict[str, list[Entry]]:
    """The entries of each public module."""
    found: dict[str, list[Entry]] = {}
    current: list[Entry] = []
    for line in (folder() / "api.txt").read_text("utf-8").splitlines():
        if line.startswith("["):
            current = found.setdefault(line.strip("[]"), [])
        elif line:
            current.append(Entry.of_line(line))
    return found


def differences(module: str, listed: list[Entry]) -> Iterator[str]:
    """Yields what is different in one module, one line for each entry that does not match."""
    ours(module)
    for entry in listed:
        try:
            found = _difference(entry)
        except (ImportError, AttributeError) as error:
            found = f"{type(error).__name__}: {error}"
        if found:
            yield f"{entry.line}\n    {found}"


def ours(path: str) -> Any:
    """Returns what we have by a name of Tornado: a module, or what is in one, as it stands in its class."""
    if path != "tornado" and not path.startswith("tornado."):
        return _walk(path)
    return _walk("eyewall." + path)


def _walk(path: str) -> Any:
    names = path.split(".")
    found: Any = importlib.import_module(names[0])
    for at, name in enumerate(names[1:], 2):
        if inspect.isclass(found):
            found = inspect.getattr_static(found, name)
            continue
        if isinstance(found, staticmethod | classmethod):
            found = found.__func__
        if isinstance(found, ModuleType) and hasattr(found, "__path__"):
            try:
                found = importlib.import_module(".".join(names[:at]))
                continue
            except ModuleNotFoundError as error:
                if error.name != ".".join(names[:at]):
                    raise
        found = getattr(found, name)
    return found


def _difference(entry: Entry) -> str:
    if entry.kind in ("attribute", "lazy attribute"):
        return _of_attribute(entry)
    raw = ours(entry.path)
    if entry.kind in ("alias of", "import of"):
        return "" if raw is ours(entry.of) else f"is {raw!r}"
    if entry.kind == "class":
        return _of_class(entry, raw)
    if entry.kind in _FUNCTIONS:
        return _of_function(entry, raw)
    if entry.kind == "property":
        # Cached or compiled ones have a type of their own; what counts is that reading it computes.
        return "" if hasattr(type(raw), "__get__") and not callable(raw) else f"is {raw!r}"
    assert entry.kind == "data", entry.line
    return ""


def _of_attribute(entry: Entry) -> str:
    owner, _, name = entry.path.rpartition(".")
    try:
        ours(entry.path)
    except AttributeError:
        held = ours(owner)
        if not inspect.isclass(held) or name not in _instance_attributes(held):
            raise
    return ""


def _instance_attributes(cls: type) -> set[str]:
    """The names that a class, or one of its bases, declares or sets on its instances."""
    names: set[str] = set()
    for each in cls.__mro__:
        names.update(vars(each).get("__annotations__", ()), vars(each).get("__slots__", ()))
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(each)))
        except (OSError, TypeError):
            continue
        names.update(
            node.attr
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute)
            and isinstance(node.ctx, ast.Store)
            and isinstance(node.value, ast.Name)
            and node.value.id == "self"
        )
    return names


def _of_class(entry: Entry, raw: Any) -> str:
    if not inspect.isclass(raw):
        return f"is {raw!r}, not a class"
    for base in filter(None, entry.details.strip("()").split(", ")):
        if not base.rpartition(".")[2].startswith("_") and not issubclass(raw, ours(base)):
            return f"is no subclass of {base}"
    return ""


#: Whether a raw attribute is of a kind.
_FUNCTIONS: dict[str, Callable[[Any], bool]] = {
    "classmethod": lambda raw: isinstance(raw, classmethod),
    "staticmethod": lambda raw: isinstance(raw, staticmethod),
    "method": lambda raw: not isinstance(raw, classmethod | staticmethod) and callable(raw),
    "function": callable,
}


def _of_function(entry: Entry, raw: Any) -> str:
    if not _FUNCTIONS[entry.kind](raw):
        return f"is {type(raw).__name__}"
    function = raw.__func__ if isinstance(raw, classmethod | staticmethod) else raw
    try:
        said = _parameters(function)
    except (TypeError, ValueError):
        said = "(?)"
    return "" if said == entry.details else f"has {said}"


def _parameters(function: FunctionType) -> str:
    """A signature as the listing writes it."""
    shown = []
    starred = False
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and not starred:
            shown.append("*")
            starred = True
        stars = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
        starred = starred or stars == "*"
        default = "" if parameter.default is parameter.empty else "=" + _default(parameter.default)
        shown.append(f"{stars}{parameter.name}{default}")
    return f"({', '.join(shown)})"


def _default(value: object) -> str:
    if value is None or isinstance(value, bool | int | float):
        return repr(value)
    return repr(value) if isinstance(value, str | bytes) and len(value) <= _SHOWN else "..."
