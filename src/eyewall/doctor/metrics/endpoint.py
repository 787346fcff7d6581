"""`/metrics` before an application, or on an address of its own.

Who may ask is said as for health (`http.insiders`), with one difference: there is nothing that everybody may know, so
that others get 401. `MetricsApp` stands before whatever logs, counts or refuses requests: an overloaded process says
how overloaded it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from eyewall.doctor.metrics.rendering import exposition
from eyewall.http.health import is_prefix
from eyewall.http.insiders import Insiders, was_forwarded
from eyewall.http.plainanswer import answer_plainly

if TYPE_CHECKING:
    from eyewall.http.exchange import Exchange
    from eyewall.http.interfaces import App
    from eyewall.http.sink import Sink

PATH = "/metrics"
_TEXT = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Scrape:
    """A request for metrics, as far as it matters; header fields are None where there is none."""

    method: str
    peer: str
    host: str | None = None
    accept: str | None = None
    authorization: str | None = None
    forwarded: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """What it is answered with: `fields` without framing and date."""

    status: int
    body: bytes
    fields: tuple[tuple[str, str], ...] = ()


class MetricsEndpoint:
    """Answers requests for metrics at `path`.

    `token`: whoever sends it as `Authorization: Bearer` may ask. `loopback`: so may who comes from this machine, see
    `http.insiders.Insiders`. `public`: so may everybody who gets here. Raises ValueError for a path that can't be one,
    an empty token, and where nobody could ask.
    """

    def __init__(
        self, path: str = PATH, *, token: str | None = None, loopback: bool = False, public: bool = False
    ) -> None:
        if not is_prefix(path):
            raise ValueError(f"the path of metrics is one of printable ASCII like /metrics, not {path!r}")
        self._insiders = Insiders(token, loopback)
        if token is None and not loopback and not public:
            raise ValueError(
                "nobody could ask for metrics: give a token, or say loopback=True or public=True"
            )
        self.path = path
        self._public = public

    def answer(self, scrape: Scrape) -> Reading:
        """Returns the answer to `scrape`: the metrics, 401 for who may not ask, 405 for another method than GET
        and HEAD.
        """
        if scrape.method not in ("GET", "HEAD"):
            return _refusal(405, "only GET and HEAD", ("Allow", "GET, HEAD"))
        if not self._public and not self._insiders.admits(
            scrape.peer, scrape.host, scrape.authorization, scrape.forwarded
        ):
            return _refusal(401, "metrics are for who sends the token", ("WWW-Authenticate", "Bearer"))
        body, content_type = exposition(scrape.accept or "")
        return Reading(200, body, _fields(content_type))


def _refusal(status: int, text: str, field: tuple[str, str]) -> Reading:
    return Reading(status, f"{text}\n".encode(), (*_fields(_TEXT), field))


def _fields(content_type: str) -> tuple[tuple[str, str], ...]:
    return (
        ("Content-Type", content_type),
        ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
        # The formats differ.
        ("Vary", "Accept"),
    )


class MetricsApp:
    """Answers requests to `endpoint`, and has `app` serve all others; without one they get 404."""

    __slots__ = ("_app", "_endpoint", "exempt", "on_close")

    def __init__(self, app: App | None, endpoint: MetricsEndpoint) -> None:
        self._app = app
        self._endpoint = endpoint
        #: Paths that a server's limit is to let in, however busy it is.
        self.exempt = (endpoint.path, *getattr(app, "exempt", ()))
        #: What a server calls when a connection is lost, if the application wants to know.
        self.on_close = getattr(app, "on_close", None)

    def begin(self, exchange: Exchange) -> Sink:
        """Takes the request of `exchange`, whose head is complete."""
        if exchange.head.path == self._endpoint.path:
            return _ScrapeSink(exchange, self._endpoint)
        return self._app.begin(exchange) if self._app is not None else _ScrapeSink(exchange, None)


class _ScrapeSink:
    """Takes one request; `endpoint` is None for one that is to get 404."""

    __slots__ = ("_endpoint", "_exchange")

    def __init__(self, exchange: Exchange, endpoint: MetricsEndpoint | None) -> None:
        self._exchange = exchange
        self._endpoint = endpoint

    def data(self, chunk: bytes) -> None:
        """Content has come, which nobody needs."""

    def end(self) -> None:
        """The request is complete."""
        exchange, head = self._exchange, self._exchange.head
        if self._endpoint is None:
            reading = Reading(404, b"there are only metrics here\n", _fields(_TEXT))
        else:
            reading = self._endpoint.answer(
                Scrape(
                    head.method,
                    exchange.carrier.remote_ip,
                    head.find(b"host"),
                    head.find(b"accept"),
                    head.find(b"authorization"),
                    was_forwarded(head),
                )
            )
        answer_plainly(exchange, reading.status, reading.fields, reading.body)

    def closed(self) -> None:
        """The client has left."""
