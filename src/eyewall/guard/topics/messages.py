"""What is published, and its place in the order of everything that is.

An id is `MS-SEQ`, as Redis Streams have it: a time in milliseconds and a number within it, both given by whoever
orders the messages (Redis; without it, this process). Ids ascend in the order of delivery, in every process that shares
the stream, and over restarts.

What a process delivers to its own subscribers alone, while Redis is away, comes behind the last message that it has
seen and before every later one: `MS-SEQ.LOCAL@ORIGIN`. A gap comes behind all of these: `MS-SEQ+`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from sys import getsizeof
from typing import NamedTuple, Protocol, TypeVar

from eyewall.base.errors import LimitExceeded
from eyewall.base.escape import json_encode

#: What can be published: text, bytes, or what JSON can say.
Data = object

#: Above every number of a local message.
_GAP = 2**62
_ID = re.compile(r"([0-9]{1,19})-([0-9]{1,19})(?:\.([0-9]{1,18})@([0-9a-f]{1,32})|(\+))?", re.ASCII)
#: What a message takes in memory besides its text, roughly.
OVERHEAD = 350


class MessageId(NamedTuple):
    """The place of a message; compares as messages are ordered."""

    ms: int
    seq: int
    #: The number of a message that only the subscribers of one process got; 0 for all others.
    local: int = 0
    #: That process.
    origin: str = ""

    @classmethod
    def parse(cls, text: str) -> MessageId | None:
        """Returns the id that `text`, which a client may have sent, is; None where it is none."""
        found = _ID.fullmatch(text)
        if found is None:
            return None
        ms, seq, local, origin, gap = found.groups()
        if gap:
            return cls(int(ms), int(seq), _GAP)
        return cls(int(ms), int(seq), int(local or 0), origin or "")

    def gap(self) -> MessageId:
        """Returns the place behind this message and all that is local to it, before the next one."""
        return MessageId(self.ms, self.seq, _GAP)

    def shared(self) -> MessageId:
        """Returns the place of the last message before this one that all processes know, or its own."""
        return MessageId(self.ms, self.seq)

    def __str__(self) -> str:
        if self.local == _GAP:
            return f"{self.ms}-{self.seq}+"
        if self.local:
            return f"{self.ms}-{self.seq}.{self.local}@{self.origin}"
        return f"{self.ms}-{self.seq}"


#: Before every message, and after.
FIRST = MessageId(0, 0)
LAST = MessageId(2**63, 0)


class Form(Protocol):
    """What is made of a message and kept with it: a frame, an event."""

    @property
    def nbytes(self) -> int:
        """What it takes in memory by now, in bytes."""


class Keeper(Protocol):
    """Who keeps messages, and has bytes bounded by it."""

    def grew(self, size: int) -> None:
        """A message that is kept takes so many bytes more."""


F = TypeVar("F", bound=Form)


class Message:
    """One message of a topic, whose name is `topic`.

    `data` is text or bytes; `event` names its kind; of several with the same `key`, a subscriber that is behind
    needs only the last; `but` is the `who` that is not to get it; `kept`: those who come back get it as well;
    `id` is its place; `at` is when this process got it, in seconds of the hub's clock.
    """

    __slots__ = (
        "_forms",
        "at",
        "but",
        "data",
        "event",
        "id",
        "keeper",
        "kept",
        "key",
        "size",
        "topic",
        "weight",
    )

    def __init__(
        self,
        topic: str,
        data: str | bytes,
        *,
        event: str | None = None,
        key: str | None = None,
        but: str | None = None,
        kept: bool = True,
        id: MessageId | None = None,
        at: float = 0.0,
    ) -> None:
        self.topic = topic
        self.data = data
        self.event = event
        self.key = key
        self.but = but
        self.kept = kept
        #: Its place; None before it has one, and for what is told to those who are here and not kept.
        self.id = id
        #: When this process got it, on the hub's clock.
        self.at = at
        #: The bytes that it takes in memory by itself, for those who hold it for one subscriber.
        self.size = _memory(data) + OVERHEAD
        #: The bytes that it takes with its forms, for who keeps it for all.
        self.weight = self.size
        self.keeper: Keeper | None = None
        self._forms: dict[str, Form] | None = None

    def form(self, kind: str, make: Callable[[Message], F]) -> F:
        """Returns what `make` makes of it, made once for each `kind`: a frame, an event. It stays with the message."""
        forms = self._forms
        if forms is None:
            forms = self._forms = {}
        made = forms.get(kind)
        if made is None:
            made = forms[kind] = make(self)
            self.weigh()
        return made  # type: ignore[return-value]

    def weigh(self) -> None:
        """Counts what its forms take by now. Whoever may have had one grow calls it."""
        forms = self._forms
        if forms is None:
            return
        weight = self.size + getsizeof(forms) + sum([made.nbytes for made in forms.values()])
        grown, self.weight = weight - self.weight, weight
        if grown and self.keeper is not None:
            self.keeper.grew(grown)

    def __repr__(self) -> str:
        return f"<Message {self.id} of {self.topic!r}: {self.data[:40]!r}>"


class Published(NamedTuple):
    """What became of a message that was published."""

    #: Its place.
    id: MessageId
    #: Subscribers of this process that it was sent to or kept for.
    reached: int
    #: Whether all processes have it, or get it. False: only this one has for certain; `reason` says why.
    delivered: bool
    reason: str | None = None


def _memory(data: str | bytes) -> int:
    # One character beyond ASCII has all of them take one, two or four bytes each.
    return len(data) if isinstance(data, bytes) or data.isascii() else getsizeof(data)


def encoded(data: Data, most: int) -> str | bytes:
    """Returns what is published for `data`: text and bytes as they are, everything else as JSON.

    Raises LimitExceeded (413) beyond `most` bytes, TypeError for what JSON cannot say, UnicodeEncodeError for text that
    UTF-8 cannot.
    """
    if isinstance(data, (bytes, bytearray, memoryview)):
        text: str | bytes = bytes(data)
    elif isinstance(data, str):
        text = data
    else:
        text = json_encode(data)
    size = len(text if isinstance(text, bytes) else text.encode("utf-8"))
    if size > most:
        raise LimitExceeded("message_bytes", most, f"a message of more than {most} bytes", status=413)
    return text
