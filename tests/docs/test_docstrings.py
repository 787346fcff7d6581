"""A docstring names what a caller can pass and what is raised: every parameter, and Eyewall's own errors.

All of it is read from the source, which a compiled build has, too: definitions, their docstrings, `raise` statements. A
parameter is named where the word stands in the docstring of its function or of its class (for a constructor also as a
field with a comment), or where that refers, by a name between backticks, to another function which has a parameter of
that name and names it. An error is named where its name, or that of a base, stands in the docstring of the function or
of its class.
"""

from __future__ import annotations

import ast
import functools
import inspect
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from docs.site.publicnames import PACKAGES, module_of, names_of, public_modules
from docs.site.reference import members_of

from eyewall.base.errors import EyewallError

from .pages import ROOT

pytestmark = pytest.mark.one_build

#: Parameters that need no words.
OBVIOUS = {"self", "cls"}
#: What an error is, besides a name of its own.
COMMON = {"EyewallError", "Exception", "BaseException", "object"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass
class Told:
    """A function, method or constructor of the reference, and what is said of it."""

    name: str
    module: str
    node: Function
    #: Its docstring and that of its class.
    text: str
    is_method: bool

    def parameters(self) -> Iterator[str]:
        given = self.node.args
        for each in (*given.posonlyargs, *given.args, *given.kwonlyargs):
            if each.arg not in OBVIOUS and not each.arg.startswith("_"):
                yield each.arg

    def says(self, word: str) -> bool:
        return re.search(rf"\b{word}\b", self.text) is not None

    def names(self, parameter: str, seen: frozenset[str] = frozenset()) -> bool:
        """Whether it has the parameter, and says something of it, or refers to what does."""
        if parameter not in self.parameters() or self.name in seen:
            return False
        return self.says(parameter) or any(
            other.names(parameter, seen | {self.name}) for other in self.referred()
        )

    def referred(self) -> Iterator[Told]:
        owner = self.name.rpartition(".")[0]
        for reference in re.findall(r"`([A-Za-z_.]+)`", self.text):
            known = by_end().get(reference, [])
            # A bare name is that of a method of the same class, before others.
            near = [each for each in known if each.name.rpartition(".")[0] == owner]
            yield from near or [each for each in known if "." in reference or not each.is_method]

    def unnamed(self) -> list[str]:
        return [name for name in self.parameters() if not self.names(name)]

    def untold_errors(self) -> list[str]:
        found = []
        for kind in _raised(self.node, vars(sys.modules[self.module])):
            if not any(self.says(base.__name__) for base in kind.__mro__ if base.__name__ not in COMMON):
                found.append(kind.__name__)
        return found


@functools.cache
def _tree(module: str) -> ast.Module:
    path = ROOT.joinpath("src", *module.split("."))
    source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(source.read_text("utf-8"))


@functools.cache
def _source(module: str) -> list[str]:
    path = ROOT.joinpath("src", *module.split("."))
    source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return source.read_text("utf-8").splitlines()


def _definition(module: str, name: str) -> ast.ClassDef | Function | None:
    """The last definition of a dotted name in a module: those before it are its overloads."""
    body: list[ast.stmt] = _tree(module).body
    found: ast.ClassDef | Function | None = None
    for part in name.split("."):
        found = None
        for each in _statements(body):
            if isinstance(each, ast.ClassDef | Function) and each.name == part:
                found = each
        if found is None:
            return None
        body = found.body
    return found


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for each in body:
        yield each
        if isinstance(each, ast.If | ast.Try):
            yield from _statements(each.body)
            yield from _statements(each.orelse)


def _raised(node: Function, names: dict[str, object]) -> Iterator[type[EyewallError]]:
    """Which errors of Eyewall's the statements of a function raise, without those of functions within it."""
    waiting: list[ast.AST] = list(node.body)
    while waiting:
        each = waiting.pop()
        if isinstance(each, ast.Raise) and each.exc is not None:
            called = each.exc.func if isinstance(each.exc, ast.Call) else each.exc
            value = names.get(called.id) if isinstance(called, ast.Name) else None
            if inspect.isclass(value) and issubclass(value, EyewallError):
                yield value
        if not isinstance(each, ast.Lambda | ast.ClassDef | Function):
            waiting += ast.iter_child_nodes(each)


def _fields(module: str, node: ast.ClassDef) -> str:
    """The names of the fields of a class that have a comment."""
    lines = _source(module)
    return " ".join(
        each.target.id
        for each in node.body
        if isinstance(each, ast.AnnAssign)
        and isinstance(each.target, ast.Name)
        and ("#:" in lines[each.lineno - 1] or lines[each.lineno - 2].strip().startswith("#:"))
    )


@functools.cache
def told(package: str) -> list[Told]:
    return list(_told(package))


@functools.cache
def by_end() -> dict[str, list[Told]]:
    """Functions by what they may be referred to as: `name`, `Class.name`, `module.name`; constructors as `Class`."""
    found: dict[str, list[Told]] = {}
    for each in (each for package in PACKAGES for each in told(package)):
        parts = each.name.removesuffix(".__init__").split(".")
        for start in range(len(parts)):
            found.setdefault(".".join(parts[start:]), []).append(each)
    return found


def _told(package: str) -> Iterator[Told]:
    for module in public_modules(package):
        for name in names_of(module):
            value = getattr(module_of(f"{module}.{name}"), name)
            full = f"{module}.{name}"
            if inspect.isclass(value):
                yield from _of_class(full, value)
            elif inspect.isroutine(value):
                node = _definition(value.__module__, value.__qualname__)
                if isinstance(node, Function):
                    yield Told(full, value.__module__, node, ast.get_docstring(node) or "", False)


def _of_class(full: str, kind: type) -> Iterator[Told]:
    members = {"__init__", "__cinit__", *members_of(kind)}
    for base in kind.__mro__:
        node = (
            _definition(base.__module__, base.__qualname__)
            if base.__module__.startswith("eyewall.")
            else None
        )
        if not isinstance(node, ast.ClassDef):
            continue
        about = f"{ast.get_docstring(node) or ''} {_fields(base.__module__, node)}"
        for each in node.body:
            if isinstance(each, Function) and each.name in members and not _is_overload(each):
                members.discard(each.name)
                # The site shows what a class says of its constructor, and no docstring of the constructor.
                own = inspect.getdoc(kind) if each.name == "__init__" else ast.get_docstring(each)
                text = f"{about}\n{own or ''}"
                yield Told(f"{full}.{each.name}", base.__module__, each, text, each.name != "__init__")


def _is_overload(node: Function) -> bool:
    return any(isinstance(each, ast.Name) and each.id == "overload" for each in node.decorator_list)


@pytest.mark.parametrize("package", PACKAGES)
def test_parameters_are_named(package: str) -> None:
    missing = [f"{each.name}: {', '.join(each.unnamed())}" for each in told(package) if each.unnamed()]
    assert not missing, "\n".join(missing)


@pytest.mark.parametrize("package", PACKAGES)
def test_errors_are_named(package: str) -> None:
    missing = [
        f"{each.name}: {', '.join(each.untold_errors())}" for each in told(package) if each.untold_errors()
    ]
    assert not missing, "\n".join(missing)


def _written(source: str) -> Told:
    (node,) = ast.parse(source).body
    assert isinstance(node, Function)
    return Told("eyewall.net.f", "eyewall.net.basestream", node, ast.get_docstring(node) or "", False)


def test_what_is_missing_is_found() -> None:
    assert _written("def f(self, host, *args, port=0):\n    'Connects to `host`.'").unnamed() == ["port"]
    assert not _written("def f(backlog, mode):\n    'See `bind_unix_socket`.'").unnamed()
    assert _written("def f(depth):\n    'See `bind_unix_socket`.'").unnamed() == ["depth"]
    silent = _written("def f():\n    'Reads.'\n    if x:\n        raise StreamClosedError()")
    assert silent.untold_errors() == ["StreamClosedError"]
    assert not _written(
        "def f():\n    'Raises StreamClosedError.'\n    raise StreamClosedError"
    ).untold_errors()
