"""What is of use of a stack in a test: what runs in the loop, without the runner of the tests around it."""

from __future__ import annotations

from collections.abc import Sequence
from types import FrameType

from eyewall.doctor.places import Place, is_own, places_of

#: The function that all loops run in.
_RUNNING = (__file__.replace("examining/stacks.py", "loops.py"), "Loops._running.<locals>.run")


def own_frames(frames: Sequence[FrameType]) -> list[FrameType]:
    """Returns the frames within the innermost loop that runs, all where none does."""
    for number in range(len(frames) - 1, -1, -1):
        code = frames[number].f_code
        if (code.co_filename, code.co_qualname) == _RUNNING:
            return [*frames[number + 1 :]]
    return [*frames]


def inner(frames: Sequence[FrameType]) -> tuple[Place, ...]:
    """Returns the places within the innermost loop, from the first one that is the application's."""
    return begun(places_of(own_frames(frames)))


def begun(places: tuple[Place, ...]) -> tuple[Place, ...]:
    """Returns places within the innermost loop, from the first one that is the application's, all where none is."""
    for number in range(len(places) - 1, -1, -1):
        if (places[number].file, places[number].function) == _RUNNING:
            places = places[number + 1 :]
            break
    first = next((number for number, place in enumerate(places) if is_own(place)), 0)
    return places[first:]
