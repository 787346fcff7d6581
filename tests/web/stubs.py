"""Stand-ins for the request and the application, for tests of the parts of a handler."""

from http.cookies import SimpleCookie
from types import SimpleNamespace


class FakeHeaders(dict):
    """Header fields by name; tests spell them as the server does."""


def fake_request(
    method="GET",
    uri="/",
    headers=None,
    query=None,
    body=None,
    cookies="",
    host="example.com",
):
    """A request with arguments given as dictionaries of lists of bytes."""
    path, _, query_text = uri.partition("?")
    query = query or {}
    body = body or {}
    both = {name: list(values) for name, values in query.items()}
    for name, values in body.items():
        both.setdefault(name, []).extend(values)
    return SimpleNamespace(
        method=method,
        uri=uri,
        path=path,
        query=query_text,
        host=host,
        headers=FakeHeaders(headers or {}),
        arguments=both,
        query_arguments=query,
        body_arguments=body,
        cookies=SimpleCookie(cookies),
        full_url=lambda: f"http://{host}{uri}",
    )


def assemble(*mixins, settings=None, **request):
    """An instance of a class made of `mixins`, with a fake request and application."""
    handler = type("Handler", mixins, {})()
    handler.request = fake_request(**request)
    handler.application = SimpleNamespace(settings=settings if settings is not None else {})
    return handler
