"""How many connections are open at once, and whether one more is let in.

A limit counts; it closes nothing and knows no socket. Whoever was admitted releases exactly once.
"""

from __future__ import annotations

from collections.abc import Hashable


class ConnectionLimit:
    """Counts open connections, all together and by address. A limit of 0 is none.

    `total` is the most that may be open at once, `per_address` the most from one address. What an address is,
    is the caller's choice: an IP address, an IPv6 network; connections without one (None, as over a Unix
    socket) count only in total.
    """

    __slots__ = ("_by_address", "open", "per_address", "refused", "total")

    def __init__(self, total: int = 0, *, per_address: int = 0) -> None:
        if total < 0 or per_address < 0:
            raise ValueError(f"a limit must not be negative: total={total!r}, per_address={per_address!r}")
        #: The most that may be open at once; may be changed while running.
        self.total = total
        self.per_address = per_address
        #: How many are open now.
        self.open = 0
        #: How many were refused since the start.
        self.refused = 0
        self._by_address: dict[Hashable, int] = {}

    def admit(self, address: Hashable = None) -> bool:
        """Counts one more connection and returns True, or returns False when a limit is reached."""
        if 0 < self.total <= self.open:
            self.refused += 1
            return False
        if self.per_address and address is not None:
            count = self._by_address.get(address, 0)
            if count >= self.per_address:
                self.refused += 1
                return False
            self._by_address[address] = count + 1
        self.open += 1
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
