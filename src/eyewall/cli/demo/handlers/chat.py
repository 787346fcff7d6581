"""The chat: a WebSocket for everybody in the room."""

from __future__ import annotations

import json
import time
from typing import Any

from eyewall.cli.demo.handlers.base import DemoHandler, Page
from eyewall.cli.demo.limits import CHAT_BURST, CHAT_INTERVAL, MESSAGE_CHARS
from eyewall.cli.demo.room import ROOM
from eyewall.cli.demo.visitors import Visitor, new_visitor
from eyewall.guard import Hub
from eyewall.web import RoomHandler


class Chat(Page):
    """The page. What is on it comes through the WebSocket."""

    def get(self) -> None:
        self.render("chat.html", longest=MESSAGE_CHARS)


class ChatSocket(DemoHandler, RoomHandler):
    """One window of one visitor.

    Only pages of this site get here: a browser says where a handshake comes from, and `check_origin`, which
    is not overridden, refuses others. Dead connections are noticed by the pings that the server sends.
    """

    visitor: Visitor

    @property
    def hub(self) -> Hub:
        return self.demo.room.hub

    def prepare(self) -> None:
        self.visitor = self.current_user or new_visitor()
        self._burst = float(CHAT_BURST)
        self._spoke = time.monotonic()

    def open(self) -> None:
        if self.demo.room.full:
            self.close(1013, "The room is full, try again later")
            return
        # It leaves by itself.
        self.join(ROOM, who=self.visitor.id, about={"name": self.visitor.name})
        self.write_message(self.demo.room.welcome(self.visitor))

    def on_message(self, message: str | bytes) -> None:
        command = _command(message)
        if command is None:
            self.close(1008, "Not understood")
        elif not self._may_speak():
            self.write_message({"type": "refused", "reason": "Not so fast, please."})
        elif command["type"] == "typing":
            self.demo.room.types(self.visitor)
        else:
            self._say(command["text"].strip())

    def _say(self, text: str) -> None:
        if len(text) > MESSAGE_CHARS:
            reason = f"A message may have {MESSAGE_CHARS} characters."
            self.write_message({"type": "refused", "reason": reason})
        elif text:
            # As it is: whoever shows it must not take it for HTML.
            self.demo.room.say(self.visitor, text)

    def _may_speak(self) -> bool:
        """Whether somebody who spoke so much just now may speak again."""
        now = time.monotonic()
        self._burst = min(CHAT_BURST, self._burst + (now - self._spoke) / CHAT_INTERVAL)
        self._spoke = now
        if self._burst < 1:
            return False
        self._burst -= 1
        return True


def _command(message: str | bytes) -> dict[str, Any] | None:
    """Returns what a client wants, None where that can't be understood."""
    if isinstance(message, bytes):
        return None
    try:
        command = json.loads(message)
    except (ValueError, RecursionError):
        return None
    if not isinstance(command, dict):
        return None
    if command.get("type") == "typing":
        return command
    said = command.get("type") == "say" and isinstance(command.get("text"), str)
    return command if said else None
