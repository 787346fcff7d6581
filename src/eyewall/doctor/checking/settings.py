"""What `[tool.eyewall.check]` in pyproject.toml says.

[tool.eyewall.check]
select = ["EW1", "EW2"]                        # all, where it is left out
ignore = ["blocking-file"]
exclude = ["generated", "vendor/*"]            # besides hidden folders, build, dist, venv, node_modules, …
per-file-ignores = { "tests/*" = ["EW2"] }
types = true                                   # through mypy, where it is installed
ruff = true
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from eyewall.doctor.checking.rulebook import UnknownRule, named

FILE = "pyproject.toml"


class SettingsError(ValueError):
    """The configuration says something that can't be meant."""


@dataclass(frozen=True, slots=True)
class Settings:
    """`root`: the folder that patterns are relative to."""

    root: Path
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    per_file_ignores: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    types: bool = True
    ruff: bool = True


def find(start: Path) -> Settings:
    """Returns what the nearest pyproject.toml at or above `start` says that has such a section.

    Raises SettingsError.
    """
    for folder in (start, *start.parents):
        file = folder / FILE
        if file.is_file():
            section = _section(file)
            if section is not None:
                return _settings(file, section)
    return Settings(start)


def load(file: Path) -> Settings:
    """Returns what this pyproject.toml says. Raises SettingsError."""
    return _settings(file, _section(file) or {})


def _section(file: Path) -> Mapping[str, object] | None:
    try:
        content = tomllib.loads(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{file} can't be read: {error}") from None
    section = content.get("tool", {}).get("eyewall", {}).get("check")
    if section is None or isinstance(section, dict):
        return section
    raise SettingsError(f"{file}: tool.eyewall.check must be a table")


def _settings(file: Path, section: Mapping[str, object]) -> Settings:
    left = dict(section)
    per_file = left.pop("per-file-ignores", {})
    if not isinstance(per_file, dict):
        raise SettingsError(f"{file}: per-file-ignores must be a table of lists, by pattern")
    settings = Settings(
        file.parent.resolve(),
        select=_words(file, "select", left.pop("select", [])),
        ignore=_words(file, "ignore", left.pop("ignore", [])),
        exclude=_words(file, "exclude", left.pop("exclude", [])),
        per_file_ignores={
            pattern: _words(file, f"per-file-ignores.{pattern}", words) for pattern, words in per_file.items()
        },
        types=_flag(file, "types", left.pop("types", True)),
        ruff=_flag(file, "ruff", left.pop("ruff", True)),
    )
    if left:
        raise SettingsError(f"{file}: tool.eyewall.check has no setting {next(iter(left))!r}")
    try:
        for words in (settings.select, settings.ignore, *settings.per_file_ignores.values()):
            named(words)
    except UnknownRule as error:
        raise SettingsError(f"{file}: {error}") from None
    return settings


def _words(file: Path, name: str, value: object) -> tuple[str, ...]:
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return tuple(value)
    raise SettingsError(f"{file}: {name} must be a list of strings, not {value!r}")


def _flag(file: Path, name: str, value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise SettingsError(f"{file}: {name} must be true or false, not {value!r}")
