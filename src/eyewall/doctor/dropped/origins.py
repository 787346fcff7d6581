"""Where an exception comes from that nobody has read.

a group            it was made where the group was waited for; of use is where one of those in it was raised
another process    a job of a process pool: its traceback did not come along, but its text did, as the cause
"""

from __future__ import annotations

import re
from types import FrameType
from typing import NamedTuple

from eyewall.doctor.places import DEPTH, Place, best_of, frames_of_error, is_own, traceback_of

#: Exceptions within groups that are looked at.
MOST = 20
#: What carries the text of a traceback out of another process: of `concurrent.futures`, of `multiprocessing`.
_REMOTE = ("_RemoteTraceback", "RemoteTraceback")
_LINE = re.compile(r'^ *File "(.+)", line (\d+), in (.+)$', re.MULTILINE)


class Origin(NamedTuple):
    """`places`: those that the exception passed, from the outermost to the one that raised it; none for one that was
    never raised. `place`: the one of use. `frames`: those of this process. `kind` and `text` are for people."""

    places: tuple[Place, ...]
    place: Place | None
    frames: list[FrameType]
    kind: str
    text: str


def origin_of_error(error: BaseException) -> Origin:
    """Returns where `error` comes from; of a group, where the first in it does that has passed the application."""
    kind, text = type(error).__name__, f"{type(error).__name__}: {error}"
    best = _origin(error)
    inner = error
    if isinstance(error, BaseExceptionGroup):
        for each in _within(error):
            origin = _origin(each)
            if origin[1] is not None and is_own(origin[1]):
                best, inner = origin, each
                break
        else:
            inner = next(iter(_within(error)), error)
        if inner is not error:
            kind = f"{kind} of {type(inner).__name__}"
            text = f"{text}: {type(inner).__name__}: {inner}"
    return Origin(
        *best, frames_of_error(error) + (frames_of_error(inner) if inner is not error else []), kind, text
    )


def _origin(error: BaseException) -> tuple[tuple[Place, ...], Place | None]:
    cause = error.__cause__
    if type(cause).__name__ in _REMOTE:
        places = tuple(
            [Place(file, int(line), name) for file, line, name in _LINE.findall(str(cause))][-DEPTH:]
        )
        best = best_of(places)
        if best is not None and is_own(best):
            return places, best
    return traceback_of(error)


def _within(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    """Returns the exceptions in a group, and in those groups that it has, no more than `MOST` of them."""
    found: list[BaseException] = []
    left: list[BaseException] = [group]
    while left and len(found) < MOST:
        each = left.pop(0)
        if isinstance(each, BaseExceptionGroup):
            left[:0] = each.exceptions[:MOST]
        else:
            found.append(each)
    return found
