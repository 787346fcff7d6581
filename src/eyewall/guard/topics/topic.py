"""One topic: who gets what is published, who is in it, what was said last."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from eyewall.guard.inventory import Item, Value
from eyewall.guard.topics.messages import Data, Message, MessageId, encoded
from eyewall.guard.topics.presence import Member, Presence
from eyewall.guard.topics.replay import Kept, Replay, ReplayLog
from eyewall.guard.topics.seat import Group, Seat, Tally

G = TypeVar("G", bound=Group)


class Topic(Item):
    """Made by its hub; `hub.topic(name)` returns it.

    `replay`: how much is kept for those who come back, which counts in `kept`, for all topics of the hub.
    `complete`: the id after which nothing is missing. `message_bytes`: the most bytes of a message that
    `announce` is given.
    """

    kind = "topic"

    def __init__(
        self,
        name: str,
        replay: Replay,
        complete: MessageId,
        message_bytes: int,
        kept: Kept | None = None,
    ) -> None:
        super().__init__(name)
        self.log = ReplayLog(replay, complete, kept)
        self.presence = Presence()
        self._message_bytes = message_bytes
        self._groups: dict[type[Group], Group] = {}
        self._published = 0
        self._delivered = 0
        self._dropped = 0
        self._disconnected = 0

    # -- who is here ------------------------------------------------------------------------------------

    @property
    def members(self) -> list[Member]:
        """Who is in it, in all processes."""
        return self.presence.members()

    @property
    def subscribers(self) -> int:
        """How many subscribers it has in this process."""
        return sum(len(group) for group in self._groups.values())

    @property
    def idle(self) -> bool:
        """Whether nobody subscribes to it, and nobody is in it."""
        return not len(self.presence) and not self.subscribers

    def group(self, kind: type[G]) -> G:
        """Returns the seats of one kind."""
        group = self._groups.get(kind)
        if group is None:
            group = self._groups[kind] = kind()
        assert isinstance(group, kind)
        return group

    def tidy(self) -> None:
        """Removes the seats of those who are gone without a word."""
        for group in self._groups.values():
            group.present()

    def discard(self, seat: Seat) -> None:
        """Removes a seat, of whichever kind."""
        for group in self._groups.values():
            group.discard(seat)

    # -- messages ---------------------------------------------------------------------------------------

    def receive(self, message: Message) -> int:
        """Keeps a message that has its place, and delivers it; returns how many subscribers it reached."""
        if message.kept:
            self.log.append(message, message.at)
        return self._deliver(message)

    def tell(self, event: str, **details: object) -> None:
        """Tells whoever listens to `guard_event` that `event` has happened; `details` say more. For telling
        subscribers, see `announce`.
        """
        super().tell(event, **details)

    def announce(self, data: Data, *, event: str | None = None, but: str | None = None) -> int:
        """Tells `data` to the subscribers of this process alone, and keeps nothing; returns how many it
        reached.

        For what every process finds out by itself: who came and who left. `event` names its kind, and it is not
        sent to those who are `but`. Raises LimitExceeded and TypeError as `Hub.publish`.
        """
        text = encoded(data, self._message_bytes)
        return self._deliver(Message(self.name, text, event=event, but=but))

    def lose(self, position: MessageId) -> None:
        """Messages after `position`, the last one of the hub, may have been lost: notes it, and says so."""
        self.log.lose(position)
        message = gap_message(self.name, self.log.complete)
        for group in list(self._groups.values()):
            self._count(group.gap(message))
        self.tell("gap", position=str(position))

    def _deliver(self, message: Message) -> int:
        self._published += 1
        reached = 0
        for group in list(self._groups.values()):
            tally = group.deliver(message)
            reached += tally.reached
            self._count(tally)
        self._delivered += reached
        return reached

    def _count(self, tally: Tally) -> None:
        self._dropped += tally.dropped
        if tally.ended:
            self._disconnected += tally.ended
            self.tell("disconnected", count=tally.ended)

    # -- for whoever watches ----------------------------------------------------------------------------

    def state(self) -> Mapping[str, Value]:
        """Sizes; `behind` counts subscribers that are slow, `lag` is the most messages that one of them is behind."""
        groups = list(self._groups.values())
        return {
            "members": len(self.presence),
            "subscribers": sum(len(group) for group in groups),
            "behind": sum(group.behind for group in groups),
            "lag": max((group.lag for group in groups), default=0),
            "kept": len(self.log),
            "kept_bytes": self.log.bytes,
            "last": str(self.log.last),
        }

    def counters(self) -> Mapping[str, int]:
        """Messages that came; deliveries to subscribers, those that were dropped, and who was disconnected."""
        return {
            "published": self._published,
            "delivered": self._delivered,
            "dropped": self._dropped,
            "disconnected": self._disconnected,
        }


def gap_message(topic: str, position: MessageId) -> Message:
    """Returns what tells a subscriber that messages before `position` are missing."""
    return Message(topic, encoded({"topic": topic}, 2**20), event="gap", id=position)
