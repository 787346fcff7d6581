"""`eyewall dashboard`: what processes do, live, in a browser."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from eyewall.cli.exits import ExitCode

if TYPE_CHECKING:
    from eyewall.doctor.dashboard.board import Board

#: There is no such process, or it can't be asked.
_NOT_ASKED = 3


@click.command()
@click.argument("pid", type=click.IntRange(1), required=False)
@click.option("--all", "everything", is_flag=True, help="All processes of this user's; so without PID.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Name or address to listen on.")
@click.option(
    "--port", "-p", type=click.IntRange(0, 65535), default=0, help="0: any that is free. [default: 0]"
)
@click.option(
    "--token",
    envvar="EYEWALL_DASHBOARD_TOKEN",
    default=None,
    help="Who has it may look, 16 characters or more. Better set in the environment. [default: a new one]",
)
@click.option(
    "--name",
    "names",
    multiple=True,
    help="A name by which it may be asked for, besides addresses; several times.",
)
@click.option(
    "--frame-ancestor",
    "ancestors",
    multiple=True,
    help="Origin whose pages may show it in a frame; several times.",
)
@click.option("--open/--no-open", "opened", default=False, help="Open it in the browser.")
@click.option("--fd", "fds", multiple=True, type=click.IntRange(0), hidden=True)
@click.option("--beside", "beside", is_flag=True, hidden=True)
def dashboard(
    pid: int | None,
    everything: bool,
    host: str,
    port: int,
    token: str | None,
    names: tuple[str, ...],
    ancestors: tuple[str, ...],
    opened: bool,
    fds: tuple[int, ...],
    beside: bool,
) -> None:
    """Show what processes do, live, in a browser.

    Shows process PID; where that is an `eyewall run --processes N`, its workers; without PID, all processes of this
    user's that run the doctor. Prints a URL with a token, which lets in whoever has it. It runs in a process of its
    own, so that it works while the loop that it shows is blocked.

    \b
    Exit status:
      0  it was ended
      2  a wrong option
      3  there is no process PID
      4  the address can't be listened on
    """
    # Loaded here, so that the help does not wait for the server.
    from eyewall.cli.beside import url_of
    from eyewall.doctor.control import places
    from eyewall.doctor.dashboard.board import Board
    from eyewall.doctor.dashboard.directory import Directory
    from eyewall.doctor.dashboard.gate import Gate, new_token
    from eyewall.loop import run
    from eyewall.net.address import bind_sockets

    if everything and pid is not None:
        raise click.UsageError("--all is for all processes; leave it away, or PID")
    if pid is not None and not places.is_alive(pid):
        click.echo(f"eyewall dashboard: there is no process {pid}.", err=True)
        sys.exit(_NOT_ASKED)
    token = token or new_token()

    def gate(port: int) -> Gate:
        try:
            return Gate(token, cookie=f"eyewall_dashboard_{port}", hosts=[*names, host], ancestors=ancestors)
        except ValueError as error:
            raise click.UsageError(str(error)) from None

    # What can't be meant is told before anything is opened.
    gate(port)
    try:
        sockets = [socket.socket(fileno=each) for each in fds] or bind_sockets(port, host)
    except OSError as error:
        click.echo(f"eyewall dashboard: can't listen on {host}:{port}: {error.args[-1]}.", err=True)
        sys.exit(ExitCode.ADDRESS)
    board = Board(gate(sockets[0].getsockname()[1]), Directory(None if pid is None else {pid}))
    if not beside:
        url = url_of(sockets, host, token)
        click.echo(f"The dashboard is at {url}")
        _tell_of(sockets)
        click.echo("Ctrl-C ends it.")
        if opened:
            click.launch(url)
    try:
        run(_serve(sockets, board, beside))
    except (asyncio.CancelledError, KeyboardInterrupt):
        # The second Ctrl-C.
        sys.exit(130)


def _tell_of(sockets: Sequence[socket.socket]) -> None:
    from eyewall.http.insiders import is_loopback

    if not all(is_loopback(str(each.getsockname()[0])) for each in sockets):
        click.echo(
            "Other machines can reach it, and what is sent is not encrypted: who reads along gets the token. "
            "On an address of this machine, `ssh -L` brings it to another one.",
            err=True,
        )


async def _serve(sockets: Sequence[socket.socket], board: Board, beside: bool) -> None:
    """Serves until a signal comes, or whoever has started it is gone."""
    from eyewall.doctor.dashboard.application import application
    from eyewall.http.server import HTTPServer

    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    if beside:
        # A thread, since a pipe may be of a kind that the loop can't watch; it costs nothing while it waits.
        threading.Thread(
            target=_until_gone, args=(loop, ended), name="eyewall-dashboard-line", daemon=True
        ).start()
    app = application(board)
    server = HTTPServer(app, profile=app.profile)
    server.add_sockets(sockets)
    await ended.wait()
    server.stop()
    await server.close_all_connections()


def _until_gone(loop: asyncio.AbstractEventLoop, ended: asyncio.Event) -> None:
    while os.read(0, 4096):
        continue
    try:
        loop.call_soon_threadsafe(ended.set)
    except RuntimeError:
        # It has ended already.
        return
