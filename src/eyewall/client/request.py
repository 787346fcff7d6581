"""What a client asks for and what it gets: `HTTPRequest`, `HTTPResponse` and the error a bad status becomes.

Options that a request leaves at None are the client's to decide; `DEFAULTS` is what it falls back to.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from io import BytesIO
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol, TypeVar

from eyewall.base.clock import format_timestamp
from eyewall.base.errors import EyewallError
from eyewall.base.escape import utf8
from eyewall.http.headers import HTTPHeaders
from eyewall.http.startline import responses

if TYPE_CHECKING:
    import ssl

S = TypeVar("S")

#: Documented defaults of the options of a request; times in seconds.
DEFAULTS: Final[Mapping[str, Any]] = {
    "connect_timeout": 20.0,
    "request_timeout": 20.0,
    "follow_redirects": True,
    "max_redirects": 5,
    "decompress_response": True,
    "proxy_password": "",
    "allow_nonstandard_methods": False,
    "validate_cert": True,
}

#: The status of a request that got no response at all.
NO_RESPONSE = 599


class Guard(Protocol):
    """What stands between requests and their servers: `client.guarding.HostGuard`, which says what these do."""

    async def call(self, options: Any, send: Callable[[], Awaitable[HTTPResponse]]) -> HTTPResponse: ...

    def around(
        self, options: Any, stream: AbstractAsyncContextManager[S]
    ) -> AbstractAsyncContextManager[S]: ...


class HTTPRequest:
    """One request to be made.

    `url`, `method`, `headers` and `body` say what is sent; `body_producer` writes a body in pieces. Times are
    in seconds: `connect_timeout` to reach the server, `request_timeout` for all of it, 0 for no limit. None leaves an
    option to the client.

    `auth_username`, `auth_password`, `auth_mode` ("basic" or "digest"): how to log in. `if_modified_since`: a time
    (seconds since the epoch, or a datetime). `follow_redirects`, `max_redirects`: whether, and how many (5).
    `user_agent`: that field. `decompress_response` (`use_gzip` is its old name): ask for compression, and undo it.
    `network_interface`: address, or for libcurl name, of the one to connect from. `allow_ipv6`: whether to use it.
    `streaming_callback` is called with each piece of content, which the response then does not have;
    `header_callback` with each line of the head. `expect_100_continue`: wait with the content until it is wanted.
    `allow_nonstandard_methods`: any method, and content where a method has none as a rule.

    `proxy_host`, `proxy_port`, `proxy_username`, `proxy_password`, `proxy_auth_mode`: a proxy, and how to log in there.
    `validate_cert`, `ca_certs` (file of authorities), `client_key`, `client_cert` (files): TLS; or `ssl_options`, a
    context, which comes before these. `prepare_curl_callback` is given the handle of libcurl.

    `fetch` raises ValueError for what would let one request pass for two.
    """

    _DEFAULTS: ClassVar[Mapping[str, Any]] = DEFAULTS

    #: Circuit breakers, bulkheads and retries, by host: an option of `fetch` and `stream`, and not of a request's
    #: constructor, whose arguments are Tornado's.
    guard: Guard | None = None

    def __init__(
        self,
        url: str,
        method: str = "GET",
        headers: Mapping[str, str] | HTTPHeaders | None = None,
        body: bytes | str | None = None,
        auth_username: str | None = None,
        auth_password: str | None = None,
        auth_mode: str | None = None,
        connect_timeout: float | None = None,
        request_timeout: float | None = None,
        if_modified_since: float | datetime.datetime | None = None,
        follow_redirects: bool | None = None,
        max_redirects: int | None = None,
        user_agent: str | None = None,
        use_gzip: bool | None = None,
        network_interface: str | None = None,
        streaming_callback: Callable[[bytes], Any] | None = None,
        header_callback: Callable[[str], None] | None = None,
        prepare_curl_callback: Callable[[Any], None] | None = None,
        proxy_host: str | None = None,
        proxy_port: int | None = None,
        proxy_username: str | None = None,
        proxy_password: str | None = None,
        proxy_auth_mode: str | None = None,
        allow_nonstandard_methods: bool | None = None,
        validate_cert: bool | None = None,
        ca_certs: str | None = None,
        allow_ipv6: bool | None = None,
        client_key: str | None = None,
        client_cert: str | None = None,
        body_producer: Callable[[Callable[[bytes], Any]], Any] | None = None,
        expect_100_continue: bool = False,
        decompress_response: bool | None = None,
        ssl_options: dict[str, Any] | ssl.SSLContext | None = None,
    ) -> None:
        self.url = url
        self.method = method
        self.headers = headers
        if if_modified_since is not None:
            self.headers["If-Modified-Since"] = format_timestamp(if_modified_since)
        self.body = body
        #: Seconds since the epoch.
        self.start_time = time.time()
        self.connect_timeout = connect_timeout
        self.request_timeout = request_timeout
        #: Redirects are followed, this many of them.
        self.follow_redirects = follow_redirects
        self.max_redirects = max_redirects
        #: Content-Encodings are asked for and undone; `use_gzip` is the older name.
        self.decompress_response = use_gzip if decompress_response is None else decompress_response
        #: The content is announced, and sent when the server agrees.
        self.expect_100_continue = expect_100_continue
        self.allow_nonstandard_methods = allow_nonstandard_methods
        #: What proves who asks: to the server ("basic" or "digest"), and to a proxy.
        self.auth_username = auth_username
        self.auth_password = auth_password
        self.auth_mode = auth_mode
        self.proxy_host = proxy_host
        self.proxy_port = proxy_port
        self.proxy_username = proxy_username
        self.proxy_password = proxy_password
        self.proxy_auth_mode = proxy_auth_mode
        self.user_agent = user_agent
        #: The way to the server: a local interface or address, IPv6 or not, and TLS; files are paths of PEM files.
        self.network_interface = network_interface
        self.allow_ipv6 = allow_ipv6
        self.validate_cert = validate_cert
        self.ca_certs = ca_certs
        self.client_key = client_key
        self.client_cert = client_cert
        self.ssl_options = ssl_options
        #: What is called with pieces of the content, lines of the head, the handle of libcurl; and what writes a body.
        self.streaming_callback = streaming_callback
        self.header_callback = header_callback
        self.prepare_curl_callback = prepare_curl_callback
        self.body_producer = body_producer

    @property
    def headers(self) -> HTTPHeaders:
        """The header fields. A mapping may be assigned, or None for none."""
        return self._headers  # type: ignore[return-value]

    @headers.setter
    def headers(self, value: Mapping[str, str] | HTTPHeaders | None) -> None:
        self._headers = HTTPHeaders() if value is None else value

    @property
    def body(self) -> bytes | None:
        """The body. A str may be assigned and is encoded as UTF-8."""
        return self._body

    @body.setter
    def body(self, value: bytes | str | None) -> None:
        self._body = utf8(value)


class HTTPResponse:
    """What came back.

    `request`, `code` (the status), `reason`, `headers`, `effective_url` (after redirects), `buffer` and
    `body` (the content), `error` (an `HTTPClientError` for any status that is not 2xx, or what was passed),
    `request_time` (in seconds, from start to end), `start_time` (since the epoch), `time_info`.
    """

    def __init__(
        self,
        request: HTTPRequest,
        code: int,
        headers: HTTPHeaders | None = None,
        buffer: BytesIO | None = None,
        effective_url: str | None = None,
        error: BaseException | None = None,
        request_time: float | None = None,
        time_info: dict[str, float] | None = None,
        reason: str | None = None,
        start_time: float | None = None,
    ) -> None:
        self.request = request
        self.code = code
        self.reason = reason or responses.get(code, "Unknown")
        self.headers = headers if headers is not None else HTTPHeaders()
        self.buffer = buffer
        self.effective_url = request.url if effective_url is None else effective_url
        if error is None and not 200 <= code < 300:
            error = HTTPClientError(code, message=self.reason, response=self)
        self.error = error
        self.request_time = request_time
        self.start_time = start_time
        self.time_info = time_info or {}
        self._body: bytes | None = None

    @property
    def body(self) -> bytes:
        """The content as bytes, empty where there is none."""
        if self.buffer is None:
            return b""
        if self._body is None:
            self._body = self.buffer.getvalue()
        return self._body

    def rethrow(self) -> None:
        """Raises `error`, if there is one."""
        if self.error is not None:
            raise self.error

    def __repr__(self) -> str:
        shown = ",".join(f"{name}={value!r}" for name, value in sorted(vars(self).items()))
        return f"{type(self).__name__}({shown})"


class HTTPClientError(EyewallError):
    """A request that did not succeed: `code` is the status, or 599 where no response came; `message` says what
    is wrong, by default the phrase of the status.

    `response` is the response with that status, if one came.
    """

    def __init__(self, code: int, message: str | None = None, response: HTTPResponse | None = None) -> None:
        self.code = code
        self.message = message or responses.get(code, "Unknown")
        self.response = response
        # All of it, so that the error can be copied.
        super().__init__(code, message, response)

    def __str__(self) -> str:
        return f"HTTP {self.code}: {self.message}"

    # The response refers to its error: neither may show the other.
    __repr__ = __str__


class HTTPTimeoutError(HTTPClientError):
    """A request took longer than its timeout. `message` says which."""

    def __init__(self, message: str) -> None:
        super().__init__(NO_RESPONSE, message=message)
        self.args = (message,)

    def __str__(self) -> str:
        return self.message or "Timeout"


class HTTPStreamClosedError(HTTPClientError):
    """The connection was closed before the response was complete. `message` says where."""

    def __init__(self, message: str) -> None:
        super().__init__(NO_RESPONSE, message=message)
        self.args = (message,)

    def __str__(self) -> str:
        return self.message or "Stream closed"


HTTPError = HTTPClientError
