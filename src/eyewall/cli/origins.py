"""Where the value of an option came from: the command line, the environment, a file, or nowhere but the defaults."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click
from click.core import ParameterSource

from eyewall.cli.configfile import defaults_from, find
from eyewall.cli.settings import is_dashboard

#: The option whose value may be left away.
_OPTIONAL = "--dashboard"
_FILE = "eyewall.cli.configuration"

COMMAND_LINE = "command line"
ENVIRONMENT = "environment"
FILE = "file"
DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Origin:
    """`kind` is one of the four above; `detail` names the variable or the file, "" for the others."""

    kind: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.kind} ({self.detail})" if self.detail else self.kind


class ConfiguredCommand(click.Command):
    """A command with the option `--config`, whose errors say where a wrong value came from."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, _with_values(args))
        except click.BadParameter as error:
            blamed = blame(ctx, error.param) if error.param is not None else ""
            if not blamed:
                raise
            raise click.BadParameter(
                error.message + blamed, error.ctx, error.param, error.param_hint
            ) from None


def _with_values(args: list[str]) -> list[str]:
    """Returns the arguments with a value for each `--dashboard` that has none: what follows it may be the target."""
    found: list[str] = []
    for number, each in enumerate(args):
        if each == "--":
            return [*found, *args[number:]]
        follows = args[number + 1] if number + 1 < len(args) else ""
        found.append("--dashboard=on" if each == _OPTIONAL and not is_dashboard(follows) else each)
    return found


def read_file(ctx: click.Context, _: click.Parameter, value: str | None) -> None:
    """The callback of `--config`: makes what the file says the defaults of all other options. Raises ConfigError."""
    if ctx.resilient_parsing:
        return
    file = Path(value).resolve() if value is not None else find(Path.cwd())
    if file is not None:
        ctx.meta[_FILE] = file
        ctx.default_map = defaults_from(file, ctx.command, ctx)


def file_of(ctx: click.Context) -> Path | None:
    """Returns the file that was read, None where there was none."""
    file: Path | None = ctx.meta.get(_FILE)
    return file


def origin_of(ctx: click.Context, parameter: click.Parameter) -> Origin:
    """Returns where the value of `parameter` came from."""
    source = ctx.get_parameter_source(str(parameter.name))
    if source is ParameterSource.COMMANDLINE:
        return Origin(COMMAND_LINE)
    if source is ParameterSource.ENVIRONMENT:
        return Origin(ENVIRONMENT, str(parameter.envvar))
    if source is ParameterSource.DEFAULT_MAP:
        return Origin(FILE, str(file_of(ctx)))
    return Origin(DEFAULT)


def blame(ctx: click.Context, parameter: click.Parameter) -> str:
    """Returns what a message adds where the value was not typed just now: who reads it may not know of it."""
    origin = origin_of(ctx, parameter)
    return f" (from the {origin.kind}: {origin.detail})" if origin.detail else ""


def blame_option(ctx: click.Context, option: str) -> str:
    """Returns `blame` for the parameter that has this option."""
    return next((blame(ctx, each) for each in ctx.command.params if option in each.opts), "")
