"""Rate limits of applications, routes, classes and verbs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from eyewall.guard.limits.ratelimit import RateLimit
from eyewall.guard.limits.rateshared import SharedRateLimit
from eyewall.web import Application, RequestHandler, rate_limited, stream_request_body, url

from ..redisserver import redis_server
from .serving import ask, fetch, serving


class Plain(RequestHandler):
    def get(self, *args: str) -> None:
        self.write("plain")


def limit(burst: float = 2, name: str = "default", **options: Any) -> RateLimit:
    """One at which nothing comes back while a test runs."""
    return RateLimit(1, burst, per=86400.0, name=name, **options)


def statuses(app: Application, *requests: Any) -> list[int]:
    return [response.status for response in ask(app, *requests)]


def test_an_application(caplog: pytest.LogCaptureFixture) -> None:
    app = Application([("/", Plain), ("/(x)", Plain)], rate_limit=limit(3, "app"))
    responses = ask(app, "/", "/x", "/nowhere", "/", "/x", "/nowhere")
    assert [response.status for response in responses] == [200, 200, 404, 429, 429, 429]
    assert [response.headers["RateLimit"].split(";")[1] for response in responses[:2]] == ["r=2", "r=1"]
    assert responses[0].headers["RateLimit-Policy"] == '"app";q=3;w=259200'
    refused = responses[3].headers
    assert 86_000 < int(refused["Retry-After"]) <= 86_400
    assert refused["RateLimit"].startswith('"app";r=0;t=')
    assert refused["RateLimit-Policy"] == '"app";q=3;w=259200'
    lines = [record for record in caplog.records if record.levelno == logging.WARNING]
    texts = [record.getMessage() for record in lines if "rate limit" in record.getMessage()]
    assert texts == ["429 GET / (127.0.0.1): more requests than the rate limit app allows"]


def test_a_route_and_a_class() -> None:
    class Limited(Plain):
        rate_limit = limit(1, "class")

    app = Application(
        [
            url("/route", Plain).limited(rate=limit(2, "route")),
            url("/own", Limited).limited(rate=limit(3, "own")),
            ("/class", Limited),
            ("/class/(.*)", Limited),
            ("/free", Plain),
        ]
    )
    assert statuses(app, *["/route"] * 3) == [200, 200, 429]
    assert statuses(app, "/class", "/class/x") == [200, 429]
    assert statuses(app, *["/own"] * 4) == [200, 200, 200, 429]
    free = ask(app, "/free")
    assert free.status == 200
    assert "RateLimit" not in free.headers


def test_several_are_named_in_one_field() -> None:
    app = Application([url("/", Plain).limited(rate=limit(2, "route"))], rate_limit=limit(9, "app"))
    one, _, refused = ask(app, "/", "/", "/")
    assert one.headers["RateLimit-Policy"] == '"app";q=9;w=777600, "route";q=2;w=172800'
    assert [part.strip().split(";")[:2] for part in one.headers["RateLimit"].split(",")] == [
        ['"app"', "r=8"],
        ['"route"', "r=1"],
    ]
    assert refused.status == 429
    assert refused.headers["RateLimit"].startswith('"route";r=0')


def test_applications_that_find_handlers_themselves_are_limited_as_well() -> None:
    class Own(Application):
        def find_handler(self, request: Any, **kwargs: Any) -> Any:
            return super().find_handler(request, **kwargs)

    class Limited(Plain):
        rate_limit = limit(1, "class")

    app = Own([("/", Plain), ("/class", Limited)], rate_limit=limit(4, "app"))
    assert statuses(app, "/class", "/class", "/", "/nowhere", "/") == [200, 429, 200, 404, 429]


def test_a_verb() -> None:
    calls: list[str] = []

    class Handler(RequestHandler):
        @rate_limited(limit(1))
        def get(self) -> None:
            calls.append("get")

        @rate_limited(limit(1, key=lambda request: request.headers.get("X-Key"), cost=0.5))
        async def post(self) -> None:
            await asyncio.sleep(0)
            calls.append("post")
            self.write("done")

    app = Application([("/", Handler)])
    assert statuses(app, "/", "/") == [200, 429]
    assert statuses(app, *[("/", "POST", {"X-Key": "a"})] * 3) == [200, 200, 429]
    assert statuses(app, ("/", "POST", {"X-Key": "b"}), *[("/", "POST")] * 3) == [200] * 4
    assert calls == ["get", *["post"] * 6]
    assert Handler.get.__name__ == "get"


def test_content_that_is_streamed_is_not_taken() -> None:
    taken: list[bytes] = []

    @stream_request_body
    class Upload(RequestHandler):
        rate_limit = limit(1, "uploads")

        def data_received(self, chunk: bytes) -> None:
            taken.append(chunk)

        def post(self) -> None:
            self.write("done")

    app = Application([("/", Upload)])
    assert statuses(app, ("/", "POST", {}, b"one"), ("/", "POST", {}, b"two")) == [200, 429]
    assert taken == [b"one"]


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    with redis_server() as server:
        yield server.url


def test_one_that_is_shared(redis_url: str) -> None:
    """Whoever waits for Redis goes on in the order of calls that a handler knows."""
    calls: list[str] = []

    class Handler(RequestHandler):
        def prepare(self) -> None:
            calls.append("prepare")

        def get(self) -> None:
            calls.append("get")

        async def delete(self) -> None:
            await asyncio.sleep(0)
            calls.append("delete")

    @stream_request_body
    class Upload(Handler):
        def data_received(self, chunk: bytes) -> None:
            calls.append("data")

        def post(self) -> None:
            calls.append("post")

    async def main() -> list[Any]:
        shared = SharedRateLimit(1, 3, redis_url, per=86400.0, name="web", timeout=30.0)
        app = Application([("/", Handler), ("/upload", Upload)], rate_limit=shared)
        async with serving(app) as port:
            try:
                return [
                    await fetch(port, "/"),
                    await fetch(port, "/", "DELETE"),
                    await fetch(port, "/upload", "POST", {}, b"x"),
                    await fetch(port, "/"),
                    await fetch(port, "/upload", "POST", {}, b"y"),
                ]
            finally:
                await shared.close()

    responses = asyncio.run(main())
    assert [response.status for response in responses] == [200, 200, 200, 429, 429]
    assert responses[0].headers["RateLimit"].startswith('"web";r=2')
    assert calls == ["prepare", "get", "prepare", "delete", "prepare", "data", "post"]


def test_programs_that_mean_something_else_by_the_names() -> None:
    class Own(Plain):
        rate_limit = 5
        request_limit = 10

        def limit(self) -> None: ...

    assert statuses(Application([("/", Own), url("/x", Own)], rate_limit="often"), "/", "/x", "/nowhere") == [
        200,
        200,
        404,
    ]
