"""`eyewall tornado`: what `import tornado` means in this virtual environment."""

from __future__ import annotations

import os
import sys

import click

from eyewall._version import TORNADO_API_VERSION
from eyewall.cli.aliasfile import AliasFileError, Environment
from eyewall.cli.exits import ExitCode

#: What is inherited by the children of a program that runs under `python -m eyewall.tornado`.
_INHERITED = os.path.join("eyewall", "tornado", "inherit")


@click.group()
def tornado() -> None:
    """Let `tornado` mean Eyewall in this virtual environment.

    With `on`, every program of the environment, and every package that is installed in it, gets
    `eyewall.tornado` where it imports tornado. For one program alone: `python -m eyewall.tornado SCRIPT`.
    """


@tornado.command()
def on() -> None:
    """Let tornado mean Eyewall from now on."""
    environment = Environment.of_interpreter()
    changed = _attempt(environment.turn_on)
    click.echo(f"{'On' if changed else 'It is on already'}: {environment.file}")
    click.echo(
        f"`import tornado` means eyewall.tornado in {environment.prefix}, for programs that start from now on."
    )


@tornado.command()
def off() -> None:
    """Let tornado mean Tornado again."""
    environment = Environment.of_interpreter()
    if _attempt(environment.turn_off):
        click.echo(f"Off: removed {environment.file}")
    else:
        click.echo(f"It is off already: there is no {environment.file}")


@tornado.command()
def status() -> None:
    """Say which tornado a program gets, and why."""
    environment = Environment.of_interpreter()
    is_on = _attempt(environment.is_on)
    real = _real()
    if is_on:
        click.echo(f"tornado is eyewall.tornado (API {TORNADO_API_VERSION}), because of {environment.file}")
        if not _attempt(environment.is_current):
            click.echo("Another version of Eyewall wrote that file; `eyewall tornado on` renews it.")
    elif any(_INHERITED in entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep)):
        click.echo(
            f"tornado is eyewall.tornado (API {TORNADO_API_VERSION}), because PYTHONPATH says so: this is a child of "
            "`python -m eyewall.tornado`"
        )
    elif real is not None:
        click.echo(f"tornado is {real}: the alias is off in {environment.prefix}")
    else:
        click.echo(
            f"There is no tornado: the alias is off in {environment.prefix}, and Tornado is not installed"
        )
        return
    if is_on:
        click.echo(f"Installed besides: {real or 'no other Tornado'}")


def _attempt(action: object) -> bool:
    """Calls `action`; where the environment can't be changed or read, says why and ends."""
    assert callable(action)
    try:
        return bool(action())
    except AliasFileError as error:
        click.echo(f"eyewall tornado: {error}", err=True)
        sys.exit(ExitCode.USAGE)


def _real() -> str | None:
    """Says which Tornado is installed and where, without importing it; None for none."""
    # Reading an installed package's metadata takes longer than all the rest; only `status` does it.
    from importlib.metadata import distributions

    from eyewall.tornado._alias import installed

    spec = installed()
    if spec is None or spec.origin is None:
        return None
    folder = os.path.dirname(os.path.dirname(spec.origin))
    versions = [found.version for found in distributions(name="tornado", path=[folder])]
    return f"Tornado {versions[0] if versions else 'of unknown version'} in {os.path.dirname(spec.origin)}"
