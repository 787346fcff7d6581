"""Counting connections."""

from __future__ import annotations

import pytest

from eyewall.base import probe
from eyewall.guard.inventory import inventory
from eyewall.guard.limits.admission import ConnectionLimit, network_of


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


@pytest.mark.parametrize(
    ("ip", "same"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:0:7::1", "2001:db8:0:7:ffff:ffff:ffff:ffff"),
        ("fe80::1%eth0", "fe80::2%eth1"),
        ("no address", "no address"),
        ("not:one", "not:one"),
    ],
)
def test_who_counts_as_one(ip: str, same: str) -> None:
    assert network_of(ip) == network_of(same)


@pytest.mark.parametrize(
    ("ip", "other"),
    [("192.0.2.1", "192.0.2.2"), ("2001:db8:0:7::1", "2001:db8:0:8::1"), ("::1", "::ffff:0:1")],
)
def test_who_does_not(ip: str, other: str) -> None:
    assert network_of(ip) != network_of(other)


def test_it_is_in_the_inventory() -> None:
    limit = ConnectionLimit(2, per_address=1, name="front door")
    assert inventory.find("connections", "front door") is limit
    assert limit.admit("a")
    assert not limit.admit("a")
    assert limit.admit("b")
    assert not limit.admit("c")
    assert limit.of("a") == 1
    assert limit.of("c") == 0
    assert limit.state() == {"total": 2, "per_address": 1, "open": 2, "addresses": 2}
    assert limit.counters() == {"admitted": 2, "refused": 2, "refused_address": 1}


def test_a_refusal_is_told() -> None:
    told: list[tuple[str, object]] = []
    detach = probe.limit_reached.attach(lambda name, subject: told.append((name, subject)))
    try:
        limit = ConnectionLimit(2, per_address=1)
        for address in "aabc":
            limit.admit(address)
    finally:
        detach()
    assert told == [("connections_per_address", "a"), ("connections", "c")]
