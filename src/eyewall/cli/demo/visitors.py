"""Who is here: a name, and an id that stays when the name changes. Both live in a signed cookie."""

from __future__ import annotations

import json
import secrets
import unicodedata
from typing import NamedTuple

from eyewall.cli.demo.limits import NAME_CHARS

COOKIE = "visitor"

_MANNERS = ("Calm", "Swift", "Bright", "Quiet", "Bold", "Gentle", "Merry", "Clever", "Steady", "Lucky")
_BIRDS = ("Petrel", "Tern", "Albatross", "Gannet", "Puffin", "Swift", "Heron", "Plover", "Skua", "Osprey")


class Visitor(NamedTuple):
    """One browser."""

    id: str
    name: str

    def encode(self) -> str:
        """Returns what goes into the cookie."""
        return json.dumps(self)


def new_visitor() -> Visitor:
    """Returns somebody nobody has seen before, under a name to be changed."""
    return Visitor(secrets.token_hex(8), f"{secrets.choice(_MANNERS)} {secrets.choice(_BIRDS)}")


def decode(cookie: bytes | None) -> Visitor | None:
    """Returns who a cookie names. Its signature has been checked, so only its absence needs a thought."""
    return None if cookie is None else Visitor(*json.loads(cookie))


def tidy(text: str) -> str:
    """Returns `text` without what can't be seen, which could make one name look like another, in one line."""
    visible = "".join(
        char if unicodedata.category(char)[0] != "C" else " " for char in unicodedata.normalize("NFC", text)
    )
    return " ".join(visible.split())


def name_problem(name: str) -> str | None:
    """Returns what is wrong with a tidy name, None where nothing is."""
    if not name:
        return "Please give a name."
    if len(name) > NAME_CHARS:
        return f"A name may have {NAME_CHARS} characters."
    return None
