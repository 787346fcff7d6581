"""Package faces that load what is asked for.

A face re-exports the public names of a layer. Loading all of them would cost a small program the start-up time and
memory of everything it does not use, so a face imports a name's module when the name is first read (PEP 562). For
type checkers the same names are imported under `TYPE_CHECKING`; a test holds the two lists together.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazy_face(package: str, names: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Returns `__getattr__` and `__dir__` for the module `package`.

    `names`: from each public name to the module, below `package`, that defines it. A name that is read is kept in
    the package's namespace.
    """

    def load(name: str) -> Any:
        module = names.get(name)
        if module is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(f"{package}.{module}"), name)
        setattr(sys.modules[package], name, value)
        return value

    def listing() -> list[str]:
        return sorted({*names, *vars(sys.modules[package])})

    return load, listing
