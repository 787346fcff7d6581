"""The root of Eyewall's own exceptions.

    Exception
    └── EyewallError             something Eyewall itself has to say; `status` is the HTTP status it maps to
        └── LimitExceeded        a named limit was reached; `limit` says which, `allowed` how much it was

Layers add their own below these two, each drawn at the head of the file that defines it. Where Tornado
documents a class for a failure (`HTTPInputError`, `StreamClosedError`, `ValueError` …), ours derives from
both.
"""

from __future__ import annotations


class EyewallError(Exception):
    """The base of every exception that Eyewall defines for itself.

    `status` is the HTTP status that answers a request which failed because of this error.
    """

    status: int = 500


class LimitExceeded(EyewallError):
    """The other side, or the application, asked for more than a named limit allows.

    `limit` is the name of the limit as the profile spells it, `allowed` its value, in the unit of that limit.
    The default `status` is 400; subclasses and callers that know better pass another (413, 414, 431, 503).
    `message`: the text, by default one that names the limit.
    """

    status = 400

    def __init__(
        self, limit: str, allowed: float, message: str | None = None, *, status: int | None = None
    ) -> None:
        self.limit = limit
        self.allowed = allowed
        if status is not None:
            self.status = status
        super().__init__(message or f"more than the limit {limit} allows ({allowed:g})")
