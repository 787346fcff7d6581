"""The chat room: who is in it, and what was said last."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Iterable
from typing import Any, Protocol

from eyewall.cli.demo.limits import CHAT_HISTORY, CHAT_SOCKETS
from eyewall.cli.demo.visitors import Visitor
from eyewall.websocket import WebSocketConnection, broadcast


class Member(Protocol):
    """What the room needs of somebody's WebSocket."""

    visitor: Visitor

    @property
    def ws_connection(self) -> WebSocketConnection | None: ...


class RoomFull(Exception):
    """There are as many WebSockets in the room as there may be."""


class Room:
    """Everybody in it hears what anybody says. A visitor with two windows is in it once."""

    def __init__(self) -> None:
        self.members: set[Member] = set()
        self._history: deque[dict[str, Any]] = deque(maxlen=CHAT_HISTORY)
        self._number = 0

    def people(self) -> list[dict[str, str]]:
        """Returns who is here, by name."""
        names = {member.visitor.id: member.visitor.name for member in self.members}
        return [
            {"id": id, "name": name}
            for id, name in sorted(names.items(), key=lambda item: (item[1].casefold(), item[0]))
        ]

    def welcome(self, visitor: Visitor) -> str:
        """Returns the first message for a new member: what there is to know."""
        return json.dumps(
            {
                "type": "welcome",
                "you": visitor.id,
                "people": self.people(),
                "history": list(self._history),
            }
        )

    def enter(self, member: Member) -> None:
        """Lets somebody in, and tells the others. Raises RoomFull."""
        if len(self.members) >= CHAT_SOCKETS:
            raise RoomFull
        others = list(self.members)
        known = self._knows(member.visitor)
        self.members.add(member)
        if not known:
            self._tell(
                others, {"type": "entered", "person": _person(member.visitor), "people": self.people()}
            )

    def leave(self, member: Member) -> None:
        """Lets somebody out, and tells the others."""
        if member not in self.members:
            return
        self.members.discard(member)
        if not self._knows(member.visitor):
            self._tell(
                self.members, {"type": "left", "person": _person(member.visitor), "people": self.people()}
            )

    def say(self, visitor: Visitor, text: str) -> None:
        """Tells everybody what somebody says."""
        self._number += 1
        message = {
            "type": "said",
            "number": self._number,
            "person": _person(visitor),
            "text": text,
            "time": round(time.time() * 1000),
        }
        self._history.append(message)
        self._tell(self.members, message)

    def types(self, visitor: Visitor) -> None:
        """Tells everybody else that somebody is about to say something."""
        others = [member for member in self.members if member.visitor.id != visitor.id]
        self._tell(others, {"type": "typing", "person": _person(visitor)})

    def _knows(self, visitor: Visitor) -> bool:
        return any(member.visitor.id == visitor.id for member in self.members)

    def _tell(self, members: Iterable[Member], message: dict[str, Any]) -> None:
        # Encoded once, and one frame, however many are here; who reads slowly makes nobody wait.
        broadcast(members, json.dumps(message))


def _person(visitor: Visitor) -> dict[str, str]:
    return {"id": visitor.id, "name": visitor.name}
