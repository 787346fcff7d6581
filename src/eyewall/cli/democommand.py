"""`eyewall demo`: starts the demo application."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import socket
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import click

from eyewall._version import VERSION
from eyewall.cli.exits import ExitCode

if TYPE_CHECKING:
    from eyewall.cli.beside import Beside

_DEFAULT_HOST = "127.0.0.1"


@click.command()
@click.option("--host", default=_DEFAULT_HOST, show_default=True, help="Name or address to listen on.")
@click.option(
    "--port",
    "-p",
    type=click.IntRange(0, 65535),
    default=None,
    help="0: any that is free. [default: 8888, or the next that is free]",
)
@click.option("--open/--no-open", "opened", default=False, help="Open it in the browser.")
@click.option(
    "--redis", metavar="URL", default=None, help="A Redis through which several demos share their chat."
)
@click.option(
    "--doctor/--no-doctor",
    "watched",
    default=True,
    show_default=True,
    envvar="EYEWALL_DOCTOR",
    help="Look for what goes wrong, and say where.",
)
@click.option(
    "--dashboard/--no-dashboard",
    "shown",
    default=True,
    show_default=True,
    help="Show the dashboard beside it, in a process of its own; on this machine only.",
)
@click.option(
    "--allow-break",
    is_flag=True,
    help="Let the page 'Break it' break the demo where other machines can reach it, too.",
)
def demo(
    host: str,
    port: int | None,
    opened: bool,
    redis: str | None,
    watched: bool,
    shown: bool,
    allow_break: bool,
) -> None:
    """Show what Eyewall can do.

    Serves a page that breaks it, beside the dashboard that names the line; a chat over WebSockets, live charts over
    server-sent events, uploads, a JSON interface over SQLite and pages from templates, until Ctrl-C. Everything it
    keeps is in a temporary directory, removed at the end.
    """
    # The help does not wait for the server.
    from eyewall.base.log import enable_pretty_logging
    from eyewall.cli.demo.server import DEFAULT_PORT, bind, serve
    from eyewall.doctor.enabling import enable
    from eyewall.doctor.options import VARIABLE
    from eyewall.http.insiders import is_loopback
    from eyewall.loop import run
    from eyewall.net.occupant import occupant_of

    if redis is not None:
        _check_redis(redis)
    enable_pretty_logging()
    if watched:
        os.environ[VARIABLE] = "1"
        enable()
    try:
        sockets = bind(host, port)
    except OSError as error:
        where = f"{host}:{DEFAULT_PORT if port is None else port}"
        holder = occupant_of(port) if port else ""
        by = f" It is taken by {holder}." if holder else ""
        click.echo(f"Can't listen on {where}: {error.args[-1]}.{by}", err=True)
        sys.exit(ExitCode.ADDRESS)
    bound = sockets[0].getsockname()[1]
    here = all(is_loopback(str(each.getsockname()[0])) for each in sockets)
    url = f"http://{_written(host, sockets[0])}:{bound}/"

    def ready() -> None:
        if port is None and bound != DEFAULT_PORT:
            holder = occupant_of(DEFAULT_PORT)
            by = f" by {holder}" if holder else ""
            click.echo(f"Port {DEFAULT_PORT} is taken{by}; this is on port {bound}.")
        click.echo(f"Eyewall {VERSION} shows what it can do on {url}")
        if not here:
            click.echo("Everybody who can reach this address can use it.")
            if allow_break:
                click.echo("And break it.")
        if dashboard is not None:
            click.echo(f"What goes on in it is shown on {dashboard.url}")
        click.echo("Ctrl-C ends it.")
        if opened:
            _open(url)

    dashboard = _beside(bound) if watched and shown and here else None
    shows = "" if dashboard is None else dashboard.url
    try:
        # Whatever happens below, the files and the dashboard go.
        with dashboard or nullcontext(), tempfile.TemporaryDirectory(prefix="eyewall-demo-") as directory:
            serving = serve(
                sockets,
                Path(directory),
                ready,
                redis,
                may_break=here or allow_break,
                open_to_all=allow_break and not here,
                dashboard=shows,
            )
            run(serving)
    except (asyncio.CancelledError, KeyboardInterrupt):
        # The second Ctrl-C.
        sys.exit(130)
    click.echo("Ended; its files are removed.")


def _beside(port: int) -> Beside | None:
    """Starts the dashboard, which pages of the demo on `port` may show in a frame; None where that can't be done."""
    from eyewall.cli.beside import beside

    try:
        board = beside(frame_ancestors=[f"http://{name}:{port}" for name in ("127.0.0.1", "localhost")])
    except OSError as error:
        click.echo(f"There is no dashboard: {error}.", err=True)
        return None
    board.watch()
    return board


def _check_redis(url: str) -> None:
    """Raises UsageError where it is clear already that nothing will come of it."""
    try:
        from eyewall.guard import RedisBackplane

        RedisBackplane(url)
    except (ImportError, ValueError) as error:
        raise click.UsageError(f"--redis: {error}") from None


def _written(host: str, sock: socket.socket) -> str:
    """Returns a host as a browser on this machine finds it."""
    address = ipaddress.ip_address(sock.getsockname()[0])
    if address.is_unspecified:
        return "localhost"
    return f"[{host}]" if ":" in host else host


def _open(url: str) -> None:
    # Both are for this option only. A browser may be slow to start, and to return.
    import threading
    import webbrowser

    threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
