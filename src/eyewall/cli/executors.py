"""What the command line says of executors: `--executor NAME=MEDIUM,SETTING=VALUE,…`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from eyewall.cli.settings import SettingError
from eyewall.guard.executors.jobqueue import Full
from eyewall.guard.executors.registry import MEDIA

OPTION = "--executor"
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)


def _count(least: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        number = int(text)
        if number < least:
            raise ValueError(f"at least {least}")
        return number

    return parse


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0.0 <= seconds < 1e9:
        raise ValueError("a number of seconds")
    return seconds


def _text(text: str) -> str:
    return text


_SETTINGS: dict[str, Callable[[str], Any]] = {
    "workers": _count(1),
    "queue": _count(0),
    "full": lambda text: Full(text).value,
    "wait": _seconds,
    "waiting": _count(0),
    "cluster": _text,
    "method": _text,
}


def parse_executors(texts: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Returns what `registry.override` takes: by name, the settings that the texts state.

    Raises SettingError for what is not of the form, and for settings and values that do not exist.
    """
    found: dict[str, dict[str, Any]] = {}
    for text in texts:
        name, equals, rest = text.partition("=")
        if not equals or _NAME.fullmatch(name) is None:
            raise SettingError(OPTION, f"{text!r} is not of the form NAME=threads,workers=4")
        found[name] = _parse(text, rest)
    return found


def _parse(text: str, rest: str) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for number, part in enumerate(rest.split(",")):
        key, equals, value = part.partition("=")
        if number == 0 and not equals:
            if key not in MEDIA:
                raise SettingError(OPTION, f"{text!r}: jobs run on {', '.join(MEDIA)}, not on {key!r}")
            settings["medium"] = key
            continue
        parse = _SETTINGS.get(key)
        if parse is None:
            raise SettingError(OPTION, f"{text!r}: there is no setting {key!r}, only {', '.join(_SETTINGS)}")
        try:
            settings[key] = parse(value)
        except ValueError as error:
            raise SettingError(OPTION, f"{text!r}: {key} cannot be {value!r} ({error})") from None
    return settings
