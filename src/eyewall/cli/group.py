"""The command `eyewall`, and its commands, each loaded when it is called."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

import click
from click.shell_completion import CompletionItem

from eyewall._version import TORNADO_API_VERSION, VERSION
from eyewall.cli.continuation import Continuation

#: Name, module, and the first line of the help, which a listing needs without loading the module.
_COMMANDS = {
    "run": ("eyewall.cli.run", "Serve an application."),
    "config": (
        "eyewall.cli.configcommand",
        "Show what would be served with, and where each value came from.",
    ),
    "new": ("eyewall.cli.newcommand", "Make a project to begin with."),
    "demo": ("eyewall.cli.democommand", "Show what Eyewall can do."),
    "doctor": ("eyewall.cli.doctorcommand", "Say what is wrong with a process, and where."),
    "stacks": ("eyewall.cli.stackscommand", "Show where every task and thread of a process stands."),
    "top": ("eyewall.cli.topcommand", "Show what a process does, live."),
    "dashboard": ("eyewall.cli.dashboardcommand", "Show what processes do, live, in a browser."),
    "profile": ("eyewall.cli.profilecommand", "Say where the time of a process goes: on a CPU, and waiting."),
    "check": ("eyewall.cli.checkcommand", "Find what is wrong in a program without running it."),
    "tornado": ("eyewall.cli.tornadocommand", "Let `tornado` mean Eyewall in this virtual environment."),
    "completion": ("eyewall.cli.completioncommand", "Print what completes commands in a shell."),
    "version": ("eyewall.cli.group", "Show versions."),
}


class _Commands(click.Group):
    """A group that imports the module of a command when that is needed."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().main(*args, **kwargs)
        except Continuation as later:
            action = later.action
        return action()

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        found = _COMMANDS.get(cmd_name)
        if found is None:
            return None
        command: click.Command = getattr(importlib.import_module(found[0]), cmd_name)
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Completes without loading every command, as the one of click does to see which are hidden."""
        found = [
            CompletionItem(name, help=about)
            for name, (_, about) in _COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return found + click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, about) in _COMMANDS.items()])


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="eyewall")
def main() -> None:
    """Tornado's programming model, ten times faster, with an eye inside."""


@click.command()
def version() -> None:
    """Show versions: of Eyewall, of the API it offers, and of what it runs on."""
    import platform

    # What decides it is also what imports uvloop.
    from eyewall.loop.policy import loop_kind

    click.echo(f"eyewall {VERSION} (API of Tornado {TORNADO_API_VERSION})")
    click.echo(f"{platform.python_implementation()} {platform.python_version()}, {platform.platform()}")
    click.echo(f"loop: {loop_kind()}, build: {_build()}")


def _build() -> str:
    """Whether the hot modules are compiled in this installation."""
    spec = importlib.util.find_spec("eyewall.http.exchange")
    origin = (spec.origin if spec is not None else None) or ""
    return "pure" if origin.endswith(".py") else "compiled"
