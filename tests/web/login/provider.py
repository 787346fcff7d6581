"""A provider that answers what a test tells it to, and an application that asks it."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from eyewall.web import Application, RequestHandler
from tests.web.serving import Response, ask


class Question:
    """A request that the provider got."""

    def __init__(self, url: str, options: dict[str, Any]) -> None:
        self.url = url
        self.address = url.partition("?")[0]
        self.method = options.get("method", "GET")
        pairs = parse_qsl(urlsplit(url).query, keep_blank_values=True)
        self.query = dict(pairs)
        assert len(self.query) == len(pairs)
        self.form = dict(parse_qsl(options.get("body", ""), keep_blank_values=True))
        self.headers = options.get("headers", {})


class Provider:
    """In place of the HTTP client. Each answer is content, or an exception that asking raises."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.questions: list[Question] = []

    async def fetch(self, url: str, **options: Any) -> Any:
        self.questions.append(Question(url, options))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        if not isinstance(answer, bytes):
            answer = json.dumps(answer).encode()
        return type("Answer", (), {"body": answer})


def visit(
    mixin: type,
    act: Any,
    provider: Provider,
    path: str = "/login",
    cookie: str = "",
    attributes: dict[str, Any] | None = None,
    **settings: Any,
) -> Response:
    """The response of a handler with `mixin` whose `get` does `act(handler)`.

    What that returns is the response's content, as JSON; what it raises, too: `{"raised": name, "message": …}`.
    """

    async def get(self: Any) -> None:
        try:
            result = act(self)
            if hasattr(result, "__await__"):
                result = await result
        except Exception as error:
            result = {"raised": type(error).__name__, "message": str(error)}
        if not self._finished:
            self.finish(json.dumps(result))

    def client(self: Any) -> Provider:
        return provider

    members = {"get": get, "get_auth_http_client": client, **(attributes or {})}
    handler = type("Handler", (RequestHandler, mixin), members)
    headers = {"Cookie": cookie} if cookie else {}
    return ask(Application([("/login", handler)], **settings), (path, "GET", headers))


def result(response: Response) -> Any:
    """What the handler's `act` returned or raised."""
    return json.loads(response.body)


def location(response: Response) -> tuple[str, dict[str, str]]:
    """Where a response redirects to: the address and its query."""
    assert response.status == 302, response.raw
    parts = urlsplit(response.headers["Location"])
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    assert len(dict(pairs)) == len(pairs)
    return f"{parts.scheme}://{parts.netloc}{parts.path}", dict(pairs)
