"""What the guard refuses, as exceptions that a handler may let pass: the web layer answers with their status.

    EyewallError
    ├── Overloaded               503: a limit of this process is reached; `limit` names it, `retry_after` says when
    │   └── RateLimited          429: somebody asks more often than a rate limit allows
    └── DeadlineExceeded         503, also a TimeoutError: time is up; says what was waited for, and where

A refusal is nobody's mistake: it is logged once a minute for each limit, without a traceback.
"""

from __future__ import annotations

import math

from eyewall.base.errors import EyewallError


class Overloaded(EyewallError):
    """Something is full, and the work was not begun: whoever asked may ask again later.

    `limit` is the name of the limit, executor, breaker … that refused, `retry_after` the seconds after which
    another attempt makes sense, None where nobody knows. `message` says more.
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


class RateLimited(Overloaded):
    """Somebody asks more often than a rate limit allows (RFC 6585 section 4).

    `response_fields`: what a response says besides Retry-After. `limit`, `message` and `retry_after` as in
    `Overloaded`.
    """

    status = 429

    def __init__(
        self,
        limit: str,
        message: str | None = None,
        *,
        retry_after: float | None = None,
        response_fields: dict[str, str] | None = None,
    ) -> None:
        self.response_fields = response_fields or {}
        super().__init__(
            limit, message or f"more requests than the rate limit {limit} allows", retry_after=retry_after
        )

    def fields(self) -> dict[str, str]:
        """Returns the header fields of a response that says so."""
        return {**super().fields(), **self.response_fields}


class DeadlineExceeded(EyewallError, TimeoutError):
    """The time for some work is over, and it is not done.

    `deadline` says whose time it was ("the request's deadline of 2 s"), `waited_for` what the work was waiting for,
    `place` where: file, line and function of the innermost frame of the application. Both are empty where nobody
    knows.
    """

    status = 503

    def __init__(self, deadline: str, waited_for: str = "", place: str = "") -> None:
        self.deadline = deadline
        self.waited_for = waited_for
        self.place = place
        waiting = f" while waiting for {waited_for}" if waited_for else ""
        # One argument: of several, an OSError would make an error number.
        super().__init__(f"{deadline} has passed{waiting}{f' at {place}' if place else ''}")

    def __reduce__(self) -> tuple[type[DeadlineExceeded], tuple[str, str, str]]:
        return type(self), (self.deadline, self.waited_for, self.place)


def whole_seconds(seconds: float) -> str:
    """Returns what Retry-After says for so many seconds: never too early, and at least a second."""
    return str(max(1, math.ceil(seconds)))
