"""The code of the functions that modules define, without running anything of theirs."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from types import CodeType, FunctionType, ModuleType

from eyewall.doctor.places import Place, is_own


def codes_of(module: ModuleType) -> Iterator[CodeType]:
    """Returns the code of all functions of `module`, also of those in its classes, and within others."""
    return _codes(vars(module).values(), module.__name__)


def codes_of_application(most: int) -> Iterator[CodeType]:
    """Returns the code of all functions in modules of the application, each once, and no more than `most`."""
    seen: set[CodeType] = set()
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if not isinstance(module, ModuleType) or not file or not is_own(Place(file, 0, "")):
            continue
        for code in codes_of(module):
            # Also what it has imported is in a module.
            if code.co_filename != file or code in seen:
                continue
            if len(seen) >= most:
                return
            seen.add(code)
            yield code


def _codes(values: Iterable[object], module: str) -> Iterator[CodeType]:
    for value in list(values):
        if isinstance(value, type) and value.__module__ == module:
            yield from _codes(vars(value).values(), module)
            continue
        function = getattr(value, "__func__", None) or getattr(value, "fget", None) or value
        while isinstance(function, FunctionType):
            yield from _nested(function.__code__)
            function = function.__dict__.get("__wrapped__")


def _nested(code: CodeType) -> Iterator[CodeType]:
    yield code
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield from _nested(each)
