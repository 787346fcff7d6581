"""The limits that applications, routes and handlers state by an attribute or a setting.

Most state none. So what a limit takes is loaded here, when the first is found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eyewall.guard.limits.ratelimit import RateLimit
    from eyewall.guard.limits.requestlimit import RequestLimit


def as_request_limit(value: object) -> RequestLimit | None:
    """Returns `value` where it is such a limit; None for None, and where a program means something else by the name."""
    if value is None:
        return None
    from eyewall.guard.limits.requestlimit import RequestLimit

    return value if isinstance(value, RequestLimit) else None


def as_rate_limit(value: object) -> RateLimit | None:
    """The same for a limit of how often."""
    if value is None:
        return None
    from eyewall.guard.limits.ratelimit import RateLimit

    return value if isinstance(value, RateLimit) else None


def fit_for_route(value: object, where: str) -> None:
    """Raises TypeError where `value` is a limit for a whole server, which measures what nobody measures `where` it
    is."""
    limit = as_request_limit(value)
    if limit is not None and limit.gate.measuring:
        raise TypeError(
            f"{where}: {type(limit).__name__} adapts to all that a server does, and is for the setting "
            "request_limit or HTTPServer.limit_requests; give a route or a class a RequestLimit"
        )
