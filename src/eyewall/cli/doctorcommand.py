"""`eyewall doctor`: what is wrong with a process."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import click

from eyewall.cli.continuation import Continuation
from eyewall.cli.exits import ExitCode

_STATUS = """
\b
Exit status:
  0   nothing was found
  10  the worst finding is a notice
  11  ... a warning
  12  ... an error
  2   a wrong option
"""


@click.group()
def doctor() -> None:
    """Say what is wrong with a process, and where."""


class _Program(click.Command):
    """A command whose arguments end with a program and what belongs to that, as the interpreter's own do."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        with_value = {
            name
            for parameter in self.get_params(ctx)
            if isinstance(parameter, click.Option) and not parameter.is_flag
            for name in parameter.opts
        }
        place = 0
        while place < len(args) and args[place].startswith("-") and args[place] not in ("-m", "-c", "--"):
            place += 1 + (args[place] in with_value)
        rest = args[place:]
        return super().parse_args(ctx, args[:place] + (rest if rest[:1] == ["--"] else ["--", *rest]))


@doctor.command(cls=_Program, epilog=_STATUS, context_settings={"allow_interspersed_args": False})
@click.option(
    "--report", type=click.Path(dir_okay=False), default=None, help="Write what was found there, as JSON."
)
@click.option(
    "--exit-on",
    "exit_on",
    multiple=True,
    metavar="RULE",
    help="End the program at the first finding of this rule, or of `any`; several times.",
)
@click.option(
    "--status/--no-status",
    default=False,
    help="Let a program that ends well end with a status that says what was found.",
)
@click.option("--ignore", multiple=True, metavar="RULE", help="Tell nothing of this rule; several times.")
@click.option(
    "--without", multiple=True, metavar="DETECTOR", help="Do not start this detector; several times."
)
@click.option(
    "--log-level", default="info", show_default=True, help="Log findings from this level on; or never."
)
@click.option("--socket/--no-socket", default=True, help="Let `eyewall doctor PID` ask it.")
@click.option("--alias/--no-alias", default=False, help="Let `tornado` mean Eyewall in it.")
@click.argument("program", nargs=-1, type=click.UNPROCESSED, required=True)
def run(
    report: str | None,
    exit_on: tuple[str, ...],
    status: bool,
    alias: bool,
    program: tuple[str, ...],
    **options: Any,
) -> None:
    """Run a program with the doctor on: any program that uses asyncio.

    PROGRAM is SCRIPT ARGS..., -m MODULE ARGS... or -c CODE ARGS..., as the interpreter takes it. Its arguments,
    signals and exit status are its own, unless --exit-on or --status say otherwise.
    """
    from eyewall.cli.underdoctor import Wishes, prepare
    from eyewall.doctor.options import OptionError
    from eyewall.tornado._alias import AliasError
    from eyewall.tornado._program import ProgramError

    if program[0] in ("-m", "-c") and len(program) < 2:
        raise click.UsageError(f"{program[0]} names nothing to run")
    wishes = Wishes(report=report, exit_on=frozenset(exit_on), status=status, alias=alias, options=options)
    action: Callable[[], None]
    try:
        action = prepare(list(program), wishes)
    except OptionError as error:
        raise click.UsageError(str(error)) from None
    except (ProgramError, AliasError) as error:
        click.echo(f"eyewall doctor: {error}", err=True)
        sys.exit(ExitCode.USAGE)
    raise Continuation(action)
