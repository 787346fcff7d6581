"""`eyewall demo`: starts the demo application."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import socket
import sys
import tempfile
from pathlib import Path

import click

from eyewall._version import VERSION
from eyewall.cli.exits import ExitCode

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
def demo(host: str, port: int | None, opened: bool, redis: str | None, watched: bool) -> None:
    """Show what Eyewall can do.

    Serves a chat over WebSockets, live charts over server-sent events, uploads, a JSON interface over SQLite
    and pages from templates, until Ctrl-C. Everything it keeps is in a temporary directory, removed at the end.
    """
    # The help does not wait for the server.
    from eyewall.base.log import enable_pretty_logging
    from eyewall.cli.demo.server import DEFAULT_PORT, bind, serve
    from eyewall.doctor.enabling import enable
    from eyewall.doctor.options import VARIABLE
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
    url = f"http://{_written(host, sockets[0])}:{bound}/"

    def ready() -> None:
        if port is None and bound != DEFAULT_PORT:
            holder = occupant_of(DEFAULT_PORT)
            by = f" by {holder}" if holder else ""
            click.echo(f"Port {DEFAULT_PORT} is taken{by}; this is on port {bound}.")
        click.echo(f"Eyewall {VERSION} shows what it can do on {url}")
        if not ipaddress.ip_address(sockets[0].getsockname()[0]).is_loopback:
            click.echo("Everybody who can reach this address can use it.")
        click.echo("Ctrl-C ends it.")
        if opened:
            _open(url)

    try:
        # Whatever happens below, the files go.
        with tempfile.TemporaryDirectory(prefix="eyewall-demo-") as directory:
            run(serve(sockets, Path(directory), ready, redis))
    except (asyncio.CancelledError, KeyboardInterrupt):
        # The second Ctrl-C.
        sys.exit(130)
    click.echo("Ended; its files are removed.")


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
