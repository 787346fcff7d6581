"""What the guard refuses, as exceptions that a handler may let pass: the web layer answers with their status.

    EyewallError
    └── Overloaded               503: a limit of this process is reached; `limit` names it, `retry_after` says when

A refusal is nobody's mistake: it is logged once a minute for each limit, without a traceback.
"""

from __future__ import annotations

import math

from eyewall.base.errors import EyewallError


class Overloaded(EyewallError):
    """Something is full, and the work was not begun: whoever asked may ask again later.

    `limit` is the name of the limit, executor, breaker … that refused, `retry_after` the seconds after which another
    attempt makes sense, None where nobody knows.
    """

    status = 503

    def __init__(self, limit: str, message: str | None = None, *, retry_after: float | None = None) -> None:
        self.limit = limit
        self.retry_after = retry_after
        super().__init__(message or f"the limit {limit} is reached")

    def __reduce__(self) -> tuple[type[Overloaded], tuple[str, str], dict[str, object]]:
        # A worker's process may raise it.
        return type(self), (self.limit, str(self)), vars(self)

    def fields(self) -> dict[str, str]:
        """Returns the header fields of a response that says so: Retry-After, in whole seconds (RFC 9110 section
        10.2.3)."""
        return {} if self.retry_after is None else {"Retry-After": whole_seconds(self.retry_after)}


def whole_seconds(seconds: float) -> str:
    """Returns what Retry-After says for so many seconds: never too early, and at least a second."""
    return str(max(1, math.ceil(seconds)))
