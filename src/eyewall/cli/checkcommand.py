"""`eyewall check`: what is wrong in a program, seen without running it."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from eyewall.cli.exits import ExitCode

if TYPE_CHECKING:
    from eyewall.doctor.checking.checker import Report
    from eyewall.doctor.checking.settings import Settings

#: What ends with status 1: problems of this severity, and worse ones.
_SEVERITIES = ("notice", "warning", "error", "never")


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--select", metavar="RULES", default=None, help="Only these: ids, beginnings of ids, names.")
@click.option(
    "--ignore", metavar="RULES", default=None, help="Not these, besides those of the configuration."
)
@click.option("--exclude", metavar="PATTERNS", default=None, help="Files and folders that are left out.")
@click.option("--force-exclude", is_flag=True, help="Leave them out also where PATHS names them.")
@click.option(
    "--format", "form", type=click.Choice(["text", "json", "sarif"]), default="text", show_default=True
)
@click.option(
    "--output", type=click.Path(path_type=Path), default=None, help="A file for it. [default: stdout]"
)
@click.option(
    "--fail-on",
    type=click.Choice(_SEVERITIES),
    default="notice",
    show_default=True,
    help="The least severity that ends with status 1.",
)
@click.option("--types/--no-types", default=None, help="Find forgotten awaits by types, through mypy.")
@click.option("--ruff/--no-ruff", default=None, help="Ask ruff, too.")
@click.option("--config", type=click.Path(path_type=Path), default=None, help="A pyproject.toml.")
@click.option("--rules", is_flag=True, help="List the rules, and end.")
def check(
    paths: tuple[Path, ...],
    select: str | None,
    ignore: str | None,
    exclude: str | None,
    force_exclude: bool,
    form: str,
    output: Path | None,
    fail_on: str,
    types: bool | None,
    ruff: bool | None,
    config: Path | None,
    rules: bool,
) -> None:
    """Find what is wrong in asynchronous programs without running them.

    Looks at all Python files at and below PATHS, by default the current folder: forgotten awaits, calls that block
    the loop, tasks and futures that nobody keeps, executors without bounds, waiting without timeouts, WebSockets
    that are never removed, swallowed cancellations. For any program on asyncio, Tornado or Eyewall.

    Ends with status 0 where nothing was found, 1 where something was, 2 where the command line or the configuration
    says something that can't be meant.
    """
    # The help does not wait for the rules.
    from eyewall.doctor.checking.rulebook import UnknownRule
    from eyewall.doctor.checking.settings import SettingsError, find, load

    if rules:
        _list_rules()
        return
    try:
        settings = _merged(
            find(Path.cwd()) if config is None else load(config), select, ignore, exclude, types, ruff
        )
        from eyewall.doctor.checking.checker import check as check_files

        report = check_files(paths or (Path(),), settings, force_exclude=force_exclude)
    except (SettingsError, UnknownRule) as error:
        raise click.UsageError(str(error)) from None
    for each in report.skipped:
        click.echo(f"eyewall check: skipped {each}", err=True)
    try:
        _write(report, form, output, settings.root)
    except OSError as error:
        raise click.UsageError(f"{output} can't be written: {error.strerror}") from None
    if fail_on != "never" and any(
        each.rule.severity >= _SEVERITIES.index(fail_on) + 1 for each in report.problems
    ):
        sys.exit(ExitCode.FAILED)


def _merged(
    settings: Settings,
    select: str | None,
    ignore: str | None,
    exclude: str | None,
    types: bool | None,
    ruff: bool | None,
) -> Settings:
    """Returns settings with what the command line says besides."""
    return replace(
        settings,
        select=settings.select if select is None else _words(select),
        ignore=(*settings.ignore, *_words(ignore)),
        exclude=(*settings.exclude, *_words(exclude)),
        types=settings.types if types is None else types,
        ruff=settings.ruff if ruff is None else ruff,
    )


def _words(text: str | None) -> tuple[str, ...]:
    return tuple(word for word in (text or "").replace(",", " ").split() if word)


def _list_rules() -> None:
    from eyewall.doctor.checking.rulebook import BOOK

    for rule in BOOK:
        click.echo(f"{rule.id} {rule.name} ({rule.severity.name.lower()})")
        click.echo(f"    {rule.explanation}")


def _write(report: Report, form: str, output: Path | None, root: Path) -> None:
    from eyewall.doctor.checking.reports import jsonreport, sarifreport, textreport

    if form == "json":
        text = jsonreport.text(report)
    elif form == "sarif":
        text = sarifreport.text(report, root)
    elif output is None and sys.stdout.isatty() and _write_coloured(report):
        return
    else:
        text = textreport.text(report)
    if output is None:
        click.echo(text)
    else:
        output.write_text(text + "\n", "utf-8")


def _write_coloured(report: Report) -> bool:
    """Prints the text in colours; returns False where there is nothing to do it with."""
    try:
        from rich.console import Console
        from rich.text import Text
    except ImportError:
        return False
    from eyewall.doctor.checking.reports import textreport

    colours = {
        "place": "dim",
        "notice": "bold cyan",
        "warning": "bold yellow",
        "error": "bold red",
        "mark": "red",
        "help": "green",
    }
    console = Console(soft_wrap=True, highlight=False)
    for line in textreport.pieces(report):
        console.print(Text.assemble(*((piece, colours.get(style, "")) for style, piece in line)))
    return True
