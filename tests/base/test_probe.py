from __future__ import annotations

import logging

import pytest

from eyewall.base import probe
from eyewall.base.probe import Slot


def fire(slot: Slot[...], *args: object) -> None:
    """As those who own the moment do it."""
    if slot.fire is not None:
        slot.fire(*args)


def test_nobody_listening_is_one_lookup() -> None:
    slot: Slot[[int]] = Slot("moment")
    before = slot.fire
    detach = slot.attach(lambda _: None)
    during = slot.fire
    detach()
    assert (before, slot.fire) == (None, None)
    assert during is not None


def test_listeners_are_called_in_order_with_what_is_passed() -> None:
    slot: Slot[[int]] = Slot("moment")
    seen: list[tuple[str, int]] = []
    slot.attach(lambda number: seen.append(("first", number)))
    slot.attach(lambda number: seen.append(("second", number)))
    fire(slot, 1)
    assert seen == [("first", 1), ("second", 1)]


def test_a_failing_listener_is_detached_and_logged_and_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    slot: Slot[[int]] = Slot("moment")
    seen: list[int] = []

    def failing(number: int) -> None:
        raise RuntimeError("my own fault")

    slot.attach(failing)
    slot.attach(seen.append)
    fire(slot, 1)
    fire(slot, 2)
    assert seen == [1, 2]
    assert failing not in slot.listeners
    assert [(record.name, record.levelno) for record in caplog.records] == [
        ("tornado.application", logging.ERROR)
    ]
    assert "moment" in caplog.text
    assert "my own fault" in caplog.text


def test_the_last_listener_that_fails_leaves_the_slot_free(caplog: pytest.LogCaptureFixture) -> None:
    slot: Slot[[]] = Slot("moment")
    slot.attach(lambda: 1 / 0)
    fire(slot)
    assert slot.fire is None
    assert "ZeroDivisionError" in caplog.text


def test_what_is_meant_to_end_the_program_is_not_caught() -> None:
    slot: Slot[[]] = Slot("moment")

    def interrupted() -> None:
        raise KeyboardInterrupt

    slot.attach(interrupted)
    with pytest.raises(KeyboardInterrupt):
        fire(slot)


def test_a_listener_may_detach_itself_and_attach_others_while_it_is_called() -> None:
    slot: Slot[[]] = Slot("moment")
    seen: list[str] = []

    def once() -> None:
        seen.append("once")
        slot.detach(once)
        slot.attach(lambda: seen.append("later"))

    slot.attach(once)
    slot.attach(lambda: seen.append("always"))
    fire(slot)
    assert seen == ["once", "always"]
    fire(slot)
    assert seen == ["once", "always", "always", "later"]


def test_attaching_twice_is_an_error_and_detaching_twice_is_not() -> None:
    slot: Slot[[]] = Slot("moment")

    def listener() -> None: ...

    detach = slot.attach(listener)
    with pytest.raises(ValueError, match="moment"):
        slot.attach(listener)
    detach()
    detach()
    assert slot.listeners == ()


def test_every_declared_slot_is_listed_under_its_name_and_free() -> None:
    declared = {name: value for name, value in vars(probe).items() if isinstance(value, Slot)}
    assert declared == probe.SLOTS
    assert all(slot.name == name and slot.fire is None for name, slot in declared.items())
