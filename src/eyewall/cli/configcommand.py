"""`eyewall config`: what `eyewall run` would serve with, and where each value came from."""

from __future__ import annotations

import importlib.util
import json
from typing import Any

import click

from eyewall.cli.configfile import key_of
from eyewall.cli.origins import ConfiguredCommand, file_of, origin_of
from eyewall.cli.run import run, settings_of
from eyewall.cli.settings import DEFAULT_HOST, DEFAULT_PORT, Settings

#: Options that end so are never printed.
_SECRET = ("password", "token")
_HIDDEN = "(hidden)"
#: What a text shows where there is nothing.
_NONE = "-"

_EPILOG = """
\b
TARGET and all options are those of `eyewall run`. The command line comes first,
then the environment, then the file, then the default.
"""


def _config(output: str, **options: Any) -> None:
    ctx = click.get_current_context()
    settings = settings_of(ctx, options)
    file = file_of(ctx)
    rows = {}
    for parameter in run.params:
        key = key_of(parameter)
        if key != "config":
            value = _effective(key, options[str(parameter.name)], settings)
            rows[key] = (
                _HIDDEN if key.endswith(_SECRET) and value is not None else value,
                origin_of(ctx, parameter),
            )
    if output == "json":
        told = {
            key: {"value": value, "source": origin.kind, "from": origin.detail or None}
            for key, (value, origin) in rows.items()
        }
        click.echo(json.dumps({"file": None if file is None else str(file), "options": told}, indent=2))
        return
    click.echo(f"File: {file if file is not None else 'none'}")
    keys = max(map(len, rows))
    values = max(len(_text(value)) for value, _ in rows.values())
    for key, (value, origin) in rows.items():
        # The file was named above.
        where = str(origin) if origin.detail != str(file) else origin.kind
        click.echo(f"{key:{keys}}  {_text(value):{values}}  {where}")


config = ConfiguredCommand(
    "config",
    params=[
        *run.params,
        click.Option(["--format", "output"], type=click.Choice(["text", "json"]), default="text"),
    ],
    callback=_config,
    help="Show what `eyewall run` would serve with, and where each value came from.",
    epilog=_EPILOG,
)


def _effective(key: str, value: Any, settings: Settings) -> Any:
    """Returns what holds where an option that was not given has a default that depends on others."""
    if key == "drain-timeout":
        return settings.drain_timeout
    if key == "reload-suffix":
        return list(settings.reload_suffixes)
    if key == "reload-dir":
        return list(value) or [settings.app_dir]
    if key in ("host", "port"):
        given = settings.hosts or settings.port is not None
        if not given and (settings.unix or settings.fds):
            return None
        return (list(value) or [DEFAULT_HOST]) if key == "host" else DEFAULT_PORT if value is None else value
    if key == "loop" and value is None:
        return "uvloop" if importlib.util.find_spec("uvloop") is not None else "asyncio"
    if key == "unix-mode":
        return f"{value:o}"
    return list(value) if isinstance(value, tuple) else value


def _text(value: Any) -> str:
    if value is None or value == []:
        return _NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return " ".join(map(str, value))
    return str(value)
