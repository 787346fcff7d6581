"""`eyewall top`: what a process does, live."""

from __future__ import annotations

import importlib.util

import click

from eyewall.cli.unanswered import give_up
from eyewall.doctor.control.client import NoDoctor
from eyewall.doctor.control.protocol import ControlError
from eyewall.doctor.top.model import as_text
from eyewall.doctor.top.source import Process


@click.command()
@click.argument("pid", type=click.IntRange(1))
@click.option("--once", is_flag=True, help="Write all of it once, as text, and end.")
@click.option(
    "--interval",
    type=click.FloatRange(0.1, 3600.0),
    default=1.0,
    show_default=True,
    help="Seconds until the process is asked again.",
)
@click.option(
    "--rows", type=click.IntRange(1), default=20, show_default=True, help="Rows of a table, with --once."
)
def top(pid: int, once: bool, interval: float, rows: int) -> None:
    """Show what process PID does, live.

    Its loops, requests by route with the split of their time, the slowest live requests, tasks by what they run,
    connections, executors, breakers and findings. Tables can be sorted (s, r) and filtered (/); Enter shows more of a
    row, down to the stack of a task; x closes a connection or cancels a task, once that was confirmed.

    Of a process without a doctor, or whose doctor does not answer, it writes the stacks of its threads, as seen from
    outside.

    \b
    Exit status:
      0  as it was asked
      2  a wrong option, or textual is not installed
      3  there is no such process, or it can't be asked
    """
    if not once and importlib.util.find_spec("textual") is None:
        raise click.UsageError(
            "textual is not installed: pip install 'eyewall[top]', or use --once, which needs nothing"
        )
    try:
        process = Process(pid)
        if once:
            try:
                click.echo(as_text(process.answers(), rows), nl=False)
            finally:
                process.disconnect()
            return
    except (NoDoctor, ControlError) as error:
        give_up("top", pid, error)
    # Loaded only where a terminal is drawn.
    from eyewall.doctor.top.view import Top

    try:
        Top(process, interval).run()
    finally:
        process.disconnect()
