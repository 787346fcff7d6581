"""Decorators for handler methods and handler classes."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from eyewall.base.escape import url_escape
from eyewall.web.errors import HTTPError

if TYPE_CHECKING:
    from eyewall.http.request import HTTPServerRequest

C = TypeVar("C", bound=type)

#: Browsers take both slashes of a Location for one that starts with a host, whichever way they lean.
_SLASHES = "/\\"


class _Redirecting(Protocol):
    """What a decorated method needs of its handler."""

    @property
    def request(self) -> HTTPServerRequest: ...
    @property
    def current_user(self) -> Any: ...
    def get_login_url(self) -> str: ...
    def redirect(self, url: str, permanent: bool = False, status: int | None = None) -> None: ...


M = TypeVar("M", bound=Callable[..., Any])


def is_absolute(path: str) -> bool:
    """Tells whether `path` starts at the root of a site (`/...`) or names the site (`http:`, `https:`)."""
    return path.startswith(("/", "http:", "https:"))


def authenticated(method: M) -> M:
    """Runs the method only for a request with a `current_user`.

    Others are redirected to `get_login_url()` for GET and HEAD, with the address to come back to as the
    argument `next` unless the URL has arguments of its own; other methods get 403.
    """

    @functools.wraps(method)
    def guarded(self: _Redirecting, *args: Any, **kwargs: Any) -> Any:
        if self.current_user:
            return method(self, *args, **kwargs)
        request = self.request
        if request.method not in ("GET", "HEAD"):
            raise HTTPError(403)
        url = self.get_login_url()
        if "?" not in url:
            # A login page on another site has to know which site to come back to.
            elsewhere = "://" in url or url.startswith("//")
            back = request.full_url() if elsewhere else request.uri or "/"
            url = f"{url}?next={url_escape(back)}"
        self.redirect(url)
        return None

    return guarded  # type: ignore[return-value]


def removeslash(method: M) -> M:
    """Redirects (301) a GET or HEAD whose path ends with slashes to the path without; 404 for other methods.

    It decorates `method`, of a handler. The path `/` is left alone. A path that a browser would take for
    another host is refused with 403.
    """

    @functools.wraps(method)
    def exact(self: _Redirecting, *args: Any, **kwargs: Any) -> Any:
        path = self.request.path
        if not path.endswith("/"):
            return method(self, *args, **kwargs)
        if self.request.method not in ("GET", "HEAD"):
            raise HTTPError(404)
        bare = path.rstrip("/")
        if not bare:
            return method(self, *args, **kwargs)
        _redirect(self, bare)
        return None

    return exact  # type: ignore[return-value]


def addslash(method: M) -> M:
    """Redirects (301) a GET or HEAD whose path does not end with a slash to one that does; 404 for other
    methods.

    It decorates `method`, of a handler. A path that a browser would take for another host is refused with 403.
    """

    @functools.wraps(method)
    def exact(self: _Redirecting, *args: Any, **kwargs: Any) -> Any:
        path = self.request.path
        if path.endswith("/"):
            return method(self, *args, **kwargs)
        if self.request.method not in ("GET", "HEAD"):
            raise HTTPError(404)
        _redirect(self, path + "/")
        return None

    return exact  # type: ignore[return-value]


def starts_like_a_host(path: str) -> bool:
    """Tells whether a browser would take a Location of `path` for another host: two slashes of any kind
    first."""
    return path[:1] in _SLASHES and path[1:2] in _SLASHES and len(path) > 1


def _redirect(handler: _Redirecting, path: str) -> None:
    if starts_like_a_host(path):
        raise HTTPError(403, "cannot redirect path with two initial slashes")
    query = handler.request.query
    handler.redirect(f"{path}?{query}" if query else path, permanent=True)


def stream_request_body(cls: C) -> C:
    """Makes a handler class take the body of its request in pieces, by `data_received`, as it arrives.

    `prepare` runs before the first piece; arguments of the body are not parsed. Raises TypeError for anything
    but a RequestHandler subclass.
    """
    if not isinstance(cls, type) or not hasattr(cls, "_stream_request_body"):
        raise TypeError(f"expected subclass of RequestHandler, got {cls!r}")
    cls._stream_request_body = True
    return cls
