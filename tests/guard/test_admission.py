"""Counting connections."""

from __future__ import annotations

import pytest

from eyewall.guard.admission import ConnectionLimit


def test_admits_up_to_the_limit() -> None:
    limit = ConnectionLimit(2)
    assert limit.admit()
    assert not limit.full
    assert limit.admit()
    assert limit.full
    assert not limit.admit()
    assert (limit.open, limit.refused) == (2, 1)
    limit.release()
    assert limit.admit()


def test_zero_is_no_limit() -> None:
    limit = ConnectionLimit()
    assert all(limit.admit("a") for _ in range(1000))
    assert not limit.full
    assert limit.open == 1000


def test_per_address() -> None:
    limit = ConnectionLimit(5, per_address=2)
    assert limit.admit("a")
    assert limit.admit("a")
    assert not limit.admit("a")
    assert limit.admit("b")
    limit.release("a")
    assert limit.admit("a")
    assert limit.admit()
    assert limit.admit(None)
    assert not limit.admit("c")
    assert limit.open == 5


def test_addresses_are_forgotten() -> None:
    limit = ConnectionLimit(per_address=1)
    for number in range(100):
        assert limit.admit(number)
        limit.release(number)
    assert limit.open == 0
    assert limit._by_address == {}


def test_a_refused_connection_takes_no_room() -> None:
    limit = ConnectionLimit(1, per_address=5)
    assert limit.admit("a")
    for _ in range(10):
        assert not limit.admit("b")
    limit.release("a")
    assert limit.admit("b")


def test_releasing_too_much_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="not been admitted"):
        ConnectionLimit(1).release()


@pytest.mark.parametrize(("total", "per_address"), [(-1, 0), (0, -1)])
def test_negative_limits_are_refused(total: int, per_address: int) -> None:
    with pytest.raises(ValueError, match="negative"):
        ConnectionLimit(total, per_address=per_address)
