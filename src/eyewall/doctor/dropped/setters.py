"""Where an exception was set on a future that was never raised: it has no traceback, and the future does not know.

To stand before `set_exception` is not possible, since asyncio's futures are written in C; nor would it be free. But few
functions of an application name it. So they are looked for, when there is such an exception: by their code, of which
the interpreter has the names. Where there is more than one, those that name the exception's class are more likely, and
those that are at work where the future is dropped.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import lru_cache
from types import CodeType, FrameType
from typing import NamedTuple

from eyewall.doctor.codes import codes_of_application, lines_that_name
from eyewall.doctor.places import Place

#: Functions that are looked at.
FUNCTIONS = 20_000
#: Places that are named where it may have been any of them.
CANDIDATES = 10
_NAME = "set_exception"


class Setters(NamedTuple):
    """The place that has set the exception, None where that can't be known; and all that may have."""

    place: Place | None
    candidates: tuple[Place, ...]


def setters_of(error: BaseException) -> Setters:
    """Returns what can be known of where `error`, which was never raised, was set on a future that is dropped now."""
    candidates = _all(len(sys.modules))
    kind = type(error).__name__
    running = set(_running(sys._getframe()))
    for likely in (
        candidates,
        [each for each in candidates if kind in each[0].co_names],
        [each for each in candidates if each[0] in running],
    ):
        if len(likely) == 1:
            return Setters(likely[0][1], ())
    return Setters(None, tuple([place for _, place in candidates[:CANDIDATES]]))


@lru_cache(maxsize=1)
def _all(modules: int) -> list[tuple[CodeType, Place]]:
    """Returns all functions of the application that name `set_exception`, with the line. There may be many exceptions
    at once, and the functions are the same, as long as there are so many `modules`."""
    return [
        (code, Place(code.co_filename, line, code.co_qualname))
        for code in codes_of_application(FUNCTIONS)
        for line in lines_that_name(code, _NAME)
    ]


def _running(frame: FrameType | None) -> Iterator[CodeType]:
    while frame is not None:
        yield frame.f_code
        frame = frame.f_back
