"""One request as it is about to be sent, and what a redirect makes of it.

A `Plan` is what changes from one redirect to the next; everything else stays with the options of the request.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urljoin

from eyewall.client.errors import InvalidURL, UnknownMethod
from eyewall.client.login import Login, Proof
from eyewall.client.options import RequestOptions
from eyewall.client.target import Target, parse_target, quoted_octets
from eyewall.http.errors import HTTPOutputError
from eyewall.http.grammar import is_token
from eyewall.http.headers import HTTPHeaders

METHODS: Final = frozenset({"GET", "HEAD", "POST", "DELETE", "PATCH", "PUT", "OPTIONS"})
#: Methods that are expected to come with content.
_WITH_BODY: Final = frozenset({"POST", "PATCH", "PUT"})
#: Methods that may be sent a second time without harm (RFC 9110 section 9.2.2).
IDEMPOTENT: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
#: Fields that describe content which a redirect has dropped.
_OF_CONTENT: Final = ("Content-Length", "Content-Type", "Content-Encoding", "Content-Language",
                      "Content-Location", "Transfer-Encoding", "Expect")  # fmt: skip
#: Fields that are for one origin and nobody else.
_SECRET: Final = ("Authorization", "Cookie", "Cookie2")
_SCHEMES: Final = ("http", "https")


def check_method(options: Any) -> None:
    """Raises ValueError where method and content of a request do not go together, or the method is not allowed."""
    method, strange = options.method, options.allow_nonstandard_methods
    if not is_token(method):
        raise UnknownMethod(f"{method!r} is not a method")
    if method not in METHODS and (not strange or method == "CONNECT"):
        raise UnknownMethod(f"unknown method {method} (see allow_nonstandard_methods)")
    if options.body is not None and options.body_producer is not None:
        raise ValueError("a request has a body or a body_producer, not both")
    present = options.body is not None or options.body_producer is not None
    if present != (method in _WITH_BODY) and not strange:
        must = "must be None" if present else "must not be None"
        raise ValueError(f"Body {must} for method {method} (see allow_nonstandard_methods)")


class Plan:
    """What is to be sent: `method`, `target` (`url`, taken apart), `headers`, and the content.

    `encoded_host`: see `parse_target`; a server may redirect to the same one, but to no other. Raises ValueError,
    with a message that says why, for a request that cannot be sent.
    """

    __slots__ = ("body", "body_producer", "headers", "login", "method", "options", "target", "url")

    def __init__(self, options: RequestOptions, encoded_host: bool = False) -> None:
        self.options = options
        self.url: str = options.url
        self.target: Target = parse_target(options.url, *_SCHEMES, encoded_host=encoded_host)
        self.method: str = options.method
        self.headers = HTTPHeaders(options.headers)
        self.body: bytes | None = options.body
        self.body_producer = options.body_producer
        check_method(options)
        #: Who asks, as far as the target's origin is told.
        self.login = login_of(options, self.target)

    # -- what is sent -----------------------------------------------------------------------------------

    def head(
        self, keep: bool, token: str, proxied: bool, proof: Proof | None, proxy_proof: Proof | None
    ) -> tuple[bytes, int]:
        """Returns the head, and the length of the content, -1 for chunks.

        `keep`: the connection may be kept. `token`: for the User-Agent field where nothing else is said.
        `proxied`: a proxy is asked for the whole URL. `proof` and `proxy_proof`: what is shown to the server and to
        that proxy. Raises InvalidHeader (a ValueError) or HTTPOutputError for fields that cannot be sent.
        """
        options, target = self.options, self.target
        headers = self.headers.copy()
        if "Host" not in headers:
            headers["Host"] = target.authority
        if not keep and "Connection" not in headers:
            headers["Connection"] = "close"
        where = target.absolute if proxied else target.target
        content = self.content()
        if proof is not None:
            # A proxy asks the server for less than it is asked for itself.
            shown = proof.field(self.method, target.target, content)
            if shown is not None:
                headers["Authorization"] = shown
        if options.user_agent:
            headers["User-Agent"] = options.user_agent
        elif "User-Agent" not in headers and token:
            headers["User-Agent"] = token
        if options.decompress_response and "Accept-Encoding" not in headers:
            headers["Accept-Encoding"] = "gzip"
        if proxy_proof is not None:
            shown = proxy_proof.field(self.method, where, content)
            if shown is not None:
                headers["Proxy-Authorization"] = shown
        length = self._frame(headers)
        if self.method == "POST" and "Content-Type" not in headers:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        if options.expect_100_continue and length != 0:
            headers["Expect"] = "100-continue"
        line = f"{self.method} {where} HTTP/1.1\r\n".encode("ascii")
        return b"%b%b\r\n" % (line, headers.encode()), length

    def _frame(self, headers: HTTPHeaders) -> int:
        """Says in `headers` how long the content is (RFC 9112 section 6); returns it, -1 for chunks."""
        given = headers.get("Content-Length")
        coding = headers.get("Transfer-Encoding")
        if coding is not None and (
            coding.lower() != "chunked" or given is not None or self.body_producer is None
        ):
            raise HTTPOutputError(f"the Transfer-Encoding {coding!r} does not fit this request")
        if given is not None and not (given.isascii() and given.isdigit()):
            raise HTTPOutputError(f"not a Content-Length: {given!r}")
        if self.body_producer is not None:
            if given is not None:
                return int(given)
            headers["Transfer-Encoding"] = "chunked"
            return -1
        length = 0 if self.body is None else len(self.body)
        if given is not None and int(given) != length:
            raise HTTPOutputError(f"the Content-Length is {given}, but the body has {length} bytes")
        if self.body is not None or self.method in _WITH_BODY:
            headers["Content-Length"] = str(length)
        return length

    def content(self) -> bytes | None:
        """Returns the content as a whole, None where only a body_producer knows it."""
        return None if self.body_producer is not None else self.body or b""

    # -- what may happen to it --------------------------------------------------------------------------

    def repeatable(self) -> bool:
        """Tells whether it may be sent again when nobody knows whether the server has seen it."""
        return self.method in IDEMPOTENT and self.body_producer is None

    def redirected(self, status: int, location: str | None) -> str | None:
        """Returns the URL that a response redirects to, None where it does not."""
        if status not in _REDIRECTS or not location:
            return None
        # What servers put there is often not quite a URL (RFC 9110 section 10.2.2); octets came as Latin-1.
        return urljoin(self.url, quoted_octets(location.strip().replace(" ", "%20"), "latin-1"))

    def follow(self, status: int, url: str) -> None:
        """Becomes the request that a redirect to `url` asks for (RFC 9110 section 15.4).

        Credentials and cookies stay behind where it leads to another origin. Raises InvalidURL, also where it leads
        to an encoded host that was not asked before: a server must not choose the socket.
        """
        before = self.target.origin
        target = parse_target(url, *_SCHEMES, encoded_host="%" in self.target.host)
        if "%" in target.host and target.host != self.target.host:
            raise InvalidURL(f"a redirect to another encoded host, {target.host!r}")
        self.target = target
        self.url = url
        for name in ("Host",) if self.target.origin == before else ("Host", *_SECRET):
            self.headers.pop(name, None)
        if self.target.origin != before:
            self.login = None
            if not self.options.proxy_host:
                self.headers.pop("Proxy-Authorization", None)
        if self.target.credentials is not None:
            self.login = Login.of_url(self.target.credentials, self.options.auth_mode)
        if (status == 303 and self.method != "HEAD") or (status in (301, 302) and self.method == "POST"):
            self.method = "GET"
            self.body = self.body_producer = None
            for name in _OF_CONTENT:
                self.headers.pop(name, None)


def login_of(options: Any, target: Target) -> Login | None:
    """Returns who asks, as the options of a request say, or else its URL; None for nobody. Raises ValueError."""
    if options.auth_username is not None:
        return Login.of(options.auth_username, options.auth_password, options.auth_mode)
    if target.credentials is not None:
        return Login.of_url(target.credentials, options.auth_mode)
    return None
