"""What one process tells the others: entries of a stream, each two fields of bytes.

`h` is a list of JSON: kind, origin, number, and what the kind needs; `d` is the text of a message, or JSON.

    kind      what it says                                                   `h` goes on with    `d`
    message   something is published                                         topic, event, key,  the data
                                                                             but, binary, kept
    join      a member is in a topic, or changed                             topic               member
    leave     a member is not any more                                       topic, id
    roster    all members of the origin, in parts                            first, last         members
    beat      the origin is alive, and has so many members                   count
    hello     the origin begins: the others send their rosters
    ask       the origin asks another one for its roster                     that origin
    bye       the origin ends
    mark      nothing: it keeps ids ascending when a stream begins anew

`first` is the number of the entry with the first part, `last` whether this is the last one. Entries of an origin,
but for marks, are numbered without a gap, so that whoever reads notices what it did not get.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from eyewall.guard.topics.presence import Member

MESSAGE = "m"
JOIN = "j"
LEAVE = "l"
ROSTER = "r"
BEAT = "b"
HELLO = "h"
ASK = "a"
BYE = "q"
MARK = "n"

#: How many values each kind has behind kind, origin and number.
_ARITY = {MESSAGE: 6, JOIN: 1, LEAVE: 2, ROSTER: 2, BEAT: 1, HELLO: 0, ASK: 1, BYE: 0, MARK: 0}


class Entry(NamedTuple):
    """One entry."""

    kind: str
    origin: str
    number: int
    values: Sequence[object]
    data: bytes

    def fields(self) -> dict[bytes, bytes]:
        """Returns the fields of the stream's entry."""
        head = json.dumps(
            [self.kind, self.origin, self.number, *self.values], ensure_ascii=False, separators=(",", ":")
        )
        return {b"h": head.encode("utf-8"), b"d": self.data}

    @property
    def size(self) -> int:
        """What it counts for where bytes are bounded."""
        return len(self.data) + 200


def decode(fields: Mapping[bytes, bytes]) -> Entry:
    """Returns the entry that a stream's entry is. Raises ValueError where it is none of ours."""
    head = json.loads(fields.get(b"h", b""))
    if not isinstance(head, list) or len(head) < 3:
        raise ValueError("an entry needs kind, origin and number")
    kind, origin, number, *values = head
    if (
        not isinstance(kind, str)
        or not isinstance(origin, str)
        or type(number) is not int
        or _ARITY.get(kind) != len(values)
    ):
        raise ValueError(f"no such entry: {head!r:.100}")
    return Entry(kind, origin, number, values, fields.get(b"d", b""))


def members_to_json(members: Sequence[tuple[str, Member]]) -> bytes:
    """Returns members with their topics."""
    listed = [[topic, member.id, member.who, member.about, member.since] for topic, member in members]
    return json.dumps(listed, separators=(",", ":")).encode("ascii")


def members_from_json(data: bytes) -> list[tuple[str, Member]]:
    """Undoes `members_to_json`; they are members of another process. Raises ValueError."""
    listed = json.loads(data)
    if not isinstance(listed, list):
        raise ValueError("members are a list")
    found: list[tuple[str, Member]] = []
    for each in listed:
        if not isinstance(each, list) or len(each) != 5:
            raise ValueError(f"no such member: {each!r:.100}")
        topic, id, who, about, since = each
        if not (isinstance(topic, str) and isinstance(id, str) and isinstance(who, str)):
            raise ValueError(f"no such member: {each!r:.100}")
        if not isinstance(about, dict) or not isinstance(since, (int, float)):
            raise ValueError(f"no such member: {each!r:.100}")
        found.append((topic, Member(id, who, about, float(since), here=False)))
    return found
