"""What handlers and settings state of the time that requests have; what becomes of it is `web.timing`'s.

Every handler class is looked at, and few state anything.
"""

from __future__ import annotations

import math
from typing import Any

from eyewall.guard.deadlines.deadline import MARK


def checked_seconds(value: Any, what: str) -> float | None:
    """Returns a time that a program has stated, None for none. Raises ValueError for what is none."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0.0 or math.isinf(value):
        raise ValueError(f"{what} is a number of seconds, 0 for no deadline, not {value!r}")
    return float(value)


def limits_of(handler_class: Any) -> dict[str, float] | None:
    """Returns the times that a handler's class states: by method, and below "" for the others; None for nothing.

    Raises ValueError for a time that is none.
    """
    limits: dict[str, float] = {}
    for method in handler_class.SUPPORTED_METHODS:
        seconds = getattr(getattr(handler_class, method.lower(), None), MARK, None)
        if seconds is not None:
            limits[method] = seconds
    own = checked_seconds(handler_class.REQUEST_TIMEOUT, f"REQUEST_TIMEOUT of {handler_class.__name__}")
    if own is not None:
        limits[""] = own
    return limits or None
