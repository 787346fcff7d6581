"""How many connections are open at once, and whether one more is let in.

A limit counts; it closes nothing and knows no socket. Whoever was admitted releases exactly once.
"""

from __future__ import annotations

import socket
from collections.abc import Hashable, Mapping
from typing import ClassVar

from eyewall.base import probe
from eyewall.guard.inventory import Item, Value

#: Bits of an IPv6 address that say who somebody is: a /64 is the least that a network gets, and everybody in it can
#: have as many addresses as he likes (RFC 6177).
IPV6_PREFIX = 64

_MAPPED = b"\0" * 10 + b"\xff\xff"


def network_of(ip: str) -> Hashable:
    """Returns what to count a client at the address `ip` by: an IPv4 address, or the /64 network of an IPv6 one.

    An IPv4 address that is written as an IPv6 one (`::ffff:192.0.2.1`) counts as what it is. Text that is no IPv6
    address is returned as it is.
    """
    if ":" not in ip:
        return ip
    try:
        packed = socket.inet_pton(socket.AF_INET6, ip.partition("%")[0])
    except OSError:
        return ip
    if packed.startswith(_MAPPED):
        return socket.inet_ntop(socket.AF_INET, packed[12:])
    return packed[: IPV6_PREFIX // 8]


class ConnectionLimit(Item):
    """Counts open connections, all together and by address. A limit of 0 is none.

    `name` is what the inventory calls it. `total` is the most that may be open at once, `per_address` the most
    from one address. What an address is, is the caller's choice (see `network_of`); connections without one
    (None, as over a Unix socket) count only in total. Both may be changed while it runs: what is open stays.
    """

    kind: ClassVar[str] = "connections"

    def __init__(self, total: int = 0, *, per_address: int = 0, name: str = "connections") -> None:
        if total < 0 or per_address < 0:
            raise ValueError(f"a limit must not be negative: total={total!r}, per_address={per_address!r}")
        super().__init__(name)
        #: The most that may be open at once.
        self.total = total
        self.per_address = per_address
        #: How many are open now.
        self.open = 0
        #: How many were admitted and refused since the start; of these, for the sake of their address.
        self.admitted = 0
        self.refused = 0
        self.refused_address = 0
        self._by_address: dict[Hashable, int] = {}

    def admit(self, address: Hashable = None) -> bool:
        """Counts one more connection and returns True, or returns False when a limit is reached."""
        if 0 < self.total <= self.open:
            self._refuse("connections", address)
            return False
        if self.per_address and address is not None:
            count = self._by_address.get(address, 0)
            if count >= self.per_address:
                self.refused_address += 1
                self._refuse("connections_per_address", address)
                return False
            self._by_address[address] = count + 1
        self.open += 1
        self.admitted += 1
        return True

    def release(self, address: Hashable = None) -> None:
        """A connection that was admitted, with the same `address`, is closed.

        Raises RuntimeError when nothing is left to release: somebody released twice.
        """
        if self.open == 0:
            raise RuntimeError("a connection was released that had not been admitted")
        self.open -= 1
        if address is not None and address in self._by_address:
            count = self._by_address[address] - 1
            if count:
                self._by_address[address] = count
            else:
                del self._by_address[address]

    @property
    def full(self) -> bool:
        """Whether `total` is reached."""
        return 0 < self.total <= self.open

    def of(self, address: Hashable) -> int:
        """Returns how many connections `address` has; 0 where nobody counts by address."""
        return self._by_address.get(address, 0)

    def _refuse(self, limit: str, address: Hashable) -> None:
        self.refused += 1
        fire = probe.limit_reached.fire
        if fire is not None:
            fire(limit, address)

    def state(self) -> Mapping[str, Value]:
        """Returns the limits, and what is open."""
        return {
            "total": self.total,
            "per_address": self.per_address,
            "open": self.open,
            "addresses": len(self._by_address),
        }

    def counters(self) -> Mapping[str, int]:
        """Returns what was admitted and refused."""
        return {
            "admitted": self.admitted,
            "refused": self.refused,
            "refused_address": self.refused_address,
        }
