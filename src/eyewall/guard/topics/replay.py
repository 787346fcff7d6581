"""The last messages of a topic, for subscribers that come back and say which one they saw last."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection
from typing import NamedTuple

from eyewall.guard.profile import KIB
from eyewall.guard.topics.messages import Message, MessageId


class Replay(NamedTuple):
    """How much of a topic is kept: so many messages, so many bytes, for so many seconds, whichever is less.

    Bytes are those that messages take in memory, with the frames and events that were made of them.
    """

    messages: int = 100
    bytes: int = 256 * KIB
    age: float = 300.0

    def checked(self) -> Replay:
        """Returns it. Raises ValueError for negative limits."""
        if self.messages < 0 or self.bytes < 0 or self.age < 0:
            raise ValueError(f"a limit must not be negative: {self!r}")
        return self


#: What holds where nothing else is said.
REPLAY = Replay()


class Replayed(NamedTuple):
    """What somebody has missed."""

    messages: list[Message]
    #: Whether more was missed than `messages`, or may have been.
    gap: bool


class Kept:
    """What all the logs of a hub keep together: `bytes`; and how many messages were `forgotten` for its sake.

    `full` is called when that is more than `most`, and has logs forget some.
    """

    __slots__ = ("_full", "_most", "bytes", "forgotten")

    def __init__(self, most: int, full: Callable[[], object]) -> None:
        self.bytes = 0
        self.forgotten = 0
        self._most = most
        self._full = full

    def add(self, size: int) -> None:
        """A log keeps so many bytes more."""
        self.bytes += size
        if self.bytes > self._most:
            self._full()


def cut(logs: Collection[ReplayLog], most: int) -> int:
    """Has logs forget their oldest messages until they keep `most` bytes together; returns how many were forgotten.

    Those that keep the most lose them: all are cut to one size, so that a busy topic costs a quiet one nothing.
    """
    sizes = sorted(log.bytes for log in logs)
    left, level = most, sizes[-1] if sizes else 0
    for at, size in enumerate(sizes):
        share = left // (len(sizes) - at)
        if size > share:
            level = share
            break
        left -= size
    return sum(log.cut(level) for log in logs)


class ReplayLog:
    """Messages with ascending ids. `complete` is where it begins: whoever has seen that misses nothing that is
    not here.

    Messages may be lost on their way here, between two that came. `lose` notes such a hole: a replay that reaches
    across it has a gap. `kept` is what it counts for, with others.
    """

    __slots__ = ("_kept", "_messages", "bytes", "complete", "last", "limits")

    def __init__(self, limits: Replay, complete: MessageId, kept: Kept | None = None) -> None:
        self.limits = limits
        self._kept = kept
        self.complete = complete
        #: The id of the last message, or where the log began.
        self.last = complete
        self.bytes = 0
        self._messages: deque[Message] = deque()

    def __len__(self) -> int:
        return len(self._messages)

    def begin(self, position: MessageId) -> None:
        """From `position` on everything comes here."""
        self.complete = position
        if not self._messages:
            self.last = position

    def append(self, message: Message, now: float) -> None:
        """Adds a message, which has an id and `at`, and drops what is too much or too old at `now`."""
        assert message.id is not None
        self._messages.append(message)
        message.keeper = self
        self.bytes += message.weight
        self.last = message.id
        if self._kept is not None:
            self._kept.add(message.weight)
        self.trim(now)

    def grew(self, size: int) -> None:
        """A message that is kept takes so many bytes more: a frame or an event was made of it."""
        self.bytes += size
        if self._kept is not None:
            self._kept.add(size)
        self.cut(self.limits.bytes)

    def trim(self, now: float) -> None:
        """Drops what is too much, or too old at `now`."""
        limits = self.limits
        messages = self._messages
        oldest = now - limits.age
        while messages and (
            len(messages) > limits.messages or self.bytes > limits.bytes or messages[0].at < oldest
        ):
            self._drop()

    def cut(self, most: int) -> int:
        """Drops the oldest messages until `most` bytes are left; returns how many it dropped."""
        dropped = 0
        while self._messages and self.bytes > most:
            self._drop()
            dropped += 1
        return dropped

    def _drop(self) -> None:
        gone = self._messages.popleft()
        gone.keeper = None
        self.bytes -= gone.weight
        if self._kept is not None:
            self._kept.bytes -= gone.weight
        assert gone.id is not None
        self.complete = max(self.complete, gone.id)

    def lose(self, position: MessageId) -> None:
        """Notes that messages after `position` may have been lost."""
        self.complete = max(self.complete, max(self.last, position).gap())

    def since(self, seen: MessageId, now: float) -> Replayed:
        """Returns the messages after `seen`, and whether that is all of them."""
        self.trim(now)
        return Replayed(self._after(seen), seen < self.complete)

    def recent(self, count: int, now: float) -> list[Message]:
        """Returns the last messages, at most `count`."""
        self.trim(now)
        return list(self._messages)[-count:] if count > 0 else []

    def _after(self, seen: MessageId) -> list[Message]:
        found: list[Message] = []
        # Who comes back has seen most of them: from the end.
        for message in reversed(self._messages):
            if message.id is None or message.id <= seen:
                break
            found.append(message)
        found.reverse()
        return found
