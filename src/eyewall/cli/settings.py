"""What `eyewall run` was told, checked, in one immutable object.

Where it comes from has one precedence: the command line, then the environment (`EYEWALL_` and the name of the
option), then the configuration file (`cli.configfile`), then the defaults here.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from eyewall.guard.profile import NATIVE, TORNADO, Profile

PROFILES = {NATIVE.name: NATIVE, TORNADO.name: TORNADO}
INTERFACES = ("auto", "eyewall", "asgi", "wsgi")
LOG_FORMATS = ("text", "json")
LOG_LEVELS = ("debug", "info", "warning", "error")

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8000
#: Characters of a token that lets in who acts on a process.
SHORTEST_TOKEN = 16

_SIZE = re.compile(r"([0-9]{1,15})(?:([KMG])(?:iB)?)?", re.ASCII)
_SECONDS = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,9})?", re.ASCII)
#: What can begin a path in a request, without its query.
_PREFIX = re.compile(r"/[!\"$->@-~]*", re.ASCII)
_PORT = re.compile(r"[0-9]{1,5}", re.ASCII)
_ADDRESS = re.compile(r"(?:[^:/\[\]\s]*|\[[0-9A-Fa-f:.%]+\]):[0-9]{1,5}", re.ASCII)
_FACTORS = {None: 1, "K": 1024, "M": 1024**2, "G": 1024**3}
_SWITCHES = {
    "1": True,
    "true": True,
    "yes": True,
    "on": True,
    "0": False,
    "false": False,
    "no": False,
    "off": False,
}

Limit = int | float | bool | str


class SettingError(ValueError):
    """An option says something that can't be meant; `option` is its name on the command line."""

    def __init__(self, option: str, message: str) -> None:
        self.option = option
        super().__init__(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to serve. Raises SettingError for combinations that make no sense."""

    target: str
    app_dir: str = "."
    factory: bool | None = None
    interface: str = "auto"
    #: For a WSGI application.
    wsgi_threads: int = 8

    hosts: tuple[str, ...] = ()
    port: int | None = None
    unix: tuple[str, ...] = ()
    unix_mode: int = 0o600
    fds: tuple[int, ...] = ()

    tls_cert: str | None = None
    tls_key: str | None = None
    tls_key_password: str | None = None
    tls_ca: str | None = None

    #: None: in this process, without one that watches over it. 0: one for each core.
    processes: int | None = None
    #: Seconds.
    drain_timeout: float = 30.0

    reload: bool = False
    reload_dirs: tuple[str, ...] = ()
    reload_suffixes: tuple[str, ...] = (".py", ".html")

    log_format: str = "text"
    log_level: str = "info"
    access_log: bool = True
    doctor: bool = True
    request_ids: bool = True

    #: Path below which health endpoints are; None for none.
    health: str | None = None
    #: An address of their own for them.
    health_port: int | None = None
    health_host: str | None = None
    health_token: str | None = None
    #: Whoever asks may have checks left out.
    health_exclude: bool = False

    #: Path, or HOST:PORT, of metrics; None for none.
    metrics: str | None = None
    metrics_token: str | None = None

    #: HOST:PORT or PORT of the dashboard, "on" for any port of this machine; None or "off" for none.
    dashboard: str | None = None
    dashboard_token: str | None = None

    xheaders: bool = False
    forwarded: bool = False
    trusted_proxies: tuple[str, ...] = ()
    protocol: str | None = None

    #: None: what the application says, or else the native one.
    profile: str | None = None
    limits: dict[str, Limit] = dataclasses.field(default_factory=dict)
    #: What `cli.shedding` makes an `AdaptiveLimit` of; None for none.
    shed: dict[str, float] | None = None
    #: By name, what `eyewall.guard.executors.registry.override` takes.
    executors: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    keep_alive: bool = True
    decompress_request: bool = False

    def __post_init__(self) -> None:
        if self.tls_cert is None:
            for option, value in (
                ("--tls-key", self.tls_key),
                ("--tls-ca", self.tls_ca),
                ("--tls-key-password", self.tls_key_password),
            ):
                if value is not None:
                    raise SettingError(option, "needs --tls-cert as well")
        if self.reload and self.processes is not None and self.processes != 1:
            raise SettingError("--reload", "is for development with one process; leave --processes away")
        if self.trusted_proxies and not (self.xheaders or self.forwarded):
            raise SettingError("--trusted-proxy", "needs --xheaders or --forwarded as well")
        if self.xheaders and self.forwarded:
            raise SettingError(
                "--forwarded",
                "can't be combined with --xheaders: a proxy that writes one kind of header lets a client's "
                "own of the other kind through",
            )
        for address in self.trusted_proxies:
            try:
                ipaddress.ip_address(address)
            except ValueError:
                raise SettingError("--trusted-proxy", f"{address!r} is not an IP address") from None
        if self.health is not None and _PREFIX.fullmatch(self.health) is None:
            raise SettingError("--health", f"is a path like /health, of printable ASCII, not {self.health!r}")
        if self.health_host is not None and self.health_port is None:
            raise SettingError("--health-host", "needs --health-port as well")
        if self.health_exclude and not self.health_wanted:
            raise SettingError("--health-exclude", "needs --health or --health-port as well")
        if self.health_token is not None:
            if not self.health_wanted:
                raise SettingError("--health-token", "needs --health or --health-port as well")
            if not (self.health_token.isascii() and self.health_token.isprintable() and self.health_token):
                raise SettingError("--health-token", "is printable ASCII")
        if self.metrics is not None:
            self._check_metrics(self.metrics)
        if self.metrics_token is not None:
            if self.metrics is None:
                raise SettingError("--metrics-token", "needs --metrics as well")
            if not (self.metrics_token.isascii() and self.metrics_token.isprintable() and self.metrics_token):
                raise SettingError("--metrics-token", "is printable ASCII")
        self._check_dashboard()
        if self.drain_timeout < 0:
            raise SettingError("--drain-timeout", "can't be negative")

    def _check_metrics(self, where: str) -> None:
        if where.startswith("/"):
            if _PREFIX.fullmatch(where) is None:
                raise SettingError("--metrics", f"is a path like /metrics, of printable ASCII, not {where!r}")
            if self.metrics_token is None:
                raise SettingError(
                    "--metrics",
                    "at a path needs --metrics-token as well, since there everybody may come by; or an address that "
                    "is for metrics only, like 127.0.0.1:9100",
                )
            if self.processes is not None and self.processes != 1:
                raise SettingError(
                    "--metrics",
                    "needs an address with --processes, like 127.0.0.1:9100: each process counts by itself, and on "
                    "the addresses that they share, each scrape would get another one",
                )
        elif _ADDRESS.fullmatch(where) is None or int(where.rpartition(":")[2]) > 65535:
            raise SettingError("--metrics", f"is a path like /metrics or HOST:PORT, not {where!r}")

    def _check_dashboard(self) -> None:
        if self.dashboard is not None and not is_dashboard(self.dashboard):
            raise SettingError("--dashboard", f"is HOST:PORT, PORT, on or off, not {self.dashboard!r}")
        if self.dashboard_address is None:
            # The token may be for a dashboard that the application has.
            return
        if not self.doctor:
            raise SettingError("--dashboard", "shows what the doctor knows, and that is off")
        token = self.dashboard_token
        if token is not None and not (
            len(token) >= SHORTEST_TOKEN and token.isascii() and token.isprintable()
        ):
            raise SettingError(
                "--dashboard-token", f"is printable ASCII, and at least {SHORTEST_TOKEN} characters of it"
            )

    @property
    def dashboard_address(self) -> tuple[str, int] | None:
        """Host and port of the dashboard; None where there is none. Port 0: any that is free."""
        said = self.dashboard
        if said is None or _SWITCHES.get(said.lower()) is False:
            return None
        if _SWITCHES.get(said.lower()):
            return DEFAULT_HOST, 0
        host, colon, port = said.rpartition(":")
        # Like `--host`, where * is for all interfaces.
        return ("" if host == "*" else host.strip("[]")) if colon and host else DEFAULT_HOST, int(port)

    @property
    def metrics_address(self) -> tuple[str, int] | None:
        """Host and port that metrics have to themselves; None where they have none."""
        if self.metrics is None or self.metrics.startswith("/"):
            return None
        host, _, port = self.metrics.rpartition(":")
        return host.strip("[]"), int(port)

    @property
    def supervised(self) -> bool:
        """Whether workers serve, and this process watches over them."""
        return self.processes is not None or self.reload

    @property
    def health_wanted(self) -> bool:
        """Whether there are health endpoints."""
        return self.health is not None or self.health_port is not None

    def profile_for(self, own: Profile | None) -> Profile:
        """Returns the limits to serve with: the profile asked for, else an application's `own`, else the
        native one, with the single limits that were asked for.
        """
        base = PROFILES[self.profile] if self.profile is not None else own or NATIVE
        return base.replace(**self.limits) if self.limits else base


def is_dashboard(text: str) -> bool:
    """Whether `text` can be the value of `--dashboard`."""
    if text.lower() in _SWITCHES:
        return True
    return (_PORT.fullmatch(text) or _ADDRESS.fullmatch(text)) is not None and int(
        text.rpartition(":")[2]
    ) <= 65535


def parse_limits(texts: Iterable[str]) -> dict[str, Limit]:
    """Returns the limits that `NAME=VALUE` texts set.

    Sizes and counts may have K, M or G behind them (KiB, MiB, GiB mean the same). Raises SettingError for a
    name that is no limit, with those that resemble it, and for a value that does not fit.
    """
    kinds = Profile.kinds()
    limits: dict[str, Limit] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        name = name.strip().replace("-", "_")
        if not equals:
            raise SettingError("--limit", f"{text!r} is not of the form NAME=VALUE")
        if name not in kinds:
            # Only for the message.
            import difflib

            near = difflib.get_close_matches(name, kinds, 3) or sorted(kinds)
            raise SettingError("--limit", f"{name!r} is not a limit; there is {', '.join(near)}")
        limits[name] = _parse_limit(name, kinds[name], value.strip())
    return limits


def _parse_limit(name: str, kind: str, text: str) -> Limit:
    if kind == "int":
        match = _SIZE.fullmatch(text)
        if match is None:
            raise SettingError("--limit", f"{name} is a number like 1000, 64K or 10M, not {text!r}")
        return int(match[1]) * _FACTORS[match[2]]
    if kind == "float":
        if _SECONDS.fullmatch(text) is None:
            raise SettingError("--limit", f"{name} is a number like 30 or 0.5, not {text!r}")
        return float(text)
    if kind == "bool":
        if text.lower() not in _SWITCHES:
            raise SettingError("--limit", f"{name} is on or off, not {text!r}")
        return _SWITCHES[text.lower()]
    if not (text.isascii() and (text == "" or text.isprintable())):
        raise SettingError("--limit", f"{name} is printable ASCII, not {text!r}")
    return text
