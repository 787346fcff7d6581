"""Where the time goes: of requests by route, of the loop, and what requests stand and wait for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eyewall._face import lazy_face

if TYPE_CHECKING:
    from eyewall.doctor.timing.times import PHASES, RouteTimes, route_times

__all__ = ["PHASES", "RouteTimes", "route_times"]

_NAMES = {"PHASES": "times", "RouteTimes": "times", "route_times": "times"}

__getattr__, __dir__ = lazy_face(__name__, _NAMES)
