"""Whose callbacks fill the queue of a loop."""

from __future__ import annotations

import asyncio
from collections import Counter

from eyewall.doctor.places import Place
from eyewall.doctor.stalls.readyqueue import most_frequent
from eyewall.doctor.stalls.stack import Spot, Stack

OWN = Place(__file__, 1, "fills")
OTHER = Place(__file__, 2, "works")
LIBRARY = Place(asyncio.__file__, 3, "schedules")


def at(place: Place) -> Stack:
    return Stack((Spot(place, "module"),), 0, None)


def test_who_of_the_application_puts_most_in() -> None:
    assert most_frequent(Counter({LIBRARY: 50, OWN: 9, OTHER: 2}), [at(OTHER)]) == OWN


def test_what_of_the_application_is_at_work_where_only_libraries_put_something_in() -> None:
    assert most_frequent(Counter({LIBRARY: 50}), [at(LIBRARY), at(LIBRARY), at(OTHER)]) == OTHER


def test_a_library_where_there_is_nothing_else() -> None:
    assert most_frequent(Counter({LIBRARY: 50}), [at(LIBRARY)]) == LIBRARY
    assert most_frequent(Counter(), [at(LIBRARY)]) == LIBRARY
    assert most_frequent(Counter(), []) is None
