"""The chat room: who is in it, and what was said last."""

from __future__ import annotations

import json
import secrets
import time

from eyewall.cli.demo.limits import CHAT_BYTES, CHAT_HISTORY, CHAT_SECONDS, CHAT_SOCKETS
from eyewall.cli.demo.visitors import Visitor
from eyewall.guard import Change, Hub, Replay, Topic

#: The topic that everybody is in.
ROOM = "chat"


class Room:
    """Everybody in it hears what anybody says. A visitor with two windows is in it once.

    `redis` is the URL of a Redis through which several demos share the room.
    """

    def __init__(self, redis: str | None = None) -> None:
        backplane = None
        if redis is not None:
            # It needs redis-py, which is an extra.
            from eyewall.guard import RedisBackplane

            backplane = RedisBackplane(redis, stream="eyewall:demo")
        self.hub = Hub(
            "demo",
            backplane=backplane,
            replay=Replay(CHAT_HISTORY, CHAT_BYTES, CHAT_SECONDS),
        )
        self.hub.on_presence = self._announce

    @property
    def full(self) -> bool:
        """Whether there are as many WebSockets in the room as there may be."""
        return len(self.hub.members(ROOM)) >= CHAT_SOCKETS

    def people(self) -> list[dict[str, str]]:
        """Returns who is here, by name."""
        topic = self.hub.find(ROOM)
        members = [] if topic is None else topic.presence.people()
        people = [{"id": member.who, "name": str(member.about.get("name"))} for member in members]
        return sorted(people, key=lambda person: (person["name"].casefold(), person["id"]))

    def welcome(self, visitor: Visitor) -> str:
        """Returns the first message for a new member: what there is to know."""
        return json.dumps(
            {
                "type": "welcome",
                "you": visitor.id,
                "people": self.people(),
                "history": [json.loads(message.data) for message in self.hub.recent(ROOM, CHAT_HISTORY)],
            }
        )

    def say(self, visitor: Visitor, text: str) -> None:
        """Tells everybody what somebody says."""
        message = {
            "type": "said",
            "id": secrets.token_hex(8),
            "person": _person(visitor),
            "text": text,
            "time": round(time.time() * 1000),
        }
        self.hub.publish(ROOM, json.dumps(message))

    def types(self, visitor: Visitor) -> None:
        """Tells everybody else that somebody is about to say something."""
        message = {"type": "typing", "person": _person(visitor)}
        self.hub.publish(ROOM, json.dumps(message), but=visitor.id, keep=False)

    def _announce(self, topic: Topic, change: Change) -> None:
        """Tells those who are here who came and who left."""
        if change.alone:
            member = change.member
            person = {"id": member.who, "name": member.about.get("name")}
            kind = "entered" if change.kind == "joined" else "left"
            topic.announce({"type": kind, "person": person, "people": self.people()}, but=member.who)


def _person(visitor: Visitor) -> dict[str, str]:
    return {"id": visitor.id, "name": visitor.name}
