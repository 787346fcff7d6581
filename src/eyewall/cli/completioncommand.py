"""`eyewall completion`: prints what completes the command in a shell.

The script asks `eyewall` itself, at each press of the key, so that it needs no renewal. What that loads is kept small:
see `tests/cli/test_completioncommand.py`.
"""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

SHELLS = ("bash", "zsh", "fish")
#: What the script sets, and click looks for: made of the name of the program.
_PROGRAM = "eyewall"
_VARIABLE = "_EYEWALL_COMPLETE"

_EPILOG = """
\b
bash:  eyewall completion bash > ~/.local/share/bash-completion/completions/eyewall
zsh:   eyewall completion zsh > "${fpath[1]}/_eyewall"
fish:  eyewall completion fish > ~/.config/fish/completions/eyewall.fish
"""


@click.command(epilog=_EPILOG)
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print what completes commands in a shell.

    Kept in a file of the shell's, it completes the names of commands, options and their values.
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise click.ClickException(f"this version of click knows nothing of {shell}")
    click.echo(kind(ctx.find_root().command, {}, _PROGRAM, _VARIABLE).source())
