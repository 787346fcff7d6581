"""A trace and a request id through a server and a client, with and without spans."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from opentelemetry import trace as opentelemetry
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from eyewall.base import probe
from eyewall.base.context import request_id
from eyewall.client import AsyncHTTPClient, HTTPRequest
from eyewall.doctor.tracing import current_trace, disable, enable
from eyewall.doctor.tracing.context import parse_traceparent
from eyewall.http.requestids import IdentifyingApp
from eyewall.web import Application, RequestHandler

from ...web.serving import fetch, serving

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = {"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": "congo=t61rcWkgMzE"}


@pytest.fixture(autouse=True)
def _off() -> Iterator[None]:
    yield
    disable()


@pytest.fixture
def recorded() -> InMemorySpanExporter:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    enable(provider=provider)
    return exporter


class Front(RequestHandler):
    """Asks the other one, and says what it was asked with."""

    async def get(self, path: str) -> None:
        client = AsyncHTTPClient(force_instance=True)
        try:
            response = await client.fetch(f"{self.settings['back']}/{path}", raise_error=False)
        finally:
            client.close()
        self.set_status(response.code)
        self.write(response.body)


class Back(RequestHandler):
    def get(self, path: str) -> None:
        if path == "fails":
            self.set_status(503)
        names = ("traceparent", "tracestate", "X-Request-ID")
        self.write({name: self.request.headers.get(name) for name in names})


async def through(path: str = "x", **headers: str) -> tuple[int, dict[str, Any]]:
    """Asks the front for what the back was asked with."""
    import json

    async with serving(Application([("/(.*)", Back)])) as back:
        app = Application([("/(.*)", Front)], back=f"http://127.0.0.1:{back}")
        async with serving(IdentifyingApp(app.entry(), 200)) as front:
            response = await fetch(front, f"/{path}", headers=headers)
    return response.status, json.loads(response.body)


def test_off(run: Callable[..., Any]) -> None:
    async def main() -> None:
        _, seen = await through(**PARENT)
        assert seen == {"traceparent": None, "tracestate": None, "X-Request-ID": None}

    assert probe.fetch_begin.fire is None
    run(main())


def test_the_trace_and_the_id_travel(run: Callable[..., Any]) -> None:
    async def main() -> None:
        enable()
        _, seen = await through(**PARENT, **{"X-Request-ID": "order-7"})
        context = parse_traceparent(seen["traceparent"])
        assert context is not None
        assert (context.trace_id, context.sampled) == (TRACE, True)
        assert context.span_id != SPAN
        assert seen["tracestate"] == PARENT["tracestate"]
        assert seen["X-Request-ID"] == "order-7"

    run(main())


@pytest.mark.parametrize("parent", ["nonsense", f"00-{'0' * 32}-{SPAN}-01", ""])
def test_a_trace_begins_where_there_is_none(run: Callable[..., Any], parent: str) -> None:
    async def main() -> None:
        enable()
        _, seen = await through(traceparent=parent, tracestate="a=1")
        context = parse_traceparent(seen["traceparent"])
        assert context is not None
        assert not context.sampled
        assert seen["tracestate"] is None

    run(main())


def test_what_the_application_sends_itself_stays(run: Callable[..., Any]) -> None:
    async def main() -> None:
        import json

        enable()
        async with serving(Application([("/(.*)", Back)])) as back:
            client = AsyncHTTPClient(force_instance=True)
            request = HTTPRequest(f"http://127.0.0.1:{back}/", headers={"X-Request-ID": "mine"})
            token = request_id.set("other")
            seen = [json.loads((await client.fetch(request)).body) for _ in range(2)]
            request_id.reset(token)
            client.close()
        assert [each["X-Request-ID"] for each in seen] == ["mine", "mine"]
        # Made twice, it is two requests.
        assert seen[0]["traceparent"] != seen[1]["traceparent"]
        assert "traceparent" not in request.headers

    run(main())


def test_requests_of_one_connection_do_not_share_a_trace(run: Callable[..., Any]) -> None:
    async def main() -> None:
        from ...web.serving import conversing

        class Says(RequestHandler):
            async def get(self) -> None:
                await asyncio.sleep(0)
                context = current_trace.get()
                assert context is not None
                self.write(context.trace_id)

        enable()
        async with conversing(Application([("/", Says)])) as client:
            first = await client.ask("GET", "/", f"traceparent: {PARENT['traceparent']}")
            second = await client.ask("GET", "/")
        assert first.body == TRACE.encode()
        assert second.body != first.body
        assert current_trace.get() is None

    run(main())


def test_spans(run: Callable[..., Any], recorded: InMemorySpanExporter) -> None:
    async def main() -> None:
        status, seen = await through(**PARENT)
        assert status == 200
        back, client, front = recorded.get_finished_spans()
        assert {each.context.trace_id for each in (back, client, front)} == {int(TRACE, 16)}
        assert front.parent is not None
        assert (front.parent.span_id, front.parent.is_remote) == (int(SPAN, 16), True)
        assert client.parent is not None
        assert client.parent.span_id == front.context.span_id
        assert back.parent is not None
        assert back.parent.span_id == client.context.span_id
        assert (front.kind, client.kind, back.kind) == (SpanKind.SERVER, SpanKind.CLIENT, SpanKind.SERVER)
        assert (front.name, client.name) == ("GET /(.*)", "GET")
        assert front.attributes is not None
        attributes = dict(front.attributes)
        assert attributes["server.address"] == "example.com"
        for name, value in (
            ("http.request.method", "GET"),
            ("http.route", "/(.*)"),
            ("http.response.status_code", 200),
            ("url.path", "/x"),
            ("url.scheme", "http"),
            ("network.protocol.version", "1.1"),
        ):
            assert attributes[name] == value
        assert client.attributes is not None
        assert str(client.attributes["url.full"]).endswith("/x")
        assert client.attributes["server.address"] == "127.0.0.1"
        assert client.status.status_code is StatusCode.UNSET
        assert parse_traceparent(seen["traceparent"]) is not None

    run(main())


def test_spans_of_what_fails(run: Callable[..., Any], recorded: InMemorySpanExporter) -> None:
    async def main() -> None:
        assert (await through("fails"))[0] == 503
        for span in recorded.get_finished_spans():
            assert span.status.status_code is StatusCode.ERROR
            assert span.attributes is not None
            assert span.attributes["error.type"] == "503"
        recorded.clear()
        client = AsyncHTTPClient(force_instance=True)
        with pytest.raises(ConnectionRefusedError):
            await client.fetch("http://user:secret@127.0.0.1:9/")
        client.close()
        [span] = recorded.get_finished_spans()
        assert span.attributes is not None
        assert span.attributes["error.type"] == "ConnectionRefusedError"
        assert span.attributes["url.full"] == "http://REDACTED:REDACTED@127.0.0.1:9/"

    run(main())


def test_spans_of_the_application_are_below(run: Callable[..., Any], recorded: InMemorySpanExporter) -> None:
    async def main() -> None:
        class Works(RequestHandler):
            async def get(self) -> None:
                await asyncio.sleep(0)
                self.write(f"{opentelemetry.get_current_span().get_span_context().span_id:x}")

        async with serving(Application([("/", Works)])) as port:
            response = await fetch(port, "/")
        [span] = recorded.get_finished_spans()
        assert response.body.decode() == f"{span.context.span_id:x}"

    run(main())


def test_it_is_on_once(run: Callable[..., Any]) -> None:
    enable()
    enable()
    assert len(probe.request_begin.listeners) == 1
    disable()
    disable()
    assert probe.request_begin.fire is None
    assert probe.fetch_begin.fire is None
