"""Probes over HTTP: what is answered, to whom, and what stands before what."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest

from eyewall.guard.checks.healthregistry import MOST_EXCLUDED, Health
from eyewall.guard.checks.healthregistry import health as shared
from eyewall.guard.verdict import Probe, Verdict
from eyewall.http.health import Answer, HealthApp, HealthEndpoints, Question
from eyewall.http.server import HTTPServer

Run = Callable[[Coroutine[Any, Any, Any]], Any]


async def registry() -> Health:
    """One that runs in the background and has results: a database that is gone, a slow mail server, a good disk."""
    health = Health(items=None)
    health.add("database", lambda: {}["no\nroute"])
    health.add("mail", lambda: Verdict.warning("slow"), criticality="degraded")
    health.add("disk", lambda: True)
    health.add("cache", lambda: False, criticality="informational")
    await health.report()
    health.start()
    return health


def ask(endpoints: HealthEndpoints, query: str = "", probe: Probe = Probe.READY, **fields: Any) -> Answer:
    """The answer to a stranger, unless `fields` say otherwise."""
    asked = Question(probe, fields.pop("method", "GET"), query, fields.pop("peer", "192.0.2.1"), **fields)
    answer = endpoints.answer(asked)
    assert isinstance(answer, Answer)
    return answer


INSIDER = {"authorization": "Bearer sesame"}


def test_a_stranger_gets_a_word(run: Run) -> None:
    async def main() -> None:
        async with await registry() as health:
            endpoints = HealthEndpoints(health, token="sesame")
            for query in ("", "verbose", "verbose=1&format=text"):
                assert ask(endpoints, query) == Answer(503, b"failed\n")
                assert ask(endpoints, query, Probe.LIVE) == Answer(200, b"ok\n")
            answer = ask(endpoints, "format=json")
            assert (answer.status, json.loads(answer.body)) == (503, {"status": "fail"})
            # Nor has anybody else what is not ready look as if it were.
            answer = ask(endpoints, "exclude=database", accept="application/json")
            assert (answer.status, json.loads(answer.body)) == (503, {"status": "fail"})
            assert answer.content_type == "application/json"

    run(main())


def test_who_may_leave_checks_out(run: Run) -> None:
    async def main() -> None:
        async with await registry() as health:
            near = {"peer": "127.0.0.1", "host": "localhost"}
            for options, fields, status in [
                ({}, {}, 503),
                ({}, near, 503),
                ({"loopback": True}, near, 200),
                ({"loopback": True}, {**near, "forwarded": True}, 503),
                ({"token": "sesame"}, near, 503),
                ({"token": "sesame"}, INSIDER, 200),
                ({"exclude": True}, {}, 200),
            ]:
                endpoints = HealthEndpoints(health, **options)
                assert ask(endpoints, "exclude=database", **fields).status == status, (options, fields)
                assert ask(endpoints, "", **fields).status == 503
            # Whoever may do that learns no more by it; not even that something is degraded.
            answer = ask(HealthEndpoints(health, exclude=True), "exclude=database&verbose&format=json")
            assert json.loads(answer.body) == {"status": "pass"}

    run(main())


def test_whoever_it_concerns_sees_what_is_wrong(run: Run) -> None:
    async def main() -> None:
        async with await registry() as health:
            endpoints = HealthEndpoints(health, token="sesame")
            lines = ask(endpoints, "", **INSIDER).body.decode().splitlines()
            assert lines == [
                "[-]database failed: KeyError: 'no\\nroute'",
                "[!]mail warning: slow",
                "[+]disk ok",
                "[-]cache failed (informational): it says no",
                "readyz check failed",
            ]
            # A good answer is short unless it is asked to be long, as Kubernetes has it.
            assert ask(endpoints, "exclude=database", **INSIDER) == Answer(200, b"ok\n")
            answer = ask(endpoints, "verbose&exclude=database&exclude=a%0Ab", **INSIDER)
            assert answer.status == 200
            assert answer.body.decode().splitlines()[0] == "[+]database excluded: fail"
            assert answer.body.decode().splitlines()[-2:] == [
                "warn: nothing to exclude is called 'a\\nb'",
                "readyz check passed",
            ]
            told = json.loads(ask(endpoints, "format=json", **INSIDER).body)
            assert told["status"] == "fail"
            assert told["probe"] == "ready"
            assert told["checks"]["mail"]["status"] == "warn"
            assert told["checks"]["mail"]["criticality"] == "degraded"
            assert told["checks"]["disk"]["age"] >= 0.0

    run(main())


@pytest.mark.parametrize(
    ("options", "fields", "insight"),
    [
        ({"token": "sesame"}, {"authorization": "Bearer sesame"}, True),
        ({"token": "sesame"}, {"authorization": "bearer  sesame "}, True),
        ({"token": "sesame"}, {"authorization": "Bearer sesamE"}, False),
        ({"token": "sesame"}, {"authorization": "Bearer"}, False),
        ({"token": "sesame"}, {"authorization": "Bearer sésame"}, False),
        ({"token": "sesame"}, {"authorization": "Basic sesame"}, False),
        ({"token": "sesame"}, {"peer": "127.0.0.1", "host": "localhost"}, False),
        ({}, {"authorization": "Bearer "}, False),
        ({}, {"authorization": "Bearer None"}, False),
        ({"loopback": True}, {"peer": "127.0.0.1", "host": "localhost:8080"}, True),
        ({"loopback": True}, {"peer": "127.0.0.1", "host": "127.0.0.1:8080"}, True),
        ({"loopback": True}, {"peer": "::1", "host": "[::1]:8080"}, True),
        ({"loopback": True}, {"peer": "::ffff:127.0.0.1", "host": "localhost"}, True),
        ({"loopback": True}, {"peer": "192.0.2.1", "host": "localhost"}, False),
        # A page in a browser whose name was made to lead here.
        ({"loopback": True}, {"peer": "127.0.0.1", "host": "evil.example"}, False),
        ({"loopback": True}, {"peer": "127.0.0.1"}, False),
        ({"loopback": True}, {"peer": "127.0.0.1", "host": "localhost", "forwarded": True}, False),
        ({"loopback": True}, {"peer": "", "host": "localhost"}, False),
    ],
)
def test_whom_details_concern(
    run: Run, options: dict[str, Any], fields: dict[str, Any], insight: bool
) -> None:
    async def main() -> None:
        async with Health(items=None) as health:
            answer = ask(HealthEndpoints(health, **options), "verbose", **fields)
            assert answer.body == (b"readyz check passed\n" if insight else b"ok\n")

    run(main())


def test_what_can_not_be_asked(run: Run) -> None:
    async def main() -> None:
        async with Health(items=None) as health:
            endpoints = HealthEndpoints(health)
            answer = ask(endpoints, method="POST")
            assert (answer.status, ("Allow", "GET, HEAD") in answer.fields()) == (405, True)
            assert ask(endpoints, "exclude=x&" * MOST_EXCLUDED).status == 400
            assert ask(endpoints, "exclude=%FF&verbose").status == 200

    run(main())


def test_endpoints_that_can_not_be_meant() -> None:
    for prefix in ("", "health", "/a b", "/a?", "/a#", "/ä"):
        with pytest.raises(ValueError, match="prefix"):
            HealthEndpoints(prefix=prefix)
    with pytest.raises(ValueError, match="token"):
        HealthEndpoints(token="")
    assert sorted(HealthEndpoints(prefix="/a/").paths) == ["/a/livez", "/a/readyz", "/a/startupz"]
    assert HealthEndpoints().health is shared


# -- over sockets -------------------------------------------------------------------------------------------


class Rest:
    """An application that counts what comes to it, and answers nothing else."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def begin(self, exchange: Any) -> Any:
        self.seen.append(exchange.head.path)
        exchange.respond(503, "Overloaded", b"", b"", 0)
        return Sink()


class Sink:
    def data(self, chunk: bytes) -> None:
        pass

    def end(self) -> None:
        pass

    def closed(self) -> None:
        pass


@contextlib.asynccontextmanager
async def serving(app: Any) -> AsyncIterator[int]:
    listening = socket.create_server(("127.0.0.1", 0))
    server = HTTPServer(app)
    server.add_sockets([listening])
    try:
        yield listening.getsockname()[1]
    finally:
        server.stop()
        await server.close_all_connections()


async def fetch(port: int, path: str, method: str = "GET", body: bytes = b"") -> tuple[int, str, bytes]:
    """Status, head and content of one response."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    length = f"Content-Length: {len(body)}\r\n" if body else ""
    writer.write(
        f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n{length}Connection: close\r\n\r\n".encode() + body
    )
    head, _, content = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    return int(head.split(b" ")[1]), head.decode(), content


def test_probes_come_before_the_application_and_its_log(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        rest = Rest()
        async with await registry() as health, serving(HealthApp(rest, HealthEndpoints(health))) as port:
            status, head, content = await fetch(port, "/livez?x=1")
            assert (status, content) == (200, b"ok\n")
            assert "\r\nCache-Control: no-store\r\n" in head
            assert "\r\nContent-Type: text/plain; charset=utf-8\r\n" in head
            assert "\r\nX-Content-Type-Options: nosniff\r\n" in head
            assert "\r\nDate: " in head
            status, head, content = await fetch(port, "/readyz", "HEAD")
            assert (status, content) == (503, b"")
            assert head.endswith("\r\nContent-Length: 7")
            assert (await fetch(port, "/readyz", "POST", b"x" * 1000))[0] == 405
            assert (await fetch(port, "/readyz/"))[0] == 503
            assert (await fetch(port, "/"))[0] == 503
            assert rest.seen == ["/readyz/", "/"]

    with caplog.at_level(logging.INFO, "tornado.access"):
        run(main())
    assert [record for record in caplog.records if record.name == "tornado.access"] == []


def test_they_are_logged_where_that_is_wanted(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with Health(items=None) as health:
            app = HealthApp(None, HealthEndpoints(health, access_log=True))
            async with serving(app) as port:
                assert (await fetch(port, "/livez"))[0] == 200

    with caplog.at_level(logging.INFO, "tornado.access"):
        run(main())
    [record] = [record for record in caplog.records if record.name == "tornado.access"]
    assert record.getMessage().startswith("200 GET /livez (127.0.0.1)")


def test_without_an_application_there_is_nothing_else(run: Run) -> None:
    async def main() -> None:
        async with Health(items=None) as health:
            app = HealthApp(None, HealthEndpoints(health, prefix="/health", loopback=True))
            async with serving(app) as port:
                assert (await fetch(port, "/"))[0] == 404
                assert (await fetch(port, "/readyz"))[0] == 404
                assert (await fetch(port, "/health/readyz?verbose"))[2] == b"readyz check passed\n"

    run(main())


def test_where_nothing_runs_in_the_background_a_probe_runs_the_checks(run: Run) -> None:
    async def main() -> None:
        health, go_on, asked = Health(items=None), asyncio.Event(), asyncio.Event()

        async def slow() -> None:
            asked.set()
            await go_on.wait()

        health.add("slow", slow, timeout=20.0)
        async with serving(HealthApp(None, HealthEndpoints(health))) as port:
            answer = asyncio.ensure_future(fetch(port, "/readyz"))
            await asked.wait()
            assert not answer.done()
            # The rest goes on meanwhile.
            assert (await fetch(port, "/livez"))[0] == 200
            go_on.set()
            assert (await answer)[0] == 200

    run(main())


def test_a_client_that_leaves_does_no_harm(run: Run) -> None:
    async def main() -> None:
        health, go_on, asked = Health(items=None), asyncio.Event(), asyncio.Event()

        async def slow() -> None:
            asked.set()
            await go_on.wait()

        health.add("slow", slow, timeout=20.0)
        async with serving(HealthApp(None, HealthEndpoints(health))) as port:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await asked.wait()
            writer.close()
            await writer.wait_closed()
            second = asyncio.ensure_future(fetch(port, "/readyz"))
            go_on.set()
            assert (await second)[0] == 200

    run(main())
