"""Probes over HTTP: `/livez`, `/readyz`, `/startupz`, as Kubernetes asks for them.

Anybody may ask whether the answer is yes (200) or no (503), and gets a word. What is wrong is for those it concerns:
who presents the token, or comes from this machine where that is believed. `HealthApp` stands before an application, and
before whatever logs, counts or refuses its requests: an overloaded process still says that it is.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eyewall.base.jsontext import json_encode
from eyewall.base.query import TooManyFields, parse_fields
from eyewall.guard.checks.healthregistry import MOST_EXCLUDED, Health
from eyewall.guard.checks.healthregistry import health as shared
from eyewall.guard.checks.healthreport import Report, ReportLine
from eyewall.guard.verdict import Probe, Status
from eyewall.http.accesslog import log_request
from eyewall.http.insiders import Insiders, was_forwarded
from eyewall.http.plainanswer import answer_plainly

if TYPE_CHECKING:
    from eyewall.http.exchange import Exchange
    from eyewall.http.interfaces import App
    from eyewall.http.sink import Sink

ENDPOINTS = {"livez": Probe.LIVE, "readyz": Probe.READY, "startupz": Probe.STARTUP}
_SIGNS = {Status.PASS: "[+]", Status.WARN: "[!]", Status.FAIL: "[-]"}
_TEXT = "text/plain; charset=utf-8"
_JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Question:
    """A request to one of the endpoints, as far as it matters.

    `peer`: the address it comes from. `forwarded`: a proxy has passed it on. The rest are header fields, None where
    there is none.
    """

    probe: Probe
    method: str
    query: str
    peer: str
    host: str | None = None
    accept: str | None = None
    authorization: str | None = None
    forwarded: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request is answered with."""

    status: int
    body: bytes
    content_type: str = _TEXT
    allow: str | None = None

    def fields(self) -> list[tuple[str, str]]:
        """Returns its header fields, without framing and date."""
        fields = [
            ("Content-Type", self.content_type),
            # An answer of a moment ago is none.
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
        ]
        return fields if self.allow is None else [*fields, ("Allow", self.allow)]


class HealthEndpoints:
    """The endpoints for `health`, by default that of the process, below the path `prefix`.

    `token`: who sends it as `Authorization: Bearer` sees details. `loopback`: so does who comes from this machine, by
    its address and by the name it asks for, and not through a proxy that says so. A proxy on this machine that says
    nothing makes everybody come from here: believe it only on an address that no proxy passes on. `exclude`: anybody
    may have checks left out (`?exclude=NAME`), and not only who sees details; for orchestrators that send no token, on
    an address that strangers do not reach. `access_log`: log requests as others are. Raises ValueError for a prefix
    that can't be one of a path, and for an empty token.
    """

    def __init__(
        self,
        health: Health | None = None,
        *,
        prefix: str = "/",
        token: str | None = None,
        loopback: bool = False,
        exclude: bool = False,
        access_log: bool = False,
    ) -> None:
        if not is_prefix(prefix):
            raise ValueError(
                f"the prefix of health endpoints is a path of printable ASCII like /health, not {prefix!r}"
            )
        self.health = shared if health is None else health
        self.prefix = prefix.rstrip("/")
        self.access_log = access_log
        self._insiders = Insiders(token, loopback)
        self._exclude = exclude
        #: From each path to what it asks.
        self.paths = {f"{self.prefix}/{name}": probe for name, probe in ENDPOINTS.items()}

    def answer(self, question: Question) -> Answer | Coroutine[Any, Any, Answer]:
        """Returns the answer, or where checks have to be run for it, a coroutine that returns it."""
        if question.method not in ("GET", "HEAD"):
            return Answer(405, b"only GET and HEAD\n", allow="GET, HEAD")
        try:
            fields = parse_fields(question.query.encode("latin-1", "replace"), MOST_EXCLUDED)
        except TooManyFields:
            return Answer(400, b"too many fields in the query\n")
        exclude = [value.decode("utf-8", "replace") for name, value in fields if name == "exclude"]
        if exclude and not self._exclude and not self._concerns(question):
            # Else a stranger could have what is not ready look as if it were.
            exclude = []
        if self.health.kept:
            return self._told(question, fields, self.health.now(question.probe, exclude))
        return self._asked(question, fields, exclude)

    async def _asked(self, question: Question, fields: list[tuple[str, bytes]], exclude: list[str]) -> Answer:
        return self._told(question, fields, await self.health.report(question.probe, exclude))

    def _told(self, question: Question, fields: list[tuple[str, bytes]], report: Report) -> Answer:
        wanted = dict(fields)
        status = 200 if report.ok else 503
        insight = self._concerns(question)
        if wanted.get("format") == b"json" or (question.accept or "").startswith(_JSON):
            content: dict[str, Any] = {"status": report.status.word if insight else _word(report)}
            if insight:
                content |= _told_in_full(report)
            return Answer(status, json_encode(content).encode() + b"\n", _JSON)
        if insight and ("verbose" in wanted or not report.ok):
            return Answer(status, _verbose(report).encode())
        return Answer(status, b"ok\n" if report.ok else b"failed\n")

    def _concerns(self, question: Question) -> bool:
        """Whether details are for whoever asks."""
        return self._insiders.admits(question.peer, question.host, question.authorization, question.forwarded)


def is_prefix(prefix: str) -> bool:
    """Whether endpoints can stand below the path `prefix`."""
    return (
        prefix.startswith("/") and prefix.isascii() and prefix.isprintable() and not set(prefix) & set("?# ")
    )


def _word(report: Report) -> str:
    """What everybody may know: whether it is degraded is details already."""
    return "pass" if report.ok else "fail"


def _verbose(report: Report) -> str:
    """The lines of a report, in Kubernetes' form."""
    lines = [_in_words(line) for line in report.lines]
    if report.unmatched:
        lines.append(f"warn: nothing to exclude is called {', '.join(map(repr, report.unmatched))}")
    name = {probe: name for name, probe in ENDPOINTS.items()}[report.probe]
    lines.append(f"{name} check {'passed' if report.ok else 'failed'}")
    return "".join(f"{line}\n" for line in lines)


def _in_words(line: ReportLine) -> str:
    verdict = line.verdict
    if line.excluded:
        return f"[+]{line.name} excluded: {verdict.status.word}"
    said = {Status.PASS: "ok", Status.WARN: "warning", Status.FAIL: "failed"}[verdict.status]
    detail = f": {verdict.detail}" if verdict.detail else ""
    weight = f" ({line.criticality})" if verdict.status > line.weight else ""
    return f"{_SIGNS[verdict.status]}{line.name} {said}{weight}{detail}"


def _told_in_full(report: Report) -> dict[str, Any]:
    return {
        "probe": report.probe.value,
        "checks": {
            line.name: {
                "status": line.verdict.status.word,
                "detail": line.verdict.detail,
                "criticality": line.criticality.value,
                "age": line.age,
                "seconds": line.seconds,
                "excluded": line.excluded,
            }
            for line in report.lines
        },
        "unmatched": list(report.unmatched),
    }


class HealthApp:
    """Answers the requests to `endpoints`, and has `app` serve all others; without one they get 404."""

    __slots__ = ("_app", "_endpoints", "exempt", "on_close")

    def __init__(self, app: App | None, endpoints: HealthEndpoints) -> None:
        self._app = app
        self._endpoints = endpoints
        #: Paths that a server's limit is to let in, however busy it is.
        self.exempt = tuple(endpoints.paths)
        #: What a server calls when a connection is lost, if the application wants to know.
        self.on_close = getattr(app, "on_close", None)

    def begin(self, exchange: Exchange) -> Sink:
        """The head of a request is complete."""
        probe = self._endpoints.paths.get(exchange.head.path)
        if probe is None and self._app is not None:
            return self._app.begin(exchange)
        return _ProbeSink(exchange, self._endpoints, probe)


#: Answers that are being found out: a loop refers to its tasks weakly.
_asking: set[asyncio.Task[None]] = set()


class _ProbeSink:
    """Takes one request to an endpoint; `probe` is None for a path that is none."""

    __slots__ = ("_began", "_endpoints", "_exchange", "_probe")

    def __init__(self, exchange: Exchange, endpoints: HealthEndpoints, probe: Probe | None) -> None:
        self._exchange = exchange
        self._endpoints = endpoints
        self._probe = probe
        self._began = time.monotonic()

    def data(self, chunk: bytes) -> None:
        """Content has come, which no probe has."""

    def end(self) -> None:
        """The request is complete."""
        if self._probe is None:
            self._respond(Answer(404, b"there is /livez, /readyz and /startupz here\n"))
            return
        exchange, head = self._exchange, self._exchange.head
        answer = self._endpoints.answer(
            Question(
                self._probe,
                head.method,
                head.query,
                exchange.carrier.remote_ip,
                head.find(b"host"),
                head.find(b"accept"),
                head.find(b"authorization"),
                was_forwarded(head),
            )
        )
        if isinstance(answer, Answer):
            self._respond(answer)
            return
        task = asyncio.get_running_loop().create_task(self._respond_later(answer))
        _asking.add(task)
        task.add_done_callback(_asking.discard)

    def closed(self) -> None:
        """The client has left; the checks that it has begun go on."""

    async def _respond_later(self, answer: Coroutine[Any, Any, Answer]) -> None:
        try:
            self._respond(await answer)
        except Exception as error:  # noqa: BLE001 - the request must end whatever goes wrong
            self._exchange.carrier.fail(error, self._exchange)

    def _respond(self, answer: Answer) -> None:
        exchange = self._exchange
        answer_plainly(exchange, answer.status, answer.fields(), answer.body)
        if self._endpoints.access_log:
            head = exchange.head
            seconds = time.monotonic() - self._began
            log_request(answer.status, head.method, head.target, exchange.carrier.remote_ip, seconds)
