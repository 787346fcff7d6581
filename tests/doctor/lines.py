"""The line that a finding should name."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from eyewall.doctor.places import Place


def line_of(function: Callable[..., Any], text: str) -> Place:
    """The only line of `function` with `text`, besides those that call this function."""
    lines, first = inspect.getsourcelines(function)
    [offset] = [number for number, line in enumerate(lines) if text in line and "line_of(" not in line]
    return Place(function.__code__.co_filename, first + offset, function.__qualname__)
