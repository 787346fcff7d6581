"""The two that a login mixin deals with: the handler that it is mixed into, and the provider."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urljoin

from eyewall.http.url import url_concat

if TYPE_CHECKING:
    from eyewall.client.simple import AsyncHTTPClient
    from eyewall.web.handler import RequestHandler


def handler_of(mixin: object) -> RequestHandler:
    """Returns its argument, as what it is by the time that anything is called: a RequestHandler."""
    return cast("RequestHandler", mixin)


def own_url(mixin: object, target: str | None) -> str:
    """Returns the whole URL of `target`, which may be relative to the request; None is the request's own."""
    return urljoin(handler_of(mixin).request.full_url(), target or "")


def shared_client() -> AsyncHTTPClient:
    """Returns the HTTP client of this loop."""
    # Most programs that log in somebody have their own way of doing it.
    from eyewall.client.simple import AsyncHTTPClient

    return AsyncHTTPClient()


async def ask(client: Any, url: str, form: str | None = None, **options: Any) -> bytes:
    """Returns the content of the provider's answer, to a GET or with `form` to a POST.

    Raises what the client does, which is HTTPClientError for an answer other than 2xx.
    """
    if form is not None:
        options.update(method="POST", body=form)
    response = await client.fetch(url, **options)
    body: bytes = response.body
    return body


def form_of(fields: dict[str, Any]) -> str:
    """Returns `fields` as the content of a form (application/x-www-form-urlencoded)."""
    return url_concat("", fields).removeprefix("?")
