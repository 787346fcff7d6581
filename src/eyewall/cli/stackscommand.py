"""`eyewall stacks`: where every task and thread of a process stands, and what it waits for."""

from __future__ import annotations

import json

import click

_STATUS = """
\b
Exit status:
  0  as it was asked
  2  a wrong option
  3  there is no such process, or it can't be asked
"""


@click.command(epilog=_STATUS)
@click.argument("pid", type=click.IntRange(1))
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@click.option("--tree", is_flag=True, help="Write each task below the one that waits for it.")
@click.option(
    "--all", "every", is_flag=True, help="Write each of many tasks that stand at the same line, as text."
)
@click.option("--limit", type=click.IntRange(1), default=10_000, show_default=True, help="Tasks, at most.")
def stacks(pid: int, as_json: bool, tree: bool, every: bool, limit: int) -> None:
    """Show where every task and thread of process PID stands.

    Of each task: its whole chain of awaits, how long it has waited, for what, and who holds that. In a process without
    a doctor, or whose doctor does not answer, the stacks of its threads, as py-spy sees them from outside.
    """
    from eyewall.cli.unanswered import give_up
    from eyewall.doctor.control.client import Client, NoDoctor
    from eyewall.doctor.control.protocol import ControlError
    from eyewall.doctor.waits.stackstext import text_of, tree_of

    if every and (as_json or tree):
        raise click.UsageError("--json and --tree write all tasks anyhow")
    if as_json and tree:
        raise click.UsageError("--json and --tree are two ways to write it: choose one")
    try:
        with Client(pid) as client:
            client.wake()
            data = client.call("stacks", limit=limit)
    except (NoDoctor, ControlError) as error:
        give_up("stacks", pid, error)
    if as_json:
        click.echo(json.dumps(data, indent=2))
    else:
        click.echo(tree_of(data) if tree else text_of(data, every))
