"""What the parts of a handler need of each other, as types.

A mixin of this layer stands below `handler.py` and knows only these protocols; the handler puts them
together.
"""

from __future__ import annotations

from typing import Any, Protocol


class ApplicationView(Protocol):
    """The part of `Application` that handlers' mixins read."""

    @property
    def settings(self) -> dict[str, Any]: ...
