"""Values of variables as text: bounded, without secrets, and without harm from a `__repr__` that fails."""

from __future__ import annotations

import reprlib
from itertools import islice
from typing import Any

from eyewall.web.debugpage.hiding import HIDDEN, Hider, is_secret

#: Characters of one value.
LENGTH = 400
#: Characters of a representation that are looked at: a secret that begins behind them is not shown either.
_LOOKED_AT = 8 * LENGTH
_MOST_ITEMS = 15
_DEEPEST = 4


class Values(reprlib.Repr):
    """Represents values."""

    def __init__(self, hider: Hider) -> None:
        super().__init__()
        self._hider = hider
        self.maxlevel = _DEEPEST
        self.maxlist = self.maxtuple = self.maxset = self.maxfrozenset = self.maxdeque = self.maxarray = (
            _MOST_ITEMS
        )
        self.maxdict = _MOST_ITEMS
        self.maxlong = 80

    def show(self, name: str, value: Any) -> str:
        """Returns the value of what is called `name`, at most `LENGTH` characters and a mark that some are missing."""
        if is_secret(name):
            return HIDDEN
        try:
            text = self.repr(value)
        except Exception as error:  # noqa: BLE001 - whatever somebody's class raises
            text = _failed(value, error)
        return cut(text)

    def repr_str(self, value: str, level: int) -> str:
        """A text, of which the first part is shown."""
        return cut(repr(self._hider.text(value[:_LOOKED_AT])))

    def repr_bytes(self, value: bytes, level: int) -> str:
        """Bytes, likewise."""
        return cut("b" + repr(self._hider.text(value[:_LOOKED_AT].decode("latin-1"))))

    def repr_dict(self, value: dict[Any, Any], level: int) -> str:
        """A dictionary in its order, without the values of secret keys."""
        if level <= 0 and value:
            return "{...}"
        items = [
            f"{self.repr1(key, level - 1)}: {HIDDEN if is_secret(key) else self.repr1(each, level - 1)}"
            for key, each in islice(value.items(), _MOST_ITEMS)
        ]
        if len(value) > _MOST_ITEMS:
            items.append(f"... {len(value) - _MOST_ITEMS} more")
        return "{" + ", ".join(items) + "}"

    def repr_instance(self, value: Any, level: int) -> str:
        """Anything else, by its own `__repr__`."""
        try:
            text = repr(value)
            # A subclass of str may have methods of its own.
            return cut(self._hider.text(str.__str__(text)[:_LOOKED_AT]))
        except Exception as error:  # noqa: BLE001 - whatever somebody's class raises
            return _failed(value, error)


def cut(text: str, length: int = LENGTH) -> str:
    """Returns at most `length` characters of `text`, and a mark where some are missing."""
    return text if len(text) <= length else f"{text[:length]}… ({len(text) - length} more)"


def _failed(value: object, error: Exception) -> str:
    return f"<{type(value).__name__}, whose representation raised {type(error).__name__}>"
