"""What a hub and the way to other processes expect of each other.

A backplane gives every message its place and hands it to the hub, in order, also those that this process has published.
So all processes deliver the same messages in the same order.
"""

from __future__ import annotations

from asyncio import Future
from collections.abc import Iterable
from typing import Protocol

from eyewall.guard.topics.messages import Message, MessageId, Published
from eyewall.guard.topics.presence import Member


class Receiver(Protocol):
    """What a backplane needs of a hub."""

    def begin(self, position: MessageId) -> None:
        """From `position` on, nothing is missing unless `lost` says so."""

    def receive(self, message: Message) -> int:
        """Delivers a message that has its place; returns how many subscribers it reached."""

    def recall(self, message: Message, age: float) -> None:
        """Keeps a message, published `age` seconds ago, for those who come back."""

    def lost(self) -> None:
        """Messages after the last one may have been lost."""

    def arrive(self, topic: str, member: Member) -> None:
        """A member of another process is in `topic`, or tells something else about itself."""

    def depart(self, topic: str, id: str) -> None:
        """A member of another process is not in `topic` any more."""

    def roster(self) -> Iterable[tuple[str, Member]]:
        """Returns the members of this process, with their topics."""


class Backplane(Protocol):
    """What a hub needs of a backplane. Only `start` and `close` wait."""

    @property
    def started(self) -> bool:
        """Whether `start` was called, and `close` was not."""

    def attach(self, receiver: Receiver) -> None:
        """Has everything go to `receiver`. Called once, before everything else."""

    def begin(self) -> None:
        """Begins to connect, on the running loop; does nothing where it has."""

    async def start(self) -> None:
        """Begins, and waits until the first attempt to connect has succeeded or failed."""

    async def close(self) -> None:
        """Ends; what is published after that stays in this process."""

    def publish(self, message: Message) -> Future[Published]:
        """Gives `message` its place, and takes it to everybody. The future never fails."""

    def arrived(self, topic: str, member: Member) -> None:
        """A member of this process is in `topic`, or tells something else about itself."""

    def departed(self, topic: str, id: str) -> None:
        """A member of this process is not in `topic` any more."""
