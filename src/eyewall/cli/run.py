"""`eyewall run`: serves an application."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.shell_completion import CompletionItem

from eyewall.base.loggers import gen_log
from eyewall.cli.addresses import Addresses
from eyewall.cli.executors import parse_executors
from eyewall.cli.exits import ExitCode, StartError
from eyewall.cli.origins import ConfiguredCommand, blame_option, read_file
from eyewall.cli.settings import (
    INTERFACES,
    LOG_FORMATS,
    LOG_LEVELS,
    PROFILES,
    SettingError,
    Settings,
    parse_limits,
)
from eyewall.cli.shedding import parse_shedding

if TYPE_CHECKING:
    from eyewall.cli.beside import Beside

Command = TypeVar("Command", bound=Callable[..., Any])

_DRAIN = 30.0
#: In development nobody wants to wait for the old process.
_DRAIN_RELOADING = 1.0

_EPILOG = """
\b
Options may be set in the environment as well: --log-format is EYEWALL_LOG_FORMAT,
and so on; several values are separated by spaces (by colons for paths). A file sets
them, too: eyewall.toml or [tool.eyewall] in pyproject.toml, here or above, with
log-format = "json" and so on, and target. The command line comes first, then the
environment, then the file, then the defaults; `eyewall config` shows them.

\b
Signals:
  SIGTERM, SIGINT  drain: stop accepting, finish requests, close WebSockets with
                   1001, exit. A second one ends everything at once.
  SIGHUP           with --processes: restart workers one by one, with the code
                   and certificates of now. Without: drain.

\b
Exit codes:
  0  everything that was begun was finished
  1  an unforeseen error
  2  a wrong option
  3  the application can't be loaded
  4  an address can't be listened on
  5  TLS certificate or key can't be used
  6  work was cut off at --drain-timeout
  7  workers kept ending just after their start
  128+N  ended at once by signal N
"""


def _option(*names: str, **kwargs: Any) -> Callable[[Command], Command]:
    """`click.option`, which the environment can set, too."""
    longest = next(name for name in names if name.startswith("--")).split("/")[0]
    envvar = "EYEWALL_" + longest.strip("-").upper().replace("-", "_")
    return click.option(*names, envvar=envvar, show_envvar=False, **kwargs)


def _complete_target(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The shell knows files; which of them has an application is not for it to find out."""
    return [CompletionItem(incomplete, type="file")]


class _Octal(click.ParamType[int]):
    name = "octal"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        try:
            mode = int(value, 8)
        except ValueError:
            mode = -1
        if not 0 <= mode <= 0o777:
            self.fail(f"{value!r} is not a file mode like 660", param, ctx)
        return mode


_PATH = click.Path()


@click.command(cls=ConfiguredCommand, epilog=_EPILOG)
@click.argument("target", required=False, envvar="EYEWALL_TARGET", shell_complete=_complete_target)
@_option(
    "--config",
    type=_PATH,
    default=None,
    is_eager=True,
    expose_value=False,
    callback=read_file,
    help="File to read. [default: eyewall.toml or pyproject.toml, here or above]",
)
@_option("--app-dir", default=".", type=_PATH, help="Where modules are looked for first.", show_default=True)
@_option(
    "--factory/--no-factory", default=None, help="TARGET makes the application, or it is it. [default: seen]"
)
@_option(
    "--interface",
    type=click.Choice(INTERFACES),
    default="auto",
    show_default=True,
    help="Kind of application.",
)
@_option(
    "--wsgi-threads",
    type=click.IntRange(1, 1024),
    default=8,
    show_default=True,
    help="Requests that a WSGI application serves at once.",
)
@_option(
    "--host", "hosts", multiple=True, help="Name or address, * for all; several times. [default: 127.0.0.1]"
)
@_option(
    "--port", "-p", type=click.IntRange(0, 65535), default=None, help="0: any that is free. [default: 8000]"
)
@_option("--unix", multiple=True, type=_PATH, help="Path of a Unix socket; @NAME is an abstract one.")
@_option("--unix-mode", type=_Octal(), default="600", show_default=True, help="Permissions of Unix sockets.")
@_option("--fd", "fds", multiple=True, type=click.IntRange(0), help="Number of an open listening socket.")
@_option("--tls-cert", type=_PATH, default=None, help="Certificate chain, PEM; turns TLS on.")
@_option("--tls-key", type=_PATH, default=None, help="Its key, where that is in a file of its own.")
@_option("--tls-key-password", default=None, help="Of an encrypted key. Better set in the environment.")
@_option("--tls-ca", type=_PATH, default=None, help="Authorities; clients must have a certificate of theirs.")
@_option(
    "--processes",
    type=click.IntRange(0, 1024),
    default=None,
    help="Workers that share the addresses and are restarted when they crash; 0: one for each core. "
    "[default: serve in this process]",
)
@_option(
    "--drain-timeout",
    type=click.FloatRange(0),
    default=None,
    help="Seconds for requests to finish. [default: 30]",
)
@_option("--reload/--no-reload", default=False, help="Restart when files change; for development.")
@_option(
    "--reload-dir",
    "reload_dirs",
    multiple=True,
    type=_PATH,
    help="Folders to watch. [default: where TARGET is]",
)
@_option("--reload-suffix", "reload_suffixes", multiple=True, help="Files to watch. [default: .py .html]")
@_option("--log-format", type=click.Choice(LOG_FORMATS), default="text", show_default=True)
@_option("--log-level", type=click.Choice(LOG_LEVELS), default="info", show_default=True)
@_option("--access-log/--no-access-log", default=True, show_default=True, help="A log line for each request.")
@_option(
    "--doctor/--no-doctor", default=True, show_default=True, help="Look for what goes wrong, and say where."
)
@_option(
    "--request-ids/--no-request-ids",
    default=True,
    show_default=True,
    help="Take X-Request-ID over, or make one; log and return it.",
)
@_option(
    "--health",
    metavar="PREFIX",
    default=None,
    help="Answer probes at PREFIX/livez, PREFIX/readyz, PREFIX/startupz; / for no prefix.",
)
@_option(
    "--health-port",
    type=click.IntRange(0, 65535),
    default=None,
    help="Answer them on a port of their own, and only there. 0: any that is free.",
)
@_option(
    "--health-host", default=None, help="Name or address for --health-port, * for all. [default: 127.0.0.1]"
)
@_option("--health-token", default=None, help="Who sends it sees details. Better set in the environment.")
@_option(
    "--health-exclude/--no-health-exclude",
    default=False,
    help="Let everybody leave checks out (?exclude=NAME), and not only who sees details.",
)
@_option(
    "--metrics",
    metavar="PATH|HOST:PORT",
    default=None,
    help="Answer scrapes of Prometheus: at a path, to who sends the token; or on an address, where each of several "
    "processes has a port of its own, PORT and those after it.",
)
@_option(
    "--metrics-token", default=None, help="Only who sends it sees metrics. Better set in the environment."
)
@_option(
    "--dashboard",
    metavar="[HOST:PORT]",
    default=None,
    help="Show what the process does, or all of several, in a browser: on a port of its own, any of this machine where "
    "none is named. Prints the URL.",
)
@_option(
    "--dashboard-token",
    default=None,
    help="Who has it may look, 16 characters or more. Better set in the environment. [default: a new one]",
)
@_option(
    "--xheaders/--no-xheaders", default=False, help="Believe X-Real-Ip, X-Forwarded-For, X-Scheme of a proxy."
)
@_option("--forwarded/--no-forwarded", default=False, help="Believe Forwarded (RFC 7239) of a proxy.")
@_option(
    "--trusted-proxy", "trusted_proxies", multiple=True, help="Address of a proxy beyond the nearest one."
)
@_option(
    "--protocol", type=click.Choice(["http", "https"]), default=None, help="What clients use, behind a proxy."
)
@_option(
    "--profile",
    type=click.Choice(list(PROFILES)),
    default=None,
    help="Limits. [default: the application's, or native]",
)
@_option(
    "--limit", "limits", multiple=True, metavar="NAME=VALUE", help="One limit of the profile; several times."
)
@_option(
    "--shed",
    metavar="auto|NAME=VALUE,...",
    default=None,
    help="Refuse what is too much, as measured: least, most, initial, tolerance, target_lag.",
)
@_option(
    "--executor",
    "executors",
    multiple=True,
    metavar="NAME=MEDIUM,...",
    help="What an executor runs jobs on (threads, processes, dask), and workers=N, queue=N, full=POLICY; several "
    "times.",
)
@_option(
    "--keep-alive/--no-keep-alive",
    default=True,
    show_default=True,
    help="More than one request a connection.",
)
@_option("--decompress-request/--no-decompress-request", default=False, help="Undo the gzip of requests.")
@_option(
    "--loop", type=click.Choice(["uvloop", "asyncio"]), default=None, help="[default: uvloop where installed]"
)
def run(**options: Any) -> None:
    """Serve the application TARGET.

    TARGET is package.module:NAME or path/file.py:NAME, of an application or of a function that makes one.
    Without :NAME, it is `app`, `application`, `make_app`, `create_app` or `get_app`.
    """
    loop = options["loop"]
    settings = settings_of(click.get_current_context(), options)
    if not settings.target:
        raise click.UsageError(
            "Missing argument 'TARGET': name the application, as in `eyewall run app.py:app`, or have a file "
            'say it: target = "app.py:app" in eyewall.toml'
        )
    if loop is not None:
        # Programs that the application starts inherit it.
        os.environ["EYEWALL_LOOP"] = loop
    sys.exit(serve(settings))


def settings_of(ctx: click.Context, options: Mapping[str, Any]) -> Settings:
    """Returns what the options of `eyewall run` ask for; `target` is "" where nobody names it.

    Raises click's BadParameter for what can't be meant, which names the option, and the variable or file that set it.
    """
    left = dict(options)
    loop, target, suffixes = left.pop("loop"), left.pop("target"), left.pop("reload_suffixes")
    shed = left.pop("shed")
    if left["drain_timeout"] is None:
        left["drain_timeout"] = _DRAIN_RELOADING if left["reload"] else _DRAIN
    if suffixes:
        left["reload_suffixes"] = suffixes
    try:
        if loop == "uvloop" and importlib.util.find_spec("uvloop") is None:
            raise SettingError("--loop", "uvloop is not installed: pip install uvloop")
        if left["metrics"] is not None and importlib.util.find_spec("prometheus_client") is None:
            raise SettingError(
                "--metrics", "prometheus-client is not installed: pip install 'eyewall[metrics]'"
            )
        return Settings(
            target=target or "",
            limits=parse_limits(left.pop("limits")),
            executors=parse_executors(left.pop("executors")),
            shed=None if shed is None else parse_shedding(shed),
            **left,
        )
    except SettingError as error:
        raise click.BadParameter(
            f"{error}{blame_option(ctx, error.option)}", param_hint=error.option
        ) from None


def serve(settings: Settings) -> int:
    """Serves as `settings` say, and returns the exit code."""
    # Loaded here, so that help and mistakes on the command line do not wait for the whole server.
    from eyewall.cli.logs import set_up_logging
    from eyewall.cli.supervisor import Supervisor
    from eyewall.cli.worker import Worker
    from eyewall.doctor.options import VARIABLE
    from eyewall.guard.checks.systemd import Notifier

    set_up_logging(settings)
    # An application that turns the doctor on itself asks for this.
    os.environ[VARIABLE] = "1" if settings.doctor else "0"
    notifier = Notifier.from_environment()
    try:
        processes = _cores() if settings.processes == 0 else settings.processes or 1
        addresses = Addresses.open(settings, settings.profile_for(None).listen_backlog, processes)
    except StartError as error:
        gen_log.error("%s", error)
        return error.code
    board = None
    try:
        board = _dashboard(settings)
        urls = addresses.urls("https" if settings.tls_cert is not None else "http")
        for url in addresses.probe_urls():
            gen_log.info("Probes are answered at %s%s", url, (settings.health or "").rstrip("/") + "/readyz")
        for url in addresses.scrape_urls():
            gen_log.info("Metrics are at %s/metrics", url)
        if settings.supervised:
            return Supervisor(settings, addresses, urls, processes, notifier, board).run()
        if board is not None:
            board.watch()
        return Worker(settings, addresses, urls, notifier=notifier).run()
    except StartError as error:
        gen_log.error("%s", error)
        return error.code
    finally:
        if board is not None:
            board.stop()
        addresses.close()
        addresses.remove_files()


def _dashboard(settings: Settings) -> Beside | None:
    """Starts the dashboard, where there is to be one. Raises StartError."""
    if settings.dashboard_address is None:
        return None
    # Most programs have none.
    from eyewall.cli.beside import beside

    host, port = settings.dashboard_address
    try:
        board = beside(None, host, port, token=settings.dashboard_token)
    except OSError as error:
        raise StartError(
            ExitCode.ADDRESS, f"The dashboard can't listen on {host or '*'}:{port}: {error.args[-1]}"
        ) from None
    if settings.dashboard_token is None:
        gen_log.info("The dashboard is at %s", board.url)
    else:
        # Logs are kept, and go far.
        gen_log.info("The dashboard is at %s and asks for its token", board.url.partition("login?")[0])
    if board.open_to_all:
        gen_log.warning(
            "Other machines can reach the dashboard, and what is sent is not encrypted: who reads along gets the token"
        )
    return board


def _cores() -> int:
    """How many cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        # Where processes can't be bound to cores.
        return os.cpu_count() or 1
