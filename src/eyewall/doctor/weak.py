"""Weak references of the doctor's own, which can be told from those of the program.

Whoever has a weak reference to something can use it, so that `waits.reach` counts it as somebody. These are nobody's.
"""

from __future__ import annotations

import weakref
from typing import Any


class Weak(weakref.ref[Any]):
    """The weak references of the doctor, which give nobody a way to complete anything."""

    __slots__ = ()
