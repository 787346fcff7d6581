"""The reference of a package: autodoc's directives for every public name, with the members that are worth telling.

autodoc alone would either leave out what a class inherits from bases that are nobody's business (compiled ones, for
the most part), or repeat with each handler all that a handler has. So the members are chosen here: those of a class and
of its bases, up to the first one that is public itself, or not Eyewall's. Constants have their comment (`#:`) for text.
"""

from __future__ import annotations

import enum
import functools
import importlib
import inspect
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import TypeGuard

from sphinx.pycode import ModuleAnalyzer

import eyewall

from .publicnames import PACKAGES, module_of, names_of, public_modules

_NOTHING = object()
#: Special methods that a program calls by an operator or a statement, where they say what they do.
_SPECIAL = ("__call__", "__aenter__", "__enter__", "__aiter__", "__getitem__", "__setitem__", "__contains__")


def reference(package: str) -> str:
    """Returns the text, as reStructuredText within MyST, of all public names of `eyewall.PACKAGE`."""
    parts: list[str] = []
    for module in public_modules(package):
        names = names_of(module)
        if not names:
            continue
        about = (inspect.getdoc(importlib.import_module(module)) or "").partition("\n\n")[0]
        parts.append(f"## `{module}`\n\n{about}\n")
        parts += [f"### {name}\n\n```{{eval-rst}}\n{_entry(module, name)}```\n" for name in names]
    return "\n".join(parts)


def real_names() -> dict[str, str]:
    """Returns the public name of each class and function, by its name in the module that defines it."""
    found: dict[str, str] = {}
    for package in PACKAGES:
        for module in public_modules(package):
            for name in names_of(module):
                value = getattr(module_of(f"{module}.{name}"), name)
                if inspect.isclass(value) or inspect.isroutine(value):
                    found.setdefault(f"{value.__module__}.{value.__qualname__}", f"{module}.{name}")
    return found


def docstring_of(name: str) -> str:
    """Returns what a public name says of itself: its docstring, or the comment of a constant."""
    module, _, own = name.rpartition(".")
    value = getattr(module_of(name), own)
    if _is_ours(value) or inspect.isroutine(value):
        return inspect.getdoc(value) or ""
    comment = _comment(module, own)
    if not comment and inspect.isclass(value):
        return f"The same as `{value.__module__}.{value.__qualname__}`."
    return comment


def members_of(kind: type) -> list[str]:
    """Returns the members of a class that are told with it; see the head of this file."""
    public = _public_classes()
    found: dict[str, None] = {}
    for base in kind.__mro__:
        if base is not kind and (base in public or not base.__module__.startswith("eyewall")):
            break
        comments = _comments(base.__module__)
        names = [*vars(base), *(name for owner, name in comments if owner == base.__qualname__)]
        for name in names:
            if name.startswith("_") and name not in _SPECIAL:
                continue
            if (base.__qualname__, name) in comments or _says(base, name):
                found[name] = None
    return sorted(found, key=lambda name: (name.startswith("_"), name.lower()))


def _entry(module: str, name: str) -> str:
    value = getattr(module_of(f"{module}.{name}"), name)
    full = f"{module}.{name}"
    if _is_ours(value) and value.__name__ == name:
        lines = [f".. auto{'exception' if issubclass(value, BaseException) else 'class'}:: {full}"]
        if members := members_of(value):
            lines.append(f"   :members: {', '.join(members)}")
            lines.append("   :member-order: alphabetical" if not issubclass(value, enum.Enum) else "")
        special = [each for each in members if each.startswith("_")]
        if special:
            lines.append(f"   :special-members: {', '.join(special)}")
        return "\n".join(line for line in lines if line) + "\n"
    if inspect.isroutine(value):
        return f".. autofunction:: {full}\n"
    text = docstring_of(full)
    return f".. py:data:: {full}\n\n{textwrap.indent(text, '   ')}\n"


def _says(base: type, name: str) -> bool:
    value = vars(base).get(name)
    if isinstance(value, (staticmethod, classmethod)):
        value = value.__func__
    told = inspect.isroutine(value) or isinstance(value, property) or inspect.isdatadescriptor(value)
    return told and bool(getattr(value, "__doc__", None))


def _is_ours(value: object) -> TypeGuard[type]:
    """Whether it is a class of Eyewall's, not another name for one of Python's."""
    return inspect.isclass(value) and value.__module__.startswith("eyewall")


_classes: set[type] = set()


def _public_classes() -> set[type]:
    if not _classes:
        for package in PACKAGES:
            for module in public_modules(package):
                for name in names_of(module):
                    value = getattr(module_of(f"{module}.{name}"), name)
                    if inspect.isclass(value):
                        _classes.add(value)
    return _classes


def _comment(module: str, name: str) -> str:
    """The comment `#:` of a constant, where it is defined."""
    for each in _origins(module, name):
        comment = _comments(each).get(("", name))
        if comment:
            return "\n".join(comment)
    return ""


def _origins(module: str, name: str) -> Iterator[str]:
    value = getattr(sys.modules[module], name)
    yield module
    listed = getattr(sys.modules[module], "_NAMES", {})
    if name in listed:
        yield f"{module}.{listed[name]}"
    # Faces that import by hand.
    for other in list(sys.modules):
        if other.startswith("eyewall.") and vars(sys.modules[other]).get(name, _NOTHING) is value:
            yield other


@functools.cache
def _comments(module: str) -> dict[tuple[str, str], list[str]]:
    # From its source, which compiled modules have beside them.
    path = Path(eyewall.__path__[0], *module.split(".")[1:])
    for source in (path / "__init__.py", path.with_suffix(".py")):
        if source.is_file():
            return ModuleAnalyzer.for_string(source.read_text("utf-8"), module).find_attr_docs()
    return {}
