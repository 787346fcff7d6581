"""Where a request was made from, according to the browser: the check behind the setting
`cross_origin_protection`.

Browsers say of every request which kind of site started it (`Sec-Fetch-Site`, W3C Fetch Metadata); those that
do not yet, name the origin (`Origin`, RFC 6454 section 7). A script on another site can forge neither.
Clients that send neither are no browsers, carry no cookies that someone else could make use of, and pass.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from eyewall.web.errors import HTTPError
from eyewall.web.settings import SettingsMixin

if TYPE_CHECKING:
    from eyewall.http.request import HTTPServerRequest

#: Methods that must not change anything (RFC 9110 section 9.2.1) and are not checked.
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

#: `none` is a request the user made: an address typed, a bookmark.
_OWN_SITES = frozenset({"same-origin", "none"})
#: How much of a header the log repeats.
_LOGGED_CHARS = 200


def origin_is_host(origin: str, host: str) -> bool:
    """Tells whether `origin` is the host and port of a `Host` field; the scheme may differ behind a proxy."""
    _, separator, rest = origin.partition("://")
    if not separator:
        return False
    for delimiter in "/?#":
        rest = rest.partition(delimiter)[0]
    return rest != "" and rest.lower() == host.lower()


def cross_origin_complaint(
    site: str | None, origin: str | None, host: str, trusted: Callable[[str], bool]
) -> str | None:
    """Returns why a request must be refused, or None when it may pass.

    `site` and `origin` are the fields `Sec-Fetch-Site`, which wins when it is there, and `Origin`; `trusted`
    is asked about origins that are not our own.
    """
    if site is not None:
        if site in _OWN_SITES or (origin is not None and trusted(origin)):
            return None
        shown = None if origin is None else origin[:_LOGGED_CHARS]
        return f"Sec-Fetch-Site {site[:_LOGGED_CHARS]} & origin {shown!r} not allowed"
    if origin is None or origin_is_host(origin, host) or trusted(origin):
        return None
    return f"Origin {origin[:_LOGGED_CHARS]!r} not allowed"


class OriginMixin(SettingsMixin):
    """The check, and the method an application overrides to decide about other origins."""

    request: HTTPServerRequest

    def check_trusted_origin(self, origin: str) -> bool:
        """Tells whether a request that another origin made may change something here.

        By default: whether the setting `trusted_origins` has it, compared exactly, as in
        `https://example.com`. It is called before `prepare`, and only for requests that seem to come from
        elsewhere.
        """
        return origin in (self.application.settings.get("trusted_origins") or ())

    def _refuse_cross_origin(self) -> None:
        """Raises HTTPError (403) for a request that another site may have forged; the setting is not looked
        at."""
        request = self.request
        if request.method in SAFE_METHODS:
            return
        headers = request.headers
        complaint = cross_origin_complaint(
            headers.get("Sec-Fetch-Site"), headers.get("Origin"), request.host, self.check_trusted_origin
        )
        if complaint is not None:
            raise HTTPError(403, complaint)
