"""What a command says of a process that it can't ask: why, and what is seen of it from outside."""

from __future__ import annotations

import sys
from typing import NoReturn

import click

from eyewall.doctor.control.client import NoDoctor
from eyewall.doctor.control.outside import is_stopped, stacks_from_outside
from eyewall.doctor.control.protocol import ControlError

#: The status: there is no such process, or none that can be asked.
NOT_ASKED = 3


def give_up(command: str, pid: int, error: NoDoctor | ControlError) -> NoReturn:
    """Says that `pid` can't be asked; where it has no doctor, or one that does not answer, also what its threads do."""
    click.echo(f"eyewall {command}: {error}.", err=True)
    if error.code in ("no-doctor", "silent"):
        if is_stopped(pid):
            click.echo("It was stopped, by a signal or a debugger.", err=True)
        seen, text = stacks_from_outside(pid)
        if seen:
            click.echo("What its threads do in this moment, seen from outside:", err=True)
        click.echo(text, err=not seen, nl=not seen)
    sys.exit(NOT_ASKED)
