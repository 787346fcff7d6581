"""`Hub`: the topics of an application.

    hub = Hub("chat")
    membership = hub.join("lobby", who="ada")
    await hub.publish("lobby", {"text": "hello"})

It does no input and output: a backplane takes messages to other processes and brings theirs. WebSockets and event
streams take part through `eyewall.web.rooms`, everything else through `subscribe`.

A topic is made when it is first asked for, and forgotten when nobody needs it: at once if nothing is kept for those
who come back, otherwise when there are too many topics.
"""

from __future__ import annotations

import asyncio
import secrets
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from types import TracebackType

from eyewall.base.errors import LimitExceeded
from eyewall.base.escape import json_encode
from eyewall.base.loggers import app_log
from eyewall.guard.errors import Overloaded
from eyewall.guard.inventory import Item, Value
from eyewall.guard.profile import KIB, MIB
from eyewall.guard.topics.backplane import Backplane
from eyewall.guard.topics.buffers import SLOW, Slow
from eyewall.guard.topics.memory import MemoryBackplane
from eyewall.guard.topics.messages import FIRST, LAST, Data, Message, MessageId, Published, encoded
from eyewall.guard.topics.presence import About, Change, Member
from eyewall.guard.topics.reading import Subscription
from eyewall.guard.topics.replay import REPLAY, Kept, Replay, cut
from eyewall.guard.topics.seat import Group, Seat
from eyewall.guard.topics.topic import Topic, gap_message

#: An id that is so many milliseconds ahead of the clock is of another time, not of a process that is ahead of this one.
_AHEAD = 60_000
#: Characters of a topic's name, and of a member's `who`.
NAME_CHARS = 256


class TopicsFull(Overloaded):
    """There are as many topics as there may be, and all of them are in use."""


class RoomFull(Overloaded):
    """There are as many members in a topic as there may be."""


class Membership:
    """Being in a topic of `hub`, as `member`. It ends by `leave`, at the end of a `with`, or when nobody holds
    it any more.
    """

    __slots__ = ("__weakref__", "_hub", "member", "topic")

    def __init__(self, hub: Hub, topic: Topic, member: Member) -> None:
        self._hub = hub
        self.topic = topic
        self.member = member

    def update(self, about: About) -> None:
        """Tells everybody something else about this member. Raises as `Hub.join`."""
        self.member = self._hub._update(self.topic, self.member, about)

    def leave(self) -> None:
        """Leaves; a second time does nothing."""
        self._hub._leave(self.topic.name, self.member.id)

    def __enter__(self) -> Membership:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.leave()


class Hub(Item):
    """Topics by name. `backplane` takes messages to other processes; without one they stay in this.

    `replay` is what each topic keeps for those who come back, `kept_bytes` the most that all of them keep together, in
    memory, with the frames and events that were made of it: beyond it, the topics that keep the most forget the oldest
    of theirs. `topics` is the most topics at once (TopicsFull beyond it), `members` the most members of each
    (RoomFull), `message_bytes` the longest message, `about_bytes` the most that members say about themselves, as JSON
    (LimitExceeded). `on_presence` is called with a topic and a `Change`, in each process, when somebody came, went, or
    says something else; it may `announce` that.

    `clock` is in seconds and never goes back, `wall` in seconds since the epoch. Not for several threads at once.
    """

    kind = "hub"

    def __init__(
        self,
        name: str = "rooms",
        *,
        backplane: Backplane | None = None,
        replay: Replay = REPLAY,
        kept_bytes: int = 64 * MIB,
        topics: int = 10_000,
        members: int = 10_000,
        message_bytes: int = MIB,
        about_bytes: int = 4 * KIB,
        on_presence: Callable[[Topic, Change], object] | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        if kept_bytes < 0:
            raise ValueError(f"a limit must not be negative: kept_bytes={kept_bytes!r}")
        self.replay = replay.checked()
        self.kept_bytes = kept_bytes
        self.most_topics = topics
        self.most_members = members
        self.message_bytes = message_bytes
        self.about_bytes = about_bytes
        self.on_presence = on_presence
        self.backplane: Backplane = MemoryBackplane(wall=wall) if backplane is None else backplane
        self._clock = clock
        self._wall = wall
        self._kept = Kept(kept_bytes, self._make_room)
        self._topics: dict[str, Topic] = {}
        # In the order in which they became idle.
        self._idle: dict[str, None] = {}
        # A topic that is made now may have had messages up to here.
        self._floor = LAST
        self._position = FIRST
        self._mine: dict[str, tuple[str, weakref.ref[Membership]]] = {}
        # The garbage collector may say so at any moment, from any thread.
        self._abandoned: deque[str] = deque()
        #: The topics of subscriptions that nobody holds any more.
        self.left: deque[tuple[str, ...]] = deque()
        self._prefix = ""
        self._number = 0
        super().__init__(name)
        self.backplane.attach(self)

    # -- life -------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Begins to connect to other processes, and waits for the first success or failure.

        Where it is not called, the first use begins to connect and waits for nothing.
        """
        await self.backplane.start()

    async def close(self) -> None:
        """Leaves the other processes, which see the members of this one go at once."""
        await self.backplane.close()

    async def __aenter__(self) -> Hub:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    # -- topics -----------------------------------------------------------------------------------------

    def topic(self, name: str) -> Topic:
        """Returns the topic of this name, made if need be. Raises TopicsFull, ValueError for a name that is too
        long."""
        topic = self._topics.get(name)
        if topic is not None:
            return topic
        if len(name) > NAME_CHARS:
            raise ValueError(f"the name of a topic has at most {NAME_CHARS} characters: {name[:40]!r}…")
        self._forget_some()
        if len(self._topics) >= self.most_topics:
            raise TopicsFull(
                "topics", f"there are {self.most_topics} topics, all of them in use", retry_after=1.0
            )
        topic = self._topics[name] = Topic(name, self.replay, self._floor, self.message_bytes, self._kept)
        self._idle[name] = None
        return topic

    def find(self, name: str) -> Topic | None:
        """Returns the topic of this name, or None where nobody has used it."""
        return self._topics.get(name)

    def __iter__(self) -> Iterator[Topic]:
        return iter(list(self._topics.values()))

    def __len__(self) -> int:
        return len(self._topics)

    def members(self, name: str) -> list[Member]:
        """Returns who is in a topic, in all processes."""
        self._sweep()
        topic = self._topics.get(name)
        return [] if topic is None else topic.members

    def _forget_some(self) -> None:
        """Forgets idle topics: two whose messages are too old, if there are, and whatever is too much."""
        self._sweep()
        now = self._clock()
        for name in list(islice(self._idle, 2)):
            topic = self._topics[name]
            topic.log.trim(now)
            if not len(topic.log):
                self._forget(topic)
        while self._idle and len(self._topics) >= self.most_topics:
            self._forget(self._topics[next(iter(self._idle))])

    def _forget(self, topic: Topic) -> None:
        del self._topics[topic.name]
        self._idle.pop(topic.name, None)
        # What it had is not known any more; nor, for one that is made now, what others of the same name had.
        self._floor = max(self._floor, topic.log.last, topic.log.complete)
        topic.log.cut(0)

    def _used(self, topic: Topic) -> None:
        self._idle.pop(topic.name, None)

    def _unused(self, topic: Topic) -> None:
        """The topic has one member or subscriber less."""
        if not topic.idle or self._topics.get(topic.name) is not topic:
            return
        if len(topic.log):
            self._idle[topic.name] = None
        else:
            self._forget(topic)

    # -- publishing -------------------------------------------------------------------------------------

    def publish(
        self,
        name: str,
        data: Data,
        *,
        event: str | None = None,
        key: str | None = None,
        but: str | None = None,
        keep: bool = True,
    ) -> asyncio.Future[Published]:
        """Sends a message to all subscribers of a topic, in all processes.

        `data` is text, bytes, or something that is sent as JSON. `event` names its kind for event streams. Of
        messages with the same `key`, subscribers that coalesce need only the last. It is not sent to those who are
        `but` (their `who`). With `keep` false it is only for those who are here now.

        The future need not be awaited and never fails: where other processes cannot be reached, the subscribers of
        this one get the message, and the result says that it was not `delivered`. It is done as soon as the message
        has been delivered here, or that is known.

        Raises LimitExceeded for a message that is too long, TypeError for what JSON cannot say, ValueError for a
        name, event or key that cannot be.
        """
        if len(name) > NAME_CHARS:
            raise ValueError(f"the name of a topic has at most {NAME_CHARS} characters: {name[:40]!r}…")
        for label in (event, key):
            if label is not None and (len(label) > NAME_CHARS or "\n" in label or "\r" in label):
                raise ValueError(
                    f"an event or key is one line of at most {NAME_CHARS} characters: {label[:40]!r}"
                )
        text = encoded(data, self.message_bytes)
        self._sweep()
        self.backplane.begin()
        return self.backplane.publish(Message(name, text, event=event, key=key, but=but, kept=keep))

    # -- subscribing ------------------------------------------------------------------------------------

    def subscribe(
        self, *names: str, after: str | None = None, recent: int = 0, slow: Slow = SLOW
    ) -> Subscription:
        """Returns the messages of the topics `names`, to be read one by one; `slow` says what is done if nobody
        does.

        `after` and `recent`, and what is raised, as with `seat`.
        """
        return Subscription(self, names, after=after, recent=recent, slow=slow)

    def recent(self, name: str, count: int) -> list[Message]:
        """Returns the last messages of a topic that are kept, at most `count`."""
        topic = self._topics.get(name)
        return [] if topic is None else topic.log.recent(count, self._clock())

    def seat(
        self,
        seat: Seat,
        kind: type[Group],
        *names: str,
        after: str | None = None,
        recent: int = 0,
    ) -> MessageId:
        """Gives `seat` a place in the topics `names`, among those of its `kind`, and what it has missed.

        `after` is the id of the last message that it has had (the Last-Event-ID of an event stream): it gets what has
        come since, and before that a message with the event `gap` where some of it is not kept any more. Without
        `after` it gets the last `recent` messages. Returns the place from which on it gets everything.

        Raises TopicsFull, ValueError for a name that is too long.
        """
        self._sweep()
        self.backplane.begin()
        topics = [self.topic(name) for name in dict.fromkeys(names)]
        missed: list[Message] = []
        if after is not None:
            missed = self._missed(seat, topics, after)
        elif recent > 0:
            for topic in topics:
                missed.extend(topic.log.recent(recent, self._clock()))
            missed.sort(key=_place)
            del missed[:-recent]
        for topic in topics:
            topic.group(kind).add(seat)
            self._used(topic)
        if missed:
            seat.behind = True
            seat.buffer.replay(missed)
            seat.catch_up()
        return self._end_of(topics)

    def unseat(self, seat: Seat, *names: str) -> None:
        """Takes a seat's place in topics away: in all of `names`."""
        for name in names:
            topic = self._topics.get(name)
            if topic is not None:
                topic.discard(seat)
                self._unused(topic)

    def _missed(self, seat: Seat, topics: list[Topic], after: str) -> list[Message]:
        seen = MessageId.parse(after)
        if seen is not None and seen.ms > self._wall() * 1000 + _AHEAD and seen > self._position:
            # No clock has been there yet: it is not one of ours, or a clock was turned back.
            seen = None
        start = FIRST if seen is None else seen
        foreign = start.origin not in ("", self.origin)
        if foreign:
            # What else that process told its own subscribers, nobody else knows.
            start = start.shared()
        missed: list[Message] = []
        gaps: list[Topic] = []
        for topic in topics:
            replayed = topic.log.since(start, self._clock())
            missed.extend(replayed.messages)
            if replayed.gap or foreign:
                gaps.append(topic)
        missed.sort(key=_place)
        if seen is not None and self._floor < LAST:
            # The process that it comes from may be ahead of this one. Before the backplane has a place in the stream,
            # there are only local messages, with ids before all others.
            seat.after = start
        # The id is where the client is then: before what is replayed, or where nothing is, behind everything.
        place = start if missed else self._end_of(topics)
        return [gap_message(topic.name, place) for topic in gaps] + missed

    def _end_of(self, topics: list[Topic]) -> MessageId:
        """Returns the place from which on nothing is missed in any of `topics`."""
        ends = [end for topic in topics for end in (topic.log.last, topic.log.complete)]
        return max([self._position, *(end for end in ends if end < LAST)])

    @property
    def origin(self) -> str:
        """What ids of local messages of this process carry."""
        return str(getattr(self.backplane, "origin", ""))

    # -- presence ---------------------------------------------------------------------------------------

    def join(self, name: str, *, who: str | None = None, about: About | None = None) -> Membership:
        """Makes the caller a member of a topic, seen in all processes, until it leaves or drops what is returned.

        `who` says which memberships are the same person's, `about` what others may know: an object of JSON. A
        member need not subscribe, nor a subscriber be a member.

        Raises RoomFull, TopicsFull, LimitExceeded for too much `about`, TypeError for what JSON cannot say, ValueError
        for names that are too long.
        """
        self._sweep()
        self.backplane.begin()
        about = self._checked(about)
        if who is not None and len(who) > NAME_CHARS:
            raise ValueError(f"who somebody is has at most {NAME_CHARS} characters: {who[:40]!r}…")
        topic = self.topic(name)
        if len(topic.presence) >= self.most_members:
            self.tell("full", topic=name)
            raise RoomFull("members", f"there are {self.most_members} members in {name!r}", retry_after=1.0)
        id = self._new_id()
        member = Member(id, who if who is not None else id, about, self._wall())
        membership = Membership(self, topic, member)
        self._mine[id] = (name, weakref.ref(membership, lambda _: self._abandoned.append(id)))
        self._put(topic, member)
        self.backplane.arrived(name, member)
        return membership

    def _update(self, topic: Topic, member: Member, about: About) -> Member:
        changed = Member(member.id, member.who, self._checked(about), member.since)
        if member.id in self._mine:
            self._put(topic, changed)
            self.backplane.arrived(topic.name, changed)
        return changed

    def _leave(self, name: str, id: str) -> None:
        if self._mine.pop(id, None) is not None:
            self._remove(name, id)
            self.backplane.departed(name, id)

    def _sweep(self) -> None:
        """Has those leave whose membership or subscription nobody holds any more."""
        while self._abandoned:
            id = self._abandoned.popleft()
            mine = self._mine.get(id)
            if mine is not None:
                self._leave(mine[0], id)
        while self.left:
            for name in self.left.popleft():
                topic = self._topics.get(name)
                if topic is not None:
                    topic.tidy()
                    self._unused(topic)

    def _put(self, topic: Topic, member: Member) -> None:
        self._used(topic)
        self._changed(topic, topic.presence.put(member))

    def _remove(self, name: str, id: str) -> None:
        topic = self._topics.get(name)
        if topic is not None:
            self._changed(topic, topic.presence.remove(id))
            self._unused(topic)

    def _changed(self, topic: Topic, change: Change | None) -> None:
        if change is None:
            return
        topic.tell(change.kind, member=change.member.id, who=change.member.who)
        if self.on_presence is not None:
            try:
                self.on_presence(topic, change)
            except Exception:  # noqa: BLE001 - the application's; who came is here all the same
                app_log.error("on_presence of the hub %r failed", self.name, exc_info=True)

    def _checked(self, about: About | None) -> About:
        if not about:
            return {}
        size = len(json_encode(about))
        if size > self.about_bytes:
            raise LimitExceeded(
                "about_bytes", self.about_bytes, f"a member says {size} bytes about itself", status=413
            )
        return dict(about)

    def _new_id(self) -> str:
        # Not when the hub is made: it may be made before a fork.
        if not self._mine:
            self._prefix = secrets.token_hex(6)
        self._number += 1
        return f"{self._prefix}-{self._number}"

    # -- what a backplane calls -------------------------------------------------------------------------

    def begin(self, position: MessageId) -> None:
        """From `position` on, nothing is missing unless `lost` says so."""
        self._floor = self._position = position
        for topic in self._topics.values():
            topic.log.begin(position)

    def receive(self, message: Message) -> int:
        """Delivers a message that has its place; returns how many subscribers it reached."""
        assert message.id is not None
        message.at = self._clock()
        self._position = max(self._position, message.id)
        topic = self._topic_for(message)
        return 0 if topic is None else topic.receive(message)

    def recall(self, message: Message, age: float) -> None:
        """Keeps a message, published `age` seconds ago, for those who come back."""
        assert message.id is not None
        message.at = self._clock() - age
        self._position = max(self._position, message.id)
        topic = self._topic_for(message)
        if topic is not None and message.kept:
            topic.log.append(message, self._clock())

    def _make_room(self) -> None:
        """Has topics forget what is too much for all of them together."""
        now = self._clock()
        logs = [topic.log for topic in self._topics.values()]
        for log in logs:
            log.trim(now)
        if self._kept.bytes > self.kept_bytes:
            # More than that, so that not every message that comes goes through all topics.
            forgotten = cut(logs, self.kept_bytes - self.kept_bytes // 8)
            self._kept.forgotten += forgotten
            self.tell("replay_full", forgotten=forgotten, kept_bytes=self._kept.bytes)

    def lost(self) -> None:
        """Messages after the last one may have been lost: those who can be told are."""
        self._floor = max(self._floor, self._position.gap())
        for topic in list(self._topics.values()):
            topic.lose(self._position)
        self.tell("gap", position=str(self._position))

    def arrive(self, topic: str, member: Member) -> None:
        """A member of another process is in `topic`, or tells something else about itself."""
        try:
            self._put(self.topic(topic), member)
        except TopicsFull:
            self.tell("full", topic=topic)

    def depart(self, topic: str, id: str) -> None:
        """The member of another process whose id is `id` is not in `topic` any more."""
        self._remove(topic, id)

    def roster(self) -> Iterator[tuple[str, Member]]:
        """Returns the members of this process, with their topics."""
        self._sweep()
        for id, (name, _) in list(self._mine.items()):
            topic = self._topics.get(name)
            member = None if topic is None else topic.presence.find(id)
            if member is not None:
                yield name, member

    def _topic_for(self, message: Message) -> Topic | None:
        """Returns the topic of a message; None where nobody is there and nothing can be kept."""
        topic = self._topics.get(message.topic)
        if topic is None and self.replay.messages and message.kept:
            try:
                topic = self.topic(message.topic)
            except TopicsFull:
                self.tell("full", topic=message.topic)
        if topic is None:
            assert message.id is not None
            if message.kept:
                self._floor = max(self._floor, message.id)
        elif topic.name in self._idle:
            # The one that nobody has used for the longest time is forgotten first.
            self._idle[topic.name] = self._idle.pop(topic.name)
        return topic

    # -- for whoever watches ----------------------------------------------------------------------------

    def state(self) -> Mapping[str, Value]:
        """Sizes, of this process but for `members`."""
        topics = list(self._topics.values())
        return {
            "topics": len(topics),
            "members": sum(len(topic.presence) for topic in topics),
            "here": len(self._mine),
            "kept": sum(len(topic.log) for topic in topics),
            "kept_bytes": self._kept.bytes,
            "most_kept_bytes": self.kept_bytes,
            "position": str(self._position),
        }

    def counters(self) -> Mapping[str, int]:
        """Messages that were forgotten because all topics together kept too much (`kept_bytes`)."""
        return {"forgotten": self._kept.forgotten}


def _place(message: Message) -> MessageId:
    assert message.id is not None
    return message.id
