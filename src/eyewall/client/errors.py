"""What can go wrong with a request, beyond the documented errors of `client.request`.

::

    Exception
    ├── OSError, ssl.SSLError                 the server cannot be reached; its certificate is not good
    ├── ValueError                            the request cannot be sent as it is
    │   ├── InvalidURL
    │   └── UnknownMethod                     also a KeyError
    └── client.request.HTTPClientError        `code` is the status, 599 where there was no response
        ├── HTTPTimeoutError                  the message says what took too long
        │   ├── ClientQueueTimeout            by ourselves: the request, or its connection, had to wait for its turn
        │   └── FetchDeadlineExceeded         it was the caller's deadline; also a guard.errors.DeadlineExceeded
        ├── ClientQueueFull                   too many requests wait already
        ├── ProxyRefused                      the proxy would not open a tunnel
        └── HTTPStreamClosedError             the connection ended before the response was complete
            ├── ServerDisconnected            by the server, before a byte of the response had come
            ├── ClientClosed                  by ourselves: the client was closed meanwhile
            ├── CallbackFailed                by ourselves: a callback of the request raised
            └── MalformedResponse             by ourselves: the response breaks a rule of HTTP, or a limit
                └── ResponseHeadTooLarge      also a net.errors.UnsatisfiableReadError
"""

from __future__ import annotations

from eyewall.base.errors import EyewallError
from eyewall.client.request import NO_RESPONSE, HTTPClientError, HTTPStreamClosedError, HTTPTimeoutError
from eyewall.guard.errors import DeadlineExceeded
from eyewall.net.errors import UnsatisfiableReadError


class InvalidURL(EyewallError, ValueError):
    """A URL that no request can be sent to; the message says why."""


class UnknownMethod(EyewallError, ValueError, KeyError):
    """A method that is not a usual one, in a request that does not allow others."""

    __str__ = Exception.__str__


class ClientQueueFull(HTTPClientError):
    """More requests wait for their turn than the limit `client_queue`, which is `allowed`."""

    def __init__(self, allowed: int) -> None:
        super().__init__(NO_RESPONSE, f"too many requests wait already (limit client_queue={allowed})")
        self.args = (allowed,)


class ClientQueueTimeout(HTTPTimeoutError):
    """A request waited for its turn, or for room for a connection, until its time was over. Nothing was sent."""


class FetchDeadlineExceeded(HTTPTimeoutError, DeadlineExceeded):
    """The deadline of whoever makes the request (`guard.deadlines`) has come before the response, and before the
    request's own timeouts. `deadline` says whose it was, `waited_for` which request."""

    def __init__(self, deadline: str, waited_for: str = "", place: str = "") -> None:
        # The base that sets `code` passes what it has on to the other one, which sets it anew.
        super().__init__(deadline)
        DeadlineExceeded.__init__(self, deadline, waited_for, place)
        self.message = str(self.args[0])


class ProxyRefused(HTTPClientError):
    """A proxy answered CONNECT with something else than 2xx; `status` and `reason` are its answer's."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(NO_RESPONSE, f"the proxy answered CONNECT with {status} {reason}")
        self.args = (status, reason)
        self.status = status
        #: Its fields Proxy-Authenticate.
        self.challenges: list[str] = []


class ServerDisconnected(HTTPStreamClosedError):
    """The server closed the connection without a byte of a response."""


class ClientClosed(HTTPStreamClosedError):
    """The client was closed while the request was being made, or waited."""


class CallbackFailed(HTTPStreamClosedError):
    """A callback of the request raised, which is the `__cause__`; it is logged already."""


class MalformedResponse(HTTPStreamClosedError):
    """The response breaks a rule of HTTP or exceeds a limit; the message says which."""


class ResponseHeadTooLarge(MalformedResponse, UnsatisfiableReadError):
    """The head of the response is larger than `max_header_size`."""
