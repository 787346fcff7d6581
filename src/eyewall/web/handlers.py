"""Small ready-made handlers: redirects, fixed errors, and requests that something else answers."""

from __future__ import annotations

import re
import string
from collections.abc import Callable
from typing import Any

from eyewall.http.url import qs_to_qsl, url_concat
from eyewall.web.errors import HTTPError
from eyewall.web.handler import RequestHandler

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):")
_AUTHORITY = re.compile(r"[/\\]*([^/\\?#]*)")
#: What browsers drop from a URL before they look at it: blanks and controls in front, tabs and line ends
#: anywhere.
_IGNORED = re.compile("[\t\n\r]+")
_LEADING = "".join(map(chr, range(0x21)))
_UNSENDABLE = re.compile("[\x00-\x1f\x7f]")


def site_of(url: str) -> tuple[str, str]:
    """Returns the (scheme, host with port) that a browser reads from `url`; both empty for one within the
    site.

    Browsers are more generous than RFC 3986: any slashes and backslashes, two or more of them or any number
    after a scheme, start a host (WHATWG URL standard, section 4.4).
    """
    seen = _IGNORED.sub("", url).lstrip(_LEADING)
    scheme = _SCHEME.match(seen)
    if scheme is not None:
        host = _AUTHORITY.match(seen, scheme.end())
        return scheme.group(1).lower(), host.group(1) if host else ""
    if seen[:1] in ("/", "\\") and seen[1:2] in ("/", "\\"):
        host = _AUTHORITY.match(seen)
        return "", (host.group(1) if host else "") or "/"
    return "", ""


class RedirectHandler(RequestHandler):
    """Redirects every GET to `url`, permanently (301) or not (302).

    `url` is a format string that the groups of the route are put into: `{0}`, or `{name}` for named ones.
    They can't lead to another scheme or host than the one written in `url` before the first of them: such
    requests get 400. Arguments of the query are appended.
    """

    def initialize(self, url: str, permanent: bool = True) -> None:
        self._url = url
        self._permanent = permanent

    def get(self, *args: Any, **kwargs: Any) -> None:
        target = self._url.format(*args, **kwargs)
        if args or kwargs:
            written = next(iter(string.Formatter().parse(self._url)), ("",))[0]
            if site_of(target) != site_of(written):
                raise HTTPError(400, "Redirect URL cannot change the scheme or netloc")
            if _UNSENDABLE.search(target):
                raise HTTPError(400, "Redirect URL contains invalid characters")
        query = self.request.query_arguments
        if query:
            target = url_concat(target, list(qs_to_qsl(query)))
        self.redirect(target, permanent=self._permanent)


class ErrorHandler(RequestHandler):
    """Answers every request with `status_code`."""

    def initialize(self, status_code: int) -> None:
        self.set_status(status_code)

    def prepare(self) -> None:
        raise HTTPError(self.get_status())

    def check_xsrf_cookie(self) -> None:
        """Nothing is changed here, so nothing can be forged."""

    def check_trusted_origin(self, origin: str) -> bool:
        """True for any `origin`. As with tokens: the answer is the same for everybody."""
        return True

    def _refuse_cross_origin(self) -> None:
        """Not even for requests that do not name their origin."""


class FallbackHandler(RequestHandler):
    """Leaves a request to `fallback`: a function of a request that answers it, such as a WSGIContainer."""

    def initialize(self, fallback: Callable[[Any], object]) -> None:
        self.fallback = fallback

    def prepare(self) -> None:
        self.fallback(self.request)
        # The response is the fallback's: nothing of this handler's must follow.
        self._finished = True
        self.on_finish()
        if self._tasks is not None:
            self._tasks.end()
