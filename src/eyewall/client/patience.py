"""How long a request may take: its own timeouts, or what the work that makes it has left."""

from __future__ import annotations

import re
from typing import Protocol

from eyewall.client.errors import FetchDeadlineExceeded
from eyewall.client.request import HTTPTimeoutError
from eyewall.guard.deadlines.deadline import current

_USER = re.compile(r"//[^/@]*@")


class Wanted(Protocol):
    """A request, as an error names it."""

    @property
    def method(self) -> str: ...
    @property
    def url(self) -> str: ...


def named(request: Wanted) -> str:
    """Returns what an error says of a request: no credentials, and no query, which may be as secret."""
    return f"{request.method} {_USER.sub('//', request.url.partition('?')[0])}"


def check_deadline(request: Wanted) -> None:
    """Raises FetchDeadlineExceeded where there is no time left to begin with."""
    deadline = current()
    if deadline is not None and deadline.passed():
        raise FetchDeadlineExceeded(deadline.whose, named(request))


def explained(error: Exception, request: Wanted, message: str) -> Exception:
    """Returns what is raised for a timeout: that it was the deadline, where that has passed; else `message`.

    The network has timeouts of its own, which have an error number and stay what they are.
    """
    deadline = current()
    if isinstance(error, TimeoutError) and error.errno is not None:
        return error
    if deadline is not None and deadline.passed():
        late = FetchDeadlineExceeded(deadline.whose, named(request))
        # Whether it had begun by then, a circuit breaker wants to know.
        late.__cause__ = error
        return late
    return error if isinstance(error, HTTPTimeoutError) else HTTPTimeoutError(message)
