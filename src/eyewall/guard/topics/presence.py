"""Who is in a topic. Somebody may be in it several times: with two windows, in two processes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

#: What is known of a member: what JSON can say.
About = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Member:
    """One membership: a connection, not a person.

    `id` is unique, also between processes. `who` is the same for all memberships of the same person; by default, it is
    the id. `about` is the application's; `since` the time of joining, in seconds since the epoch.
    """

    id: str
    who: str
    about: About = field(default_factory=dict)
    since: float = 0.0
    #: Whether it is a member through this process.
    here: bool = True


class Change(NamedTuple):
    """A member came, went or told something else about itself."""

    kind: Literal["joined", "left", "changed"]
    member: Member
    #: `joined`: nobody with the same `who` was there before. `left`: nobody is there any more.
    alone: bool


class Presence:
    """The members of one topic, in the order in which they came to be known here."""

    __slots__ = ("_counts", "_members")

    def __init__(self) -> None:
        self._members: dict[str, Member] = {}
        self._counts: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._members)

    def members(self) -> list[Member]:
        """Returns the members."""
        return list(self._members.values())

    def people(self) -> list[Member]:
        """Returns one membership for each `who`: the first."""
        found: dict[str, Member] = {}
        for member in self._members.values():
            found.setdefault(member.who, member)
        return list(found.values())

    def find(self, id: str) -> Member | None:
        """Returns the member with this id, or None."""
        return self._members.get(id)

    def has(self, who: str) -> bool:
        """Whether somebody is there."""
        return who in self._counts

    def put(self, member: Member) -> Change | None:
        """Adds a member, or replaces the one with its id; None where nothing is new.

        `who` of a member does not change: raises ValueError.
        """
        known = self._members.get(member.id)
        if known is not None:
            if known.who != member.who:
                raise ValueError(f"member {member.id} is {known.who!r} and can't become {member.who!r}")
            if known == member:
                return None
            self._members[member.id] = member
            return Change("changed", member, False)
        self._members[member.id] = member
        count = self._counts.get(member.who, 0)
        self._counts[member.who] = count + 1
        return Change("joined", member, count == 0)

    def remove(self, id: str) -> Change | None:
        """Removes the member with this id; None where there is none."""
        member = self._members.pop(id, None)
        if member is None:
            return None
        count = self._counts[member.who] - 1
        if count:
            self._counts[member.who] = count
        else:
            del self._counts[member.who]
        return Change("left", member, count == 0)
