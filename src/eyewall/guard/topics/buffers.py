"""What waits for a subscriber that is slower than its topics: bounded, with a policy for what is too much."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Literal, NamedTuple

from eyewall.guard.profile import KIB
from eyewall.guard.topics.messages import Message

Policy = Literal["drop_oldest", "coalesce", "disconnect"]
_POLICIES = ("drop_oldest", "coalesce", "disconnect")


class Slow(NamedTuple):
    """What is done about a subscriber that is slow.

    Up to `messages` messages and `bytes` bytes are kept for it. Beyond that:

    - `drop_oldest`: it misses the oldest of them.
    - `coalesce`: as `drop_oldest`, and of several messages with the same key it gets only the last, also before there
      are too many.
    - `disconnect`: it is disconnected; a WebSocket with `code` and `reason`.
    """

    policy: Policy = "drop_oldest"
    messages: int = 64
    bytes: int = 256 * KIB
    #: 1013 is 'try again later'.
    code: int = 1013
    reason: str = "too slow"

    def checked(self) -> Slow:
        """Returns it. Raises ValueError for an unknown policy and for limits below 1."""
        if self.policy not in _POLICIES:
            raise ValueError(f"no such policy: {self.policy!r}; there are {', '.join(_POLICIES)}")
        if self.messages < 1 or self.bytes < 1:
            raise ValueError(f"a buffer keeps at least 1 message and 1 byte, not {self!r}")
        return self


#: What holds where nothing else is said.
SLOW = Slow()


class Buffer:
    """Messages in their order, within the limits of a `Slow`."""

    __slots__ = ("_coalesces", "_first", "_number", "_waiting", "bytes", "overflowed", "slow")

    def __init__(self, slow: Slow) -> None:
        self.slow = slow
        #: Bytes of the messages that count.
        self.bytes = 0
        #: More came than fits, and the policy is to disconnect. Nothing is kept any more.
        self.overflowed = False
        self._coalesces = slow.policy == "coalesce"
        # By topic and key where they coalesce, otherwise by a number. A dict is in the order of insertion.
        self._waiting: dict[object, Message] = {}
        self._number = 0
        # What a log keeps anyway is bounded there, and does not count here.
        self._first: deque[Message] | None = None

    def __len__(self) -> int:
        return len(self._waiting) + (len(self._first) if self._first is not None else 0)

    def replay(self, messages: Iterable[Message]) -> None:
        """Puts what a log has kept before everything else; it is exempt from the limits."""
        self._first = deque(messages) or None

    def push(self, message: Message) -> int:
        """Keeps one more message. Returns how many are missed for it, itself perhaps among them."""
        if self.overflowed:
            return 1
        missed = 0
        slot: object
        if self._coalesces and message.key is not None:
            slot = (message.topic, message.key)
            older = self._waiting.pop(slot, None)
            if older is not None:
                self.bytes -= older.size
                missed += 1
        else:
            slot = self._number = self._number + 1
        self._waiting[slot] = message
        self.bytes += message.size
        if len(self._waiting) <= self.slow.messages and self.bytes <= self.slow.bytes:
            return missed
        if self.slow.policy == "disconnect":
            missed += len(self)
            self.overflowed = True
            self.clear()
            return missed
        while len(self._waiting) > self.slow.messages or self.bytes > self.slow.bytes:
            self.bytes -= self._waiting.pop(next(iter(self._waiting))).size
            missed += 1
        return missed

    def pop(self) -> Message | None:
        """Returns the next message, None where there is none."""
        if self._first is not None:
            message = self._first.popleft()
            if not self._first:
                self._first = None
            return message
        if not self._waiting:
            return None
        message = self._waiting.pop(next(iter(self._waiting)))
        self.bytes -= message.size
        return message

    def clear(self) -> None:
        """Drops everything."""
        self._waiting.clear()
        self._first = None
        self.bytes = 0
