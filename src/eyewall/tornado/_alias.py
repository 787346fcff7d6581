"""`import tornado`, meaning `eyewall.tornado`.

A finder in front of `sys.meta_path` answers for `tornado` and what is in it. Both names stand for the same module
objects: what it finds is not loaded a second time but imported by its own name and entered under the other one, too.

What Eyewall does not have (`tornado.test`) comes from an installed Tornado, whose folder is searched without
importing the package. A public module never does: objects of the two do not mix.

There are three ways in, all of which end in `install`:

- `python -m eyewall.tornado` runs one program (`eyewall.tornado._program`);
- its children find `inherit/tornado.py`, whose folder is on the PYTHONPATH that they inherit, and beside it what
  `importlib.metadata` is to be told of `tornado`;
- `eyewall tornado on` writes a `.pth` file with a finder that calls `find_spec` here when `tornado` is first asked for.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from importlib import import_module
from importlib.abc import InspectLoader
from importlib.machinery import ModuleSpec, PathFinder
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any

from eyewall.loop.policy import install_policy

if TYPE_CHECKING:
    from importlib.metadata import Distribution, DistributionFinder

ALIAS = "tornado"
PACKAGE = "eyewall.tornado"

#: The folder that children of a program get on their PYTHONPATH.
INHERITED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "inherit")

#: Modules of `tornado.platform` that are public; those of `tornado` itself are the package's `__all__`.
_PUBLIC_PLATFORMS = ("asyncio", "caresresolver", "twisted")


class AliasError(ImportError):
    """`tornado` cannot come to mean Eyewall: the real one is in use already."""


def install() -> None:
    """Makes `tornado` mean `eyewall.tornado` in this process, and loops of a stock policy uvloop's.

    May be called again. Raises AliasError when another `tornado` has been imported before.
    """
    present = sys.modules.get(ALIAS)
    if present is not None and present is not sys.modules.get(PACKAGE):
        place = getattr(present, "__file__", None) or "an unknown place"
        raise AliasError(
            f"tornado cannot mean Eyewall any more: it is imported already, from {place}. "
            "The alias must come before the first import of tornado",
            name=ALIAS,
            path=getattr(present, "__file__", None),
        )
    if not any(isinstance(finder, TornadoFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, TornadoFinder())
        install_policy()


def find_spec(fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> Any:
    """Installs the alias and answers the question that it was installed for; for the `.pth` file."""
    install()
    return TornadoFinder().find_spec(fullname, path, target)


def find_distributions(context: DistributionFinder.Context) -> Iterable[Distribution]:
    """What `importlib.metadata` is told of a distribution named `tornado`; for the `.pth` file, too."""
    return TornadoFinder().find_distributions(context)


def installed(fullname: str = ALIAS) -> ModuleSpec | None:
    """Returns where the real `fullname` is, without importing it; None if nowhere."""
    path: Sequence[str] | None = [entry for entry in sys.path if not _is_inherited(entry)]
    name, spec = "", None
    for part in fullname.split("."):
        name = f"{name}.{part}" if name else part
        spec = PathFinder.find_spec(name, path) if path is not None else None
        path = spec.submodule_search_locations if spec is not None else None
    return spec


def _is_inherited(entry: str) -> bool:
    return os.path.isdir(INHERITED) and os.path.isdir(entry) and os.path.samefile(entry, INHERITED)


class TornadoFinder:
    """Finds `tornado` and its modules: ours, or for what we lack those of an installed Tornado."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Returns None, so that others are asked, for all other names, and within packages of the real one."""
        if fullname == ALIAS:
            return _alias_of(_own_spec(PACKAGE), fullname)
        parent, _, name = fullname.rpartition(".")
        if parent == PACKAGE or parent.startswith(PACKAGE + "."):
            # `from tornado import test` asks for it by the name that the package `tornado` has: ours.
            known_as = ALIAS + parent.removeprefix(PACKAGE)
            if _own_spec(fullname) is None and not _is_public(known_as, name):
                return _alias_of(installed(f"{known_as}.{name}"), fullname)
            return None
        if not _is_ours(sys.modules.get(parent), parent):
            return None
        own = _own_spec(PACKAGE + fullname.removeprefix(ALIAS))
        if own is not None:
            return _alias_of(own, fullname)
        return None if _is_public(parent, name) else installed(fullname)

    def find_distributions(self, context: DistributionFinder.Context) -> Iterable[Distribution]:
        """Yields the distribution that says which Tornado this is, if asked for it by name."""
        if (context.name or "").lower() != ALIAS:
            return ()
        # Whoever asks has loaded it.
        from importlib.metadata import DistributionFinder, MetadataPathFinder

        return MetadataPathFinder.find_distributions(DistributionFinder.Context(name=ALIAS, path=[INHERITED]))


class _AliasLoader(InspectLoader):
    """Enters a module that has a name of its own under another one."""

    def __init__(self, own: ModuleSpec) -> None:
        self._own = own

    def exec_module(self, module: ModuleType) -> None:
        """Puts the real module into the place of `module`, which import takes it from."""
        assert module.__spec__ is not None
        sys.modules[module.__spec__.name] = import_module(self._own.name)

    # For `python -m`, which runs the code of a module under yet another name.

    def get_code(self, fullname: str) -> CodeType | None:
        return self._inspected().get_code(self._own.name)

    def get_source(self, fullname: str) -> str | None:
        return self._inspected().get_source(self._own.name)

    def is_package(self, fullname: str) -> bool:
        return self._own.submodule_search_locations is not None

    def _inspected(self) -> InspectLoader:
        loader: Any = self._own.loader
        if not hasattr(loader, "get_code"):
            raise ImportError(f"the code of {self._own.name} cannot be had", name=self._own.name)
        inspected: InspectLoader = loader
        return inspected


def _own_spec(fullname: str) -> ModuleSpec | None:
    """Returns the spec of a module of Eyewall, found where it stands and not by way of this finder."""
    parent = fullname.rpartition(".")[0]
    if fullname == PACKAGE:
        return import_module(PACKAGE).__spec__
    return PathFinder.find_spec(fullname, import_module(parent).__path__)


def _alias_of(own: ModuleSpec | None, fullname: str) -> ModuleSpec | None:
    if own is None:
        return None
    spec = ModuleSpec(fullname, _AliasLoader(own), origin=own.origin)
    spec.submodule_search_locations = own.submodule_search_locations
    spec.cached = own.cached
    spec.has_location = own.has_location
    return spec


def _is_ours(module: ModuleType | None, name: str) -> bool:
    """Whether `module`, which is known as `name`, is Eyewall's."""
    if not (name == ALIAS or name.startswith(ALIAS + ".")):
        return False
    return module is not None and module is sys.modules.get(PACKAGE + name.removeprefix(ALIAS))


def _is_public(parent: str, name: str) -> bool:
    if parent == ALIAS:
        return name in sys.modules[PACKAGE].__all__
    return parent == f"{ALIAS}.platform" and name in _PUBLIC_PLATFORMS
