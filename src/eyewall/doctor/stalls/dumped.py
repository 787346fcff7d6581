"""What a dumped stack lacks: the modules of its frames, and the classes of its functions.

A dump has files, lines and bare names. A frame that the thread is still in, right after the call that kept the
interpreter, has them all; for the others the loaded modules are asked.
"""

from __future__ import annotations

import sys
from types import ModuleType

from eyewall.doctor.codes import codes_of
from eyewall.doctor.places import Place, best_of
from eyewall.doctor.stalls.stack import Spot, Stack


def stack_of(places: tuple[Place, ...], depth: int, after: Stack) -> Stack:
    """Returns a dumped stack as one that was read. `depth`: frames beneath a callback, which are left out; `after`:
    the stack right after it, without them."""
    places = places[depth:] or places[-1:]
    spots = tuple([_spot(place, index, after.spots) for index, place in enumerate(places)])
    best = best_of([spot.place for spot in spots])
    culprit = max((index for index, spot in enumerate(spots) if spot.place == best), default=len(spots) - 1)
    return Stack(spots, culprit, None)


def _spot(place: Place, index: int, after: tuple[Spot, ...]) -> Spot:
    if index < len(after) and _is(after[index], place):
        known = after[index]
        return known._replace(place=known.place._replace(line=place.line))
    module = _module_of(place.file)
    if module is None:
        return Spot(place, "")
    return Spot(place._replace(function=_qualified(module, place)), module.__name__)


def _is(spot: Spot, place: Place) -> bool:
    return spot.place.file == place.file and spot.place.function.rpartition(".")[2] == place.function


def _module_of(file: str) -> ModuleType | None:
    for module in list(sys.modules.values()):
        if getattr(module, "__file__", None) == file:
            return module
    return None


def _qualified(module: ModuleType, place: Place) -> str:
    """Returns the name of the function in `place` with those of its classes, the bare one where it is not found."""
    for code in codes_of(module):
        if code.co_name == place.function and any(line == place.line for _, _, line in code.co_lines()):
            return code.co_qualname
    return place.function
