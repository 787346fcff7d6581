"""What of the guard is alive in this process: one list that whoever watches reads.

Each executor, breaker, pool, limit, room is an `Item` and enters itself here when it is made. The list holds it
weakly: being watched keeps nothing alive. The doctor, `/metrics`, the health checks and the dashboard read the list and
need no code for a kind that is new; what changes at once fires the probe slot `guard_event`.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from eyewall.base import probe
from eyewall.guard.histogram import Histogram

if TYPE_CHECKING:
    from eyewall.guard.verdict import Verdict

#: What a state is made of.
Value = str | int | float | bool | None


class Item:
    """Something of the guard with a kind, a name, and a state that can be asked for.

    Several may have the same name, one after the other or at once.
    """

    #: "executor", "breaker", "pool", …
    kind: ClassVar[str] = "item"

    def __init__(self, name: str) -> None:
        self.name = name
        inventory.enter(self)

    def state(self) -> Mapping[str, Value]:
        """Returns what holds now: settings and sizes, by name. Cheap, and from any thread."""
        return {}

    def counters(self) -> Mapping[str, int]:
        """Returns what has been counted since it was made, by name. None of these goes back."""
        return {}

    def histograms(self) -> Mapping[str, Histogram]:
        """Returns distributions, in seconds, by name."""
        return {}

    def health(self) -> Verdict | None:
        """Returns how it is, for reports of readiness; None where it has nothing to say. Cheap, and from any thread.

        A warning is shown; a failing item takes the whole process out of service until it fails no more, which is
        right for what makes every request fail or wait (an overload), and wrong for one dependency of many.
        """
        return None

    def tell(self, event: str, **details: object) -> None:
        """Tells whoever listens to `guard_event` that `event` has happened to it; `details` say more."""
        fire = probe.guard_event.fire
        if fire is not None:
            fire(self, event, details)

    def __repr__(self) -> str:
        stated = ", ".join(f"{name}={value!r}" for name, value in self.state().items())
        return f"<{type(self).__name__} {self.name!r}: {stated}>"


class Inventory:
    """The items that are alive, in the order in which they were made."""

    def __init__(self) -> None:
        self._items: dict[int, weakref.ref[Item]] = {}

    def enter(self, item: Item) -> None:
        """Adds an item, which leaves by itself when nobody else holds it."""
        key = id(item)
        reference = weakref.ref(item, lambda gone: self._drop(key, gone))
        self._items[key] = reference

    def _drop(self, key: int, gone: weakref.ref[Item]) -> None:
        # Called by the collector, at any moment, also within `items`: no lock. A new item may have the same id.
        if self._items.get(key) is gone:
            del self._items[key]

    def items(self, kind: str | None = None) -> list[Item]:
        """Returns the items, all or those of one kind."""
        # A copy by one call of C, which no other thread interrupts.
        found = [reference() for reference in list(self._items.values())]
        return [item for item in found if item is not None and (kind is None or item.kind == kind)]

    def find(self, kind: str, name: str) -> Item | None:
        """Returns the item of this kind and name that was made last, or None."""
        return next((item for item in reversed(self.items(kind)) if item.name == name), None)


#: The one of this process.
inventory = Inventory()
