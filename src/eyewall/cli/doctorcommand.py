"""`eyewall doctor`: what is wrong with a process."""

from __future__ import annotations

import shlex
import sys
import time
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
  3   there is no such process, or it can't be asked
"""
#: Seconds between two questions of `--watch`.
_AGAIN = 1.0


class _Doctor(click.Group):
    """A group whose commands are `run`, and what is done where none is named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0] not in self.commands and args[0] not in ctx.help_option_names):
            args = ["of", *args]
        return super().parse_args(ctx, args)

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write_usage(ctx.command_path, "[PID] [OPTIONS]")
        formatter.write_usage(ctx.command_path, "run [OPTIONS] PROGRAM ARGS...")

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        # Those of the command that is not named are how they look to whoever calls it.
        of = self.commands["of"]
        parameters = [each for each in of.get_params(ctx) if isinstance(each, click.Option)]
        records = [each.get_help_record(ctx) for each in parameters]
        with formatter.section("Options"):
            formatter.write_dl([each for each in records if each is not None])
        self.format_commands(ctx, formatter)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        self.commands["of"].format_epilog(ctx, formatter)


@click.group(cls=_Doctor)
def doctor() -> None:
    """Say what is wrong with a process, and where.

    With the number of a process, writes what its doctor has found. Without one, lists the processes that have a
    doctor. With `run`, runs a program with the doctor on.
    """


class _Of(click.Command):
    """What is done where no command is named: it is called as the group is."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        if parent is not None and parent.parent is not None:
            return super().make_context(parent.info_name, args, parent.parent, **extra)
        return super().make_context(info_name, args, parent, **extra)


@doctor.command(cls=_Of, hidden=True, epilog=_STATUS)
@click.argument("pid", type=click.IntRange(1), required=False)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "markdown", "json", "html"]),
    default="text",
    show_default=True,
    help="How to write it.",
)
@click.option("--watch", is_flag=True, help="Go on, and write what is found later, as text.")
def of(pid: int | None, form: str, watch: bool) -> None:
    """Write what the doctor in process PID has found; without a PID, list the processes that have one."""
    from eyewall.cli.unanswered import give_up
    from eyewall.doctor.control.client import Client, NoDoctor
    from eyewall.doctor.control.protocol import ControlError
    from eyewall.doctor.diagnosis import FORMATS, worst
    from eyewall.doctor.report import status_of

    if watch and form != "text":
        raise click.UsageError("--watch writes text")
    if pid is None:
        if watch:
            raise click.UsageError("--watch needs the PID of a process: without one there is a list of them")
        if form not in ("text", "json"):
            raise click.UsageError(f"--format {form} needs the PID of a process: the list is text or json")
        _list(form)
        return
    try:
        with Client(pid) as client:
            client.wake()
            document = client.call("findings")
            click.echo(FORMATS[form](document), nl=False)
            severities = worst(document)
            if watch:
                severities += _watch(client, document)
    except (NoDoctor, ControlError) as error:
        give_up("doctor", pid, error)
    sys.exit(status_of(severities))


def _watch(client: Any, document: Any) -> list[Any]:
    """Writes what is found from now on, until the process ends or an interrupt; returns how bad each is."""
    from eyewall.doctor.control.client import NoDoctor
    from eyewall.doctor.diagnosis import finding_text, worst

    known = {_key(each) for each in document["findings"]}
    severities: list[Any] = []
    try:
        while True:
            time.sleep(_AGAIN)
            document = client.call("findings")
            new = [each for each in document["findings"] if _key(each) not in known]
            for each in new:
                click.echo("\n" + finding_text(each))
            known.update(map(_key, new))
            severities += worst({"findings": new})
    except NoDoctor as error:
        click.echo(f"\n{error}", err=True)
    except KeyboardInterrupt:
        # It was to go on until then.
        pass
    return severities


def _key(finding: Any) -> tuple[Any, ...]:
    place = finding["place"] or {}
    return (
        finding["rule"],
        place.get("file"),
        place.get("line"),
        None if place else finding["summary"],
    )


def _list(form: str) -> None:
    """Writes which processes have a doctor."""
    from eyewall.doctor.control.client import SHORT, Client, NoDoctor, processes
    from eyewall.doctor.control.protocol import ControlError

    found: list[dict[str, Any]] = []
    for pid in processes():
        try:
            with Client(pid, SHORT) as client:
                said = client.call("process")
                counts = client.call("findings")["findings"]
        except NoDoctor:
            # It has ended, and could not clean up.
            continue
        except ControlError:
            found.append({"pid": pid, "title": "", "program": None, "findings": None})
        else:
            found.append(
                {
                    "pid": pid,
                    "title": said["title"],
                    "program": said["program"],
                    "findings": len(counts),
                }
            )
    if form == "json":
        import json

        click.echo(json.dumps(found, indent=2))
        return
    if not found:
        click.echo("No process of yours runs a doctor: see `eyewall doctor run --help`.")
    for each in found:
        number = "?" if each["findings"] is None else each["findings"]
        noun = "finding " if number == 1 else "findings"
        what = "does not answer: a call keeps the interpreter, or it was stopped"
        if each["program"] is not None:
            what = shlex.join(each["program"]) + (f" ({each['title']})" if each["title"] else "")
        click.echo(f"{each['pid']:>8}  {number:>3} {noun}  {what}")


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
