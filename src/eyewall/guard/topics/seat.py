"""Subscribers that messages are pushed to, and groups of them.

A `Seat` takes messages while its subscriber keeps up. When one write says that it is enough, the seat is behind: what
comes then goes into its buffer, until the subscriber says that it can take more (`catch_up`). A `Group` is the seats of
one kind in one topic; a kind that can send one message to many at once overrides `deliver`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

from eyewall.guard.topics.buffers import Buffer, Slow
from eyewall.guard.topics.messages import Message, MessageId


class Tally(NamedTuple):
    """What became of a message, in subscribers."""

    #: Sent to, or kept for.
    reached: int = 0
    #: Messages that subscribers have missed by it.
    dropped: int = 0
    #: Disconnected by it.
    ended: int = 0


class Seat(ABC):
    """One subscriber. What it is for must hold it; it holds that weakly."""

    __slots__ = ("__weakref__", "after", "behind", "buffer", "over", "who")

    def __init__(self, slow: Slow, who: str | None = None) -> None:
        self.buffer = Buffer(slow.checked())
        self.who = who
        #: It waits until its subscriber can take more.
        self.behind = False
        #: Nothing is sent to it any more.
        self.over = False
        #: Messages up to this one it has had already, from another process.
        self.after: MessageId | None = None

    @abstractmethod
    def alive(self) -> bool:
        """Whether there is still a subscriber."""

    @abstractmethod
    def write(self, message: Message) -> bool:
        """Sends a message; returns whether another one may follow at once."""

    @abstractmethod
    def wait(self) -> None:
        """Has `catch_up` called as soon as another message may follow."""

    @abstractmethod
    def overflow(self) -> None:
        """Disconnects the subscriber: it was too slow."""

    def offer(self, message: Message) -> int:
        """Sends a message, or keeps it; returns how many the subscriber misses for it."""
        if self.over or not self.wants(message):
            return 0
        if self.behind:
            return self.keep(message)
        self._write(message)
        return 0

    def wants(self, message: Message) -> bool:
        """Whether it has not had this message already."""
        if self.after is not None and message.id is not None:
            if message.id <= self.after:
                return False
            self.after = None
        return True

    def keep(self, message: Message) -> int:
        """Keeps a message for later; returns how many the subscriber misses for it."""
        if not self.behind:
            self.behind = True
            self.wait()
        missed = self.buffer.push(message)
        if self.buffer.overflowed and not self.over:
            self.over = True
            self.overflow()
        return missed

    def catch_up(self) -> None:
        """The subscriber can take more."""
        while not self.over:
            message = self.buffer.pop()
            if message is None:
                self.behind = False
                return
            if not self.write(message):
                self.wait()
                return

    def end(self) -> None:
        """The subscriber is gone."""
        self.over = True
        self.buffer.clear()

    def _write(self, message: Message) -> None:
        if not self.write(message):
            self.behind = True
            self.wait()


class Group:
    """The seats of one kind in a topic."""

    __slots__ = ("seats",)

    def __init__(self) -> None:
        # In the order in which they came. A dict and not a set: it looks the same in every run.
        self.seats: dict[Seat, None] = {}

    def __len__(self) -> int:
        return len(self.seats)

    def add(self, seat: Seat) -> None:
        """Adds a seat."""
        self.seats[seat] = None

    def discard(self, seat: Seat) -> None:
        """Removes a seat; one that is not here is no error."""
        self.seats.pop(seat, None)

    def deliver(self, message: Message) -> Tally:
        """Offers a message to all seats but those it is not for."""
        reached = dropped = ended = 0
        for seat in self.present():
            if message.but is not None and seat.who == message.but:
                continue
            dropped += seat.offer(message)
            if seat.buffer.overflowed:
                ended += 1
                self.discard(seat)
            else:
                reached += 1
        return Tally(reached, dropped, ended)

    def gap(self, message: Message) -> Tally:
        """Tells those who can be told that something may be missing: `message` says so."""
        return self.deliver(message)

    def present(self) -> list[Seat]:
        """Returns the seats whose subscriber is there, and removes the others."""
        seats = list(self.seats)
        for seat in seats:
            if seat.over or not seat.alive():
                self.discard(seat)
        return seats if len(seats) == len(self.seats) else list(self.seats)

    @property
    def behind(self) -> int:
        """How many are behind."""
        return sum(seat.behind for seat in list(self.seats))

    @property
    def lag(self) -> int:
        """How many messages the slowest is behind."""
        return max((len(seat.buffer) for seat in list(self.seats)), default=0)
