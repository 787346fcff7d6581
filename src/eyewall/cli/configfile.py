"""The configuration file: `eyewall.toml`, or `[tool.eyewall]` in pyproject.toml.

Its keys are the long options of `eyewall run` without their hyphens in front, and `target`. What it says becomes the
defaults of the command line, so that the command line and the environment come before it by click's own rules.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from eyewall.cli.settings import SettingError, parse_limits
from eyewall.cli.target import TargetError, parse

OWN_FILE = "eyewall.toml"
PROJECT_FILE = "pyproject.toml"
#: Sections of `[tool.eyewall]` that are not for serving: other commands read them.
_OF_OTHERS = frozenset({"check"})
#: Options that make no sense in a file.
_ELSEWHERE = frozenset({"config"})
_MOST_OFFERED = 3


class ConfigError(click.UsageError):
    """The file can't be read, or says something that can't be meant; the message names it and the key."""


def find(start: Path) -> Path | None:
    """Returns the nearest file that configures, in `start` or above: eyewall.toml, or a pyproject.toml with the section
    `[tool.eyewall]`. None where there is none. Above `start` only files of this user or of root count: in a folder that
    all may write to, as /tmp, anybody could say what is served. Raises ConfigError for a pyproject.toml that can't be
    read.
    """
    for folder in (start, *start.parents):
        own, project = folder / OWN_FILE, folder / PROJECT_FILE
        if _is_there(own, folder == start):
            return own
        if _is_there(project, folder == start) and _section(project, _parsed(project)) is not None:
            return project
    return None


def defaults_from(file: Path, command: click.Command, ctx: click.Context) -> dict[str, Any]:
    """Returns what `file` says, by the names of the parameters of `command`, as click takes it for `default_map`.

    Paths are relative to the file; a module that it names as `target` is looked for beside it. Raises ConfigError.
    """
    content = _parsed(file)
    section = _section(file, content) if file.name == PROJECT_FILE else content
    known = keys(command)
    defaults: dict[str, Any] = {}
    for key, value in (section or {}).items():
        if file.name == PROJECT_FILE and key in _OF_OTHERS:
            continue
        name = key.replace("_", "-")
        parameter = known.get(name)
        if parameter is None or parameter.name is None:
            raise ConfigError(f"{file}: there is no key {key!r}{_offer(key, known)}")
        if parameter.name in defaults:
            raise ConfigError(f"{file}: {key!r} is there twice, with a hyphen and with an underscore")
        try:
            defaults[parameter.name] = _value(name, value, parameter, ctx, file.parent)
        except click.BadParameter as error:
            raise ConfigError(f"{file}: {key}: {error.message}") from None
        except ValueError as error:
            raise ConfigError(f"{file}: {key}: {error}") from None
    if "target" in defaults and "app_dir" in known_names(known):
        defaults.setdefault("app_dir", str(file.parent))
    return defaults


def keys(command: click.Command) -> dict[str, click.Parameter]:
    """Returns the keys that a file may have, each with what it sets."""
    found: dict[str, click.Parameter] = {}
    for parameter in command.params:
        if isinstance(parameter, click.Argument):
            found[str(parameter.name)] = parameter
        else:
            name = key_of(parameter)
            if name not in _ELSEWHERE:
                found[name] = parameter
    return found


def known_names(known: Mapping[str, click.Parameter]) -> set[str]:
    """Returns the names of these parameters."""
    return {str(parameter.name) for parameter in known.values()}


def key_of(parameter: click.Parameter) -> str:
    """Returns what an option is called in a file: its first long name."""
    if isinstance(parameter, click.Argument):
        return str(parameter.name)
    return next(name for name in parameter.opts if name.startswith("--"))[2:]


def _is_there(file: Path, here: bool) -> bool:
    return file.is_file() and (here or _owner(file) in (0, os.geteuid()))


def _owner(file: Path) -> int:
    return file.stat().st_uid


# -- reading --------------------------------------------------------------------------------------------


def _parsed(file: Path) -> dict[str, Any]:
    # Completion in a shell reads no file.
    import tomllib

    try:
        return tomllib.loads(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigError(f"{file} can't be read: {said}") from None


def _section(file: Path, content: Mapping[str, Any]) -> Mapping[str, Any] | None:
    tool = content.get("tool", {})
    section = tool.get("eyewall") if isinstance(tool, dict) else None
    if section is None or isinstance(section, dict):
        return section
    raise ConfigError(f"{file}: tool.eyewall must be a table, as in [tool.eyewall]")


def _offer(key: str, known: Mapping[str, object]) -> str:
    # Only for the message.
    import difflib

    near = difflib.get_close_matches(key.replace("_", "-"), known, _MOST_OFFERED)
    if near:
        return f". Did you mean {' or '.join(map(repr, near))}?"
    return f"; there is {', '.join(sorted(known))}"


# -- values ---------------------------------------------------------------------------------------------


def _value(key: str, value: object, parameter: click.Parameter, ctx: click.Context, folder: Path) -> Any:
    """Returns a value of TOML as click would get it. Raises ValueError or BadParameter for one that does not fit."""
    if key == "target":
        return _target(_text(value), folder)
    if key == "limit":
        texts = _limits(value)
        _checked(parse_limits, texts)
        return texts
    if key == "executor":
        # It brings the executors themselves, which nobody else needs.
        from eyewall.cli.executors import parse_executors

        texts = _executors(value)
        _checked(parse_executors, texts)
        return texts
    if key == "dashboard" and isinstance(value, bool | int):
        # Like the option, which may have an address or none.
        value = _plain(value)
    if parameter.multiple:
        if not isinstance(value, list):
            value = [value]
        return [_single(each, parameter, ctx, folder) for each in value]
    return _single(value, parameter, ctx, folder)


def _single(value: object, parameter: click.Parameter, ctx: click.Context, folder: Path) -> Any:
    kind = parameter.type
    if isinstance(parameter, click.Option) and parameter.is_flag:
        if isinstance(value, bool):
            return value
        raise ValueError(f"must be true or false, not {value!r}")
    if isinstance(kind, click.IntRange):
        if type(value) is not int:
            raise ValueError(f"must be a whole number, not {value!r}")
    elif isinstance(kind, click.FloatRange):
        if type(value) not in (int, float):
            raise ValueError(f"must be a number, not {value!r}")
    else:
        value = _text(value)
        if isinstance(kind, click.Path) and not value.startswith("@"):
            value = os.path.normpath(folder / value)
    kind.convert(value, parameter, ctx)
    return value


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    raise ValueError(f"must be a text in quotation marks, not {value!r}")


def _target(text: str, folder: Path) -> str:
    try:
        target = parse(text)
    except TargetError as error:
        raise ValueError(str(error)) from None
    if not target.path:
        return text
    path = os.path.normpath(folder / target.path)
    return f"{path}:{target.attribute}" if target.attribute else path


def _limits(value: object) -> list[str]:
    if isinstance(value, dict):
        return [f"{name}={_plain(each)}" for name, each in value.items()]
    return _texts(value, 'a table like { body_bytes = "1G" }')


def _executors(value: object) -> list[str]:
    if not isinstance(value, dict):
        return _texts(value, 'a table like { cpu = "processes,workers=4" }')
    texts = []
    for name, each in value.items():
        if isinstance(each, dict):
            left = dict(each)
            medium = [_text(left.pop("medium"))] if "medium" in left else []
            each = ",".join([*medium, *(f"{key}={_plain(setting)}" for key, setting in left.items())])
        texts.append(f"{name}={_text(each)}")
    return texts


def _texts(value: object, form: str) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return [_text(each) for each in value]
    raise ValueError(f"must be {form}, not {value!r}")


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, str | int | float):
        return str(value)
    raise ValueError(f"{value!r} is neither a text nor a number nor true or false")


def _checked(parse_texts: Any, texts: list[str]) -> None:
    try:
        parse_texts(texts)
    except SettingError as error:
        raise ValueError(str(error)) from None
