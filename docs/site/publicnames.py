"""What is public: the modules that say so with `__all__`, and the names that they list."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

import eyewall

#: The layers, in their order, that have a page of their own in the reference.
PACKAGES = ("base", "loop", "guard", "net", "http", "websocket", "client", "web", "testing", "doctor")
#: Modules with `__all__` that are for other modules of theirs.
INNER = {
    "eyewall.base.jsontext": "its names are those of `eyewall.base.escape`",
    "eyewall.http.dates": "what the driver needs of `email.utils`",
    "eyewall.http.h1.engine": "the engine's module re-exports its events for drivers",
}
#: Modules without `__all__` whose name is their interface.
NAMED = {
    "eyewall.loop.concurrent": (
        "ReturnValueIgnoredError",
        "chain_future",
        "dummy_executor",
        "future_add_done_callback",
        "future_set_exc_info",
        "future_set_exception_unless_cancelled",
        "future_set_result_unless_cancelled",
        "is_future",
        "run_on_executor",
    ),
    "eyewall.loop.process": ("cpu_count", "fork_processes", "task_id"),
    "eyewall.loop.autoreload": ("add_reload_hook", "main", "start", "wait", "watch"),
}
#: Names that Tornado's modules have, and that are nothing to be told of: optional modules of others.
UNTOLD = {"eyewall.base.log.colorama", "eyewall.base.log.curses"}


def public_modules(package: str) -> list[str]:
    """Returns `eyewall.PACKAGE`, and the modules below it that are public, too."""
    top = importlib.import_module(f"eyewall.{package}")
    found = [top.__name__]
    for each in pkgutil.walk_packages(top.__path__, f"{top.__name__}."):
        if each.name in NAMED or (each.name not in INNER and _says_what(each.name)):
            found.append(each.name)
    return found


def names_of(module: str) -> list[str]:
    """Returns the public names of a module, without those that the face of its package has as well."""
    if module in NAMED:
        names = list(NAMED[module])
    else:
        names = list(importlib.import_module(module).__all__)
    face = ".".join(module.split(".")[:2])
    if module != face:
        outside = importlib.import_module(face)
        here = importlib.import_module(module)
        names = [name for name in names if getattr(outside, name, _NOTHING) is not getattr(here, name)]
    return sorted((name for name in names if f"{module}.{name}" not in UNTOLD), key=str.lower)


def everything() -> list[str]:
    """Returns all public names, each with its module before it."""
    return [
        f"{module}.{name}"
        for package in PACKAGES
        for module in public_modules(package)
        for name in names_of(module)
    ]


_NOTHING = object()


def _says_what(name: str) -> bool:
    """Whether a module has `__all__`, as its source says: importing them all would load what is an extra."""
    path = eyewall.__path__[0] + "/" + name.removeprefix("eyewall.").replace(".", "/")
    for file in (f"{path}/__init__.py", f"{path}.py"):
        try:
            with open(file, encoding="utf-8") as source:
                return any(line.startswith("__all__") for line in source)
        except FileNotFoundError:
            continue
    return False


def module_of(name: str) -> ModuleType:
    """Returns the module of one of `everything()`."""
    return importlib.import_module(name.rpartition(".")[0])
