"""The code of the functions that modules define, without running anything of theirs."""

from __future__ import annotations

import dis
import sys
from collections.abc import Iterable, Iterator
from types import CodeType, FunctionType, ModuleType

from eyewall.doctor.places import is_own_file


def codes_of(module: ModuleType) -> Iterator[CodeType]:
    """Returns the code of all functions of `module`, also of those in its classes, and within others."""
    return _codes(vars(module).values(), module.__name__)


def codes_of_application(most: int) -> Iterator[CodeType]:
    """Returns the code of all functions in modules of the application, each once, and no more than `most`."""
    seen: set[CodeType] = set()
    for module in own_modules():
        for code in codes_of(module):
            # Also what it has imported is in a module.
            if code.co_filename != module.__file__ or code in seen:
                continue
            if len(seen) >= most:
                return
            seen.add(code)
            yield code


def own_modules() -> Iterator[ModuleType]:
    """Returns the modules of the application that have files."""
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if isinstance(module, ModuleType) and isinstance(file, str) and file and is_own_file(file):
            yield module


def with_inner(code: CodeType) -> Iterator[CodeType]:
    """Returns the code of a function, and of those that it makes."""
    yield code
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield from with_inner(each)


def lines_that_name(code: CodeType, name: str) -> Iterator[int]:
    """Returns the lines of `code` itself that name something, as often as they do; not those that define it."""
    if name in code.co_names:
        for each in dis.get_instructions(code):
            if each.argval != name or each.opcode not in dis.hasname or each.opname.startswith("STORE"):
                continue
            if each.positions is not None and each.positions.lineno is not None:
                yield each.positions.lineno


def _codes(values: Iterable[object], module: str) -> Iterator[CodeType]:
    for value in list(values):
        if isinstance(value, type) and value.__module__ == module:
            yield from _codes(vars(value).values(), module)
            continue
        function = getattr(value, "__func__", None) or getattr(value, "fget", None) or value
        while isinstance(function, FunctionType):
            yield from with_inner(function.__code__)
            function = function.__dict__.get("__wrapped__")
