"""The arguments of the guard's public names that have a number, a string or a choice as their default, in one table."""

from __future__ import annotations

import enum
import inspect

from .publicnames import module_of, names_of

MODULES = ("eyewall.guard", "eyewall.guard.executors")


def reference() -> str:
    """Returns Markdown with a row for each name that has such arguments."""
    rows = []
    for module in MODULES:
        for name in names_of(module):
            found = defaults(getattr(module_of(f"{module}.{name}"), name))
            if found:
                told = ", ".join(f"`{argument}={shown}`" for argument, shown in found.items())
                rows.append(f"| {{py:obj}}`{name} <{module}.{name}>` | {told} |")
    head = "## Defaults of the guard's arguments\n\n| Name | Arguments |\n| --- | --- |"
    return head + "\n" + "\n".join(rows) + "\n"


def defaults(value: object) -> dict[str, str]:
    """Returns the arguments that bound something, with their defaults as a program writes them."""
    if not (inspect.isclass(value) or inspect.isfunction(value)):
        return {}
    if inspect.isclass(value) and (issubclass(value, BaseException) or value.__name__ == "Profile"):
        return {}
    try:
        parameters = inspect.signature(value).parameters
    except ValueError:
        return {}
    found = {}
    for name, parameter in parameters.items():
        default = parameter.default
        if isinstance(default, enum.Enum):
            found[name] = str(default)
        elif isinstance(default, (int, float, str)) and default != "" and not name.startswith("_"):
            found[name] = repr(default)
    return found
