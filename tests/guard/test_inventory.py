"""The list of what the guard has in this process."""

from __future__ import annotations

import gc
from collections.abc import Mapping

from eyewall.base import probe
from eyewall.guard.inventory import Inventory, Item, Value, inventory


class Lamp(Item):
    kind = "lamp"

    def state(self) -> Mapping[str, Value]:
        return {"lit": True}


class Door(Item):
    kind = "door"


def test_items_are_listed_in_their_order_while_somebody_holds_them() -> None:
    first, second, door = Lamp("first"), Lamp("second"), Door("first")
    assert inventory.items("lamp") == [first, second]
    assert inventory.find("lamp", "first") is first
    assert inventory.find("door", "first") is door
    assert inventory.find("door", "second") is None
    assert {first, second, door} <= set(inventory.items())
    del first
    gc.collect()
    assert inventory.items("lamp") == [second]
    assert inventory.find("lamp", "first") is None


def test_the_item_made_last_is_the_one_that_a_name_means() -> None:
    older, newer = Lamp("same"), Lamp("same")
    assert inventory.find("lamp", "same") is newer
    assert older in inventory.items("lamp")


def test_an_item_that_goes_does_not_take_a_successor_along() -> None:
    # The second may get the place of the first in memory, and with it its id.
    own = Inventory()
    for _ in range(100):
        lamp = Lamp("again")
        own.enter(lamp)
        assert own.items() == [lamp]
    del lamp
    gc.collect()
    assert own.items() == []


def test_what_happens_is_told_to_whoever_listens() -> None:
    told: list[tuple[object, str, object]] = []
    lamp = Lamp("told")
    lamp.tell("nobody listens")
    detach = probe.guard_event.attach(lambda item, event, details: told.append((item, event, details)))
    try:
        lamp.tell("broken", since=3)
    finally:
        detach()
    lamp.tell("mended")
    assert told == [(lamp, "broken", {"since": 3})]


def test_an_item_shows_what_it_is() -> None:
    assert repr(Lamp("hall")) == "<Lamp 'hall': lit=True>"
    assert (Door("back").state(), Door("back").counters(), Door("back").histograms()) == ({}, {}, {})
