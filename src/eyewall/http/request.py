"""`HTTPServerRequest`: what the application sees of a request.

A request that came over a connection is made from a validated head and takes it apart when somebody asks: most
handlers look at one or two of some twenty attributes. Each is a plain attribute of the instance once it was read or
assigned, so that applications may replace any of them. A request that somebody constructs is taken apart at once,
with the checks that the engine makes otherwise.
"""

from __future__ import annotations

import time
import warnings
from typing import TYPE_CHECKING, Any

from eyewall.base.lazy import lazy_attribute
from eyewall.base.query import parse_arguments
from eyewall.guard.profile import active
from eyewall.http.cookies import request_cookies
from eyewall.http.errors import HTTPInputError, quoted
from eyewall.http.headers import HTTPHeaders
from eyewall.http.requestcore import RequestCore
from eyewall.http.startline import RequestStartLine
from eyewall.http.url import split_host_and_port

if TYPE_CHECKING:
    from http.cookies import SimpleCookie

    from eyewall.http.exchange import Exchange
    from eyewall.http.forms import HTTPFile
    from eyewall.http.h1.head import Head

_VERSIONS = ("HTTP/1.0", "HTTP/1.1")


class HTTPServerRequest(RequestCore):
    """One request.

    `start_line` is the usual way to construct one; `method` and `uri` are deprecated. `headers`, `body`, `host`,
    `files`: what came with it. `connection`: its exchange, an `HTTPConnection`. `server_connection`: what carries
    that.

    Attributes: `method`, `uri` (the target in origin-form), `path` and `query` (of the target, undecoded),
    `version`, `headers`, `body`, `remote_ip`, `protocol` ("http" or "https"), `host` (with port), `host_name`,
    `arguments`, `query_arguments`, `body_arguments` (name to values, as bytes), `files` (name to `HTTPFile`s),
    `cookies`, `trailers` (fields that came behind a chunked body), `connection`, `server_connection`.
    """

    #: What bounds it, where routers ask for delegates: see `web.bounds`.
    _bounds: Any = None
    #: The pattern of its route, once it has one, where somebody listens to `probe.request_begin`.
    _route = ""

    def __init__(
        self,
        method: str | None = None,
        uri: str | None = None,
        version: str = "HTTP/1.0",
        headers: HTTPHeaders | None = None,
        body: bytes | None = None,
        host: str | None = None,
        files: dict[str, list[HTTPFile]] | None = None,
        connection: Any = None,
        start_line: RequestStartLine | None = None,
        server_connection: object | None = None,
    ) -> None:
        # Programs filter warnings by how they begin: as Tornado's do.
        if method is not None or uri is not None:
            warnings.warn(
                "The method, uri, and version arguments to HTTPServerRequest are deprecated; give a start_line",
                DeprecationWarning,
                2,
            )
        if start_line is not None:
            method, uri, version = start_line
        else:
            warnings.warn(
                "The start_line argument to HTTPServerRequest will be required", DeprecationWarning, 2
            )
            if uri is None:
                uri = "/"
        super().__init__()
        self._start_time = time.time()
        self._form_fields = active().form_fields
        self.method = method or "GET"
        self.uri = uri
        self.version = version
        self.headers = headers if headers is not None else HTTPHeaders()
        self.body = body or b""
        self.connection = connection
        self.server_connection = server_connection
        self.path, _, self.query = uri.partition("?")
        context = getattr(connection, "context", None)
        self.remote_ip = getattr(context, "remote_ip", None)
        self.protocol = getattr(context, "protocol", "http")
        if host:
            warnings.warn(
                "the host of an HTTPServerRequest is deprecated: set headers['Host']",
                DeprecationWarning,
                stacklevel=2,
            )
            self.headers["Host"] = host
        self.host = self._checked_host() or "127.0.0.1"
        if files is not None:
            self.files = files
        # Read, so that a query which exceeds a limit fails here.
        self.arguments  # noqa: B018

    @classmethod
    def of(cls, exchange: Exchange, form_fields: int) -> HTTPServerRequest:
        """Makes the request of an exchange whose head has come. `form_fields`: the limit of the profile."""
        self = cls.__new__(cls)
        self.take(exchange, exchange.head, form_fields, time.time())
        return self

    # -- of the head ------------------------------------------------------------------------------------

    def _of_head(self) -> Head:
        head = self._head
        if head is None:
            raise AttributeError("this request was not read from a connection")
        return head

    @lazy_attribute
    def uri(self) -> str:
        """The request target in origin-form."""
        return self._of_head().target

    @lazy_attribute
    def path(self) -> str:
        """The target up to the question mark, undecoded."""
        return self._of_head().path

    @lazy_attribute
    def query(self) -> str:
        """The target behind the question mark."""
        return self._of_head().query

    @lazy_attribute
    def version(self) -> str:
        """ "HTTP/1.0" or "HTTP/1.1"."""
        return _VERSIONS[1 if self._of_head().minor else 0]

    @lazy_attribute
    def trailers(self) -> HTTPHeaders:
        """The fields behind a chunked body; empty until the body has come whole."""
        head = self._head
        return HTTPHeaders.from_fields((head.trailers if head is not None else None) or [])

    @lazy_attribute
    def cookies(self) -> SimpleCookie:
        """The cookies, by name, as `http.cookies.Morsel` objects."""
        return request_cookies(self.find_header(b"cookie"))

    # -- of the connection ------------------------------------------------------------------------------

    @lazy_attribute
    def server_connection(self) -> Any:
        """The connection that carries this request."""
        return self.connection.carrier

    @lazy_attribute
    def _origin(self) -> tuple[str, str]:
        carrier = self.connection.carrier
        trust = carrier.server.trust
        if trust is None:
            return carrier.remote_ip, carrier.protocol
        # Only servers behind a proxy need it.
        from eyewall.http.proxy import forwarded

        return forwarded(self.headers, carrier.remote_ip, carrier.protocol, trust)

    @lazy_attribute
    def remote_ip(self) -> str | None:
        """The client's address; behind a trusted proxy, the one that it forwards."""
        return self._origin[0]

    @lazy_attribute
    def protocol(self) -> str:
        """ "http" or "https"; behind a trusted proxy, what it says the client used."""
        return self._origin[1]

    def _checked_host(self) -> str:
        """Returns the Host field of a request that no engine has looked at. Raises HTTPInputError."""
        stated = self.headers.get("Host")
        if stated is None:
            if self.version != "HTTP/1.0" and not active().missing_host:
                raise HTTPInputError("Missing Host header")
            return ""
        if "," in stated:
            raise HTTPInputError(f"Multiple host headers not allowed: {quoted(stated)}")
        if len(stated.split()) > 1:
            raise HTTPInputError(f"Invalid Host header: {quoted(stated)}")
        return stated

    @lazy_attribute
    def host(self) -> str:
        """The host and port that the client asked for."""
        head = self._of_head()
        return head.authority or head.host or "127.0.0.1"

    @lazy_attribute
    def host_name(self) -> str:
        """The host that the client asked for, in lower case, without the port."""
        return split_host_and_port(self.host.lower())[0]

    def full_url(self) -> str:
        """Returns the URL that the client asked for."""
        return f"{self.protocol}://{self.host}{self.uri}"

    def request_time(self) -> float:
        """Returns the seconds from the head of the request to the end of its response, or to now."""
        finished: float | None = self.__dict__.get("_finish_time")
        return (time.time() if finished is None else finished) - self._start_time

    def get_ssl_certificate(self, binary_form: bool = False) -> dict[str, Any] | bytes | None:
        """Returns the client's certificate, None without TLS or without one.

        The server must have been told to ask for it (`verify_mode` of its SSLContext). `binary_form`: in DER.
        """
        transport = getattr(self.server_connection, "transport", None)
        tls = transport.get_extra_info("ssl_object") if transport is not None else None
        if tls is None:
            return None
        certificate: dict[str, Any] | bytes | None = tls.getpeercert(binary_form=binary_form)
        return certificate

    # -- arguments --------------------------------------------------------------------------------------

    @lazy_attribute
    def query_arguments(self) -> dict[str, list[bytes]]:
        """The arguments of the query string. Raises HTTPInputError for more than the profile allows."""
        if not self.query:
            return {}
        try:
            return parse_arguments(self.query.encode("latin-1"), self._form_fields, keep_blank=True)
        except ValueError as error:
            raise HTTPInputError(str(error)) from error

    @lazy_attribute
    def _form(self) -> tuple[dict[str, list[bytes]], dict[str, list[HTTPFile]]]:
        arguments: dict[str, list[bytes]] = {}
        files: dict[str, list[HTTPFile]] = {}
        kind = self.find_header(b"content-type") if self.body else None
        if kind:
            # Only who asks for a form's fields needs what takes it apart.
            from eyewall.http.forms import parse_body_arguments

            parse_body_arguments(kind, self.body, arguments, files, self.headers)
        return arguments, files

    @lazy_attribute
    def body_arguments(self) -> dict[str, list[bytes]]:
        """The arguments of a form body, url-encoded or multipart. Raises HTTPInputError for a malformed one."""
        return self._form[0]

    @lazy_attribute
    def files(self) -> dict[str, list[HTTPFile]]:
        """The files of a multipart body. Raises HTTPInputError for a malformed one."""
        return self._form[1]

    @lazy_attribute
    def arguments(self) -> dict[str, list[bytes]]:
        """The arguments of query and body together, those of the query first."""
        arguments = {name: list(values) for name, values in self.query_arguments.items()}
        for name, values in self.body_arguments.items():
            arguments.setdefault(name, []).extend(values)
        return arguments

    def __repr__(self) -> str:
        shown = ", ".join(
            f"{name}={getattr(self, name)!r}"
            for name in ("protocol", "host", "method", "uri", "version", "remote_ip")
        )
        return f"{type(self).__name__}({shown})"
