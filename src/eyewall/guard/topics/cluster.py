"""What processes that share a stream tell each other, and what they make of it: an engine.

The stream gives every entry its place, and everybody reads all of it, so that everybody sees the same order. A message
that this process publishes is *pending* until it has come back from the stream; then it is delivered here, too.

    down   nothing is sent. What is published, and what was pending, is delivered to the subscribers of this process
           alone, behind the last message that came. Members of other processes stay as they were.
    up     entries go to the outbox, for the driver to send.

Presence is not stored anywhere else: each process tells what changes, and everything (its roster) to whoever is new or
has missed something. A process that is silent for `expiry` seconds is dead, and its members have left; its next sign of
life has it asked for its roster. Silence does not count while this process is down, as it would hear nobody.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from eyewall.guard.topics import wire
from eyewall.guard.topics.backplane import Receiver
from eyewall.guard.topics.messages import FIRST, Message, MessageId, Published
from eyewall.guard.topics.presence import Member
from eyewall.guard.topics.wire import Entry

#: Members in one part of a roster.
_ROSTER_PART = 500


class Pending(NamedTuple):
    """A message of this process that has not come back yet."""

    message: Message
    since: float
    settle: Callable[[Published], object]


class Peer:
    """Another process."""

    __slots__ = ("heard", "members", "number")

    def __init__(self, now: float) -> None:
        #: When it was heard of last.
        self.heard = now
        #: The number of its last entry; None where that is not known.
        self.number: int | None = None
        #: Its members by topic and id, with the number of the entry that named them last.
        self.members: dict[tuple[str, str], int] = {}


class Cluster:
    """This process among the others. `now` is in seconds of a clock that never goes back.

    `queue` bounds what is pending and what waits to be sent, in entries, `queue_bytes` in bytes: beyond it, messages
    are not taken to other processes, and the result says so.
    """

    def __init__(
        self, receiver: Receiver, origin: str, *, expiry: float, queue: int, queue_bytes: int
    ) -> None:
        self.origin = origin
        self.expiry = expiry
        self.up = False
        #: The place of the last entry that came.
        self.position = FIRST
        #: Messages that this process alone got, entries that were missed or not understood, messages of others.
        self.undelivered = 0
        self.holes = 0
        self.received = 0
        self._receiver = receiver
        self._queue = queue
        self._queue_bytes = queue_bytes
        self._number = 0
        self._local = 0
        self._outbox: deque[Entry] = deque()
        self._outbox_bytes = 0
        self._pending: dict[int, Pending] = {}
        # Their numbers, and those of some that are not pending any more: the first key of a dict is slow to find.
        self._order: deque[int] = deque()
        self._peers: dict[str, Peer] = {}
        # Those who want to know who is here, or must be told everything since something was not sent.
        self._roster_due = False
        # As above, but not before the next beat: what was not taken would not be taken now.
        self._roster_owed = False

    # -- sizes ------------------------------------------------------------------------------------------

    @property
    def peers(self) -> Mapping[str, Peer]:
        """The other processes, by origin."""
        return self._peers

    @property
    def pending(self) -> int:
        """How many messages have not come back yet."""
        return len(self._pending)

    @property
    def waiting(self) -> int:
        """How many entries wait to be sent."""
        return len(self._outbox) + self._roster_due

    def oldest(self) -> float | None:
        """Returns since when the oldest pending message is, None where there is none."""
        while self._order and self._order[0] not in self._pending:
            self._order.popleft()
        return self._pending[self._order[0]].since if self._order else None

    # -- what this process has to say -------------------------------------------------------------------

    def publish(self, message: Message, now: float, settle: Callable[[Published], object]) -> None:
        """Sends a message to everybody; `settle` is called, perhaps at once, with what became of it."""
        number = self._next()
        pending = Pending(message, now, settle)
        if not self.up:
            self._deliver_here(pending, "other processes cannot be reached")
        elif len(self._pending) >= self._queue or self._outbox_bytes + message.size > self._queue_bytes:
            self._deliver_here(pending, "too many messages wait for the backplane")
        else:
            self._pending[number] = pending
            self._order.append(number)
            data = message.data
            binary = isinstance(data, bytes)
            values = (message.topic, message.event, message.key, message.but, binary, message.kept)
            raw = data if isinstance(data, bytes) else data.encode("utf-8")
            self._put(Entry(wire.MESSAGE, self.origin, number, values, raw))

    def arrived(self, topic: str, member: Member) -> None:
        """A member of this process is in `topic`, or has changed."""
        if self._may_tell():
            data = wire.members_to_json([(topic, member)])
            self._put(Entry(wire.JOIN, self.origin, self._next(), (topic,), data))

    def departed(self, topic: str, id: str) -> None:
        """A member of this process is not in `topic` any more."""
        if self._may_tell():
            self._put(Entry(wire.LEAVE, self.origin, self._next(), (topic, id), b""))

    def beat(self) -> None:
        """Says that this process is alive."""
        if self.up:
            count = sum(1 for _ in self._receiver.roster())
            self._say(wire.BEAT, count)
            self._roster_due = self._roster_due or self._roster_owed
            self._roster_owed = False

    def bye(self) -> None:
        """Says that this process ends, and nothing after that."""
        if self.up:
            self._say(wire.BYE)
            self._roster_due = False
            self.up = False

    def outgoing(self, most: int) -> list[Entry]:
        """Takes up to `most` entries out of the outbox, more where a roster is due."""
        members = None
        if self._roster_due and len(self._outbox) < most:
            # What it says holds behind all that was said before; and asking for it may make members leave.
            members = list(self._receiver.roster())
            most = len(self._outbox)
        entries = [self._outbox.popleft() for _ in range(min(most, len(self._outbox)))]
        self._outbox_bytes -= sum(entry.size for entry in entries)
        if members is not None:
            self._roster_due = False
            entries.extend(self._roster(members))
        return entries

    def refused(self, entry: Entry, reason: str) -> None:
        """The stream did not take an entry of `outgoing`."""
        pending = self._pending.pop(entry.number, None)
        if pending is not None:
            self._deliver_here(pending, reason)
        elif entry.kind != wire.BEAT:
            self._roster_owed = True

    def _say(self, kind: str, *values: object) -> None:
        self._put(Entry(kind, self.origin, self._next(), values, b""))

    def _may_tell(self) -> bool:
        """Whether a change can be told by itself; otherwise a roster tells it later."""
        if not self.up:
            return False
        if len(self._outbox) >= self._queue or self._outbox_bytes >= self._queue_bytes:
            self._roster_due = True
            return False
        return True

    def _put(self, entry: Entry) -> None:
        self._outbox.append(entry)
        self._outbox_bytes += entry.size

    def _next(self) -> int:
        # Also for what is not sent: the others are to notice that they did not get it.
        self._number += 1
        return self._number

    def _roster(self, members: Sequence[tuple[str, Member]]) -> Iterator[Entry]:
        start = self._number + 1
        parts = max(1, math.ceil(len(members) / _ROSTER_PART))
        for part in range(parts):
            data = wire.members_to_json(members[part * _ROSTER_PART : (part + 1) * _ROSTER_PART])
            values = (start, part == parts - 1)
            yield Entry(wire.ROSTER, self.origin, self._next(), values, data)

    def _deliver_here(self, pending: Pending, reason: str) -> None:
        self.undelivered += 1
        self._local += 1
        message = pending.message
        message.id = MessageId(self.position.ms, self.position.seq, self._local, self.origin)
        reached = self._receiver.receive(message)
        pending.settle(Published(message.id, reached, False, reason))

    # -- the connection ---------------------------------------------------------------------------------

    def begin(self, position: MessageId) -> MessageId:
        """The stream is read from `position` on, for the first time. Returns it."""
        self.position = position
        return position

    def connected(self, now: float, *, lost: bool) -> None:
        """The stream can be reached. `lost`: it may be another one than before."""
        self.up = True
        for peer in self._peers.values():
            peer.heard = now
            if lost:
                # That something is missing is said once.
                peer.number = None
        if lost:
            self.holes += 1
            self._receiver.lost()
        self._say(wire.HELLO)
        self._roster_due = True

    def down(self, reason: str) -> None:
        """The stream cannot be reached any more."""
        self.up = False
        self._outbox.clear()
        self._outbox_bytes = 0
        self._roster_due = False
        pending, self._pending = self._pending, {}
        self._order.clear()
        for each in pending.values():
            self._deliver_here(each, reason)

    def expire(self, now: float) -> None:
        """Has the members of processes leave that are silent for too long."""
        if not self.up:
            return
        for origin in [each for each, peer in self._peers.items() if now - peer.heard >= self.expiry]:
            self._forget(origin)

    # -- what comes from the stream ---------------------------------------------------------------------

    def recall(self, id: MessageId, entry: Entry, age: float) -> None:
        """Takes an entry from before this process began."""
        self.position = id
        if entry.kind == wire.MESSAGE:
            self._receiver.recall(_message(id, entry), age)

    def take(self, id: MessageId, entry: Entry, now: float) -> None:
        """Takes the next entry. Raises ValueError where it says what it cannot."""
        if entry.origin == self.origin:
            self._take_own(id, entry)
            return
        self.position = id
        if entry.kind == wire.MARK:
            return
        peer = self._peers.get(entry.origin)
        if peer is None:
            peer = self._peers[entry.origin] = Peer(now)
        peer.heard = now
        if peer.number is not None:
            if entry.number <= peer.number:
                # Sent twice: the first answer was lost.
                return
            if entry.number > peer.number + 1:
                self.holes += 1
                self._receiver.lost()
        peer.number = entry.number
        self._take(id, entry, peer)

    def _take_own(self, id: MessageId, entry: Entry) -> None:
        order = self._order
        while order and order[0] <= entry.number:
            number = order.popleft()
            skipped = self._pending.pop(number, None) if number < entry.number else None
            if skipped is not None:
                # The stream has dropped it before it was read here.
                self._deliver_here(skipped, "this process reads too slowly")
        self.position = id
        pending = self._pending.pop(entry.number, None)
        # What is not pending has been delivered already, when the connection was lost.
        if pending is not None:
            pending.message.id = id
            reached = self._receiver.receive(pending.message)
            pending.settle(Published(id, reached, True))

    def _take(self, id: MessageId, entry: Entry, peer: Peer) -> None:
        kind = entry.kind
        if kind == wire.MESSAGE:
            self.received += 1
            self._receiver.receive(_message(id, entry))
        elif kind == wire.JOIN:
            for topic, member in wire.members_from_json(entry.data):
                self._arrive(peer, topic, member, entry.number)
        elif kind == wire.LEAVE:
            topic, member_id = (str(value) for value in entry.values)
            self._depart(peer, topic, member_id)
        elif kind == wire.ROSTER:
            self._take_roster(entry, peer)
        elif kind == wire.BEAT:
            if entry.values[0] != len(peer.members) and self.up:
                self._say(wire.ASK, entry.origin)
        elif kind == wire.HELLO or (kind == wire.ASK and entry.values[0] == self.origin):
            self._roster_due = self.up
        elif kind == wire.BYE:
            self._forget(entry.origin)

    def _take_roster(self, entry: Entry, peer: Peer) -> None:
        start, last = entry.values
        if not isinstance(start, int):
            raise ValueError(f"a roster does not begin with {start!r:.100}")
        for topic, member in wire.members_from_json(entry.data):
            self._arrive(peer, topic, member, entry.number)
        if last:
            for topic, id in [key for key, number in peer.members.items() if number < start]:
                self._depart(peer, topic, id)

    def _arrive(self, peer: Peer, topic: str, member: Member, number: int) -> None:
        peer.members[topic, member.id] = number
        self._receiver.arrive(topic, member)

    def _depart(self, peer: Peer, topic: str, id: str) -> None:
        if peer.members.pop((topic, id), None) is not None:
            self._receiver.depart(topic, id)

    def _forget(self, origin: str) -> None:
        peer = self._peers.pop(origin, None)
        if peer is not None:
            for topic, id in list(peer.members):
                self._receiver.depart(topic, id)


def _message(id: MessageId, entry: Entry) -> Message:
    topic, event, key, but, binary, kept = entry.values
    if not isinstance(topic, str):
        raise ValueError(f"no topic: {topic!r:.100}")
    labels = [value if isinstance(value, str) else None for value in (event, key, but)]
    data = entry.data if binary else entry.data.decode("utf-8")
    return Message(topic, data, event=labels[0], key=labels[1], but=labels[2], kept=bool(kept), id=id)
