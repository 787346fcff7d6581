"""What the command line says of load shedding: `--shed auto` or `--shed NAME=VALUE,…`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eyewall.cli.settings import SettingError
from eyewall.guard.limits.shedding import Gradient, Pressure

if TYPE_CHECKING:
    from eyewall.guard.limits.adaptivelimit import AdaptiveLimit
    from eyewall.guard.profile import Profile

OPTION = "--shed"
_LEAST, _MOST, _INITIAL = 4, 1000, 20
_COUNTS = ("least", "most", "initial")
_NUMBERS = ("tolerance", "target_lag")


def parse_shedding(text: str) -> dict[str, float]:
    """Returns the arguments of an `AdaptiveLimit` that the text states; `auto` states none.

    Raises SettingError for what is not of the form, and for values that make no sense.
    """
    stated: dict[str, float] = {}
    for part in [] if text == "auto" else text.split(","):
        name, equals, value = part.partition("=")
        if not equals or name not in (*_COUNTS, *_NUMBERS):
            raise SettingError(
                OPTION,
                f"{part!r} is neither auto nor NAME=VALUE with one of {', '.join((*_COUNTS, *_NUMBERS))}",
            )
        try:
            stated[name] = int(value) if name in _COUNTS else float(value)
        except ValueError:
            raise SettingError(OPTION, f"{name} is a number, not {value!r}") from None
    try:
        least, most, initial = _bounds(stated, 0)
        Gradient(least=least, most=most, initial=initial, tolerance=stated.get("tolerance", 1.5))
        Pressure(target=stated.get("target_lag", 0.05))
    except ValueError as error:
        raise SettingError(OPTION, f"{text!r}: {error}") from None
    return stated


def shedding(stated: dict[str, float], profile: Profile) -> AdaptiveLimit:
    """Returns the limit that adapts: with the queue of the profile, and not above its limit `requests`."""
    # Nothing else of the command line needs it.
    from eyewall.guard.limits.adaptivelimit import AdaptiveLimit

    least, most, initial = _bounds(stated, profile.requests)
    return AdaptiveLimit(
        least=least,
        most=most,
        initial=initial,
        tolerance=stated.get("tolerance", 1.5),
        target_lag=stated.get("target_lag", 0.05),
        queue=profile.request_queue,
        patience=profile.request_queue_timeout,
    )


def _bounds(stated: dict[str, float], requests: int) -> tuple[int, int, int]:
    """Returns `least`, `most`, `initial`; what is not stated gives way to what is."""
    most = int(stated.get("most", requests or max(_MOST, stated.get("initial", 0), stated.get("least", 0))))
    least = int(stated.get("least", min(_LEAST, most, stated.get("initial", _LEAST))))
    return least, most, int(stated.get("initial", min(max(_INITIAL, least), most)))
