"""From the options of a request to those of libcurl.

A handle is reset before it is used again, so that nothing of one request, least of all its credentials, is left for
the next. libcurl writes what it is given into requests as it is: so nothing gets there that could end a line.
"""

from __future__ import annotations

import logging
import re
from typing import Any, Final

import pycurl

from eyewall.client.plan import check_method
from eyewall.client.target import parse_target
from eyewall.http.errors import HTTPOutputError
from eyewall.http.headers import HTTPHeaders
from eyewall.http.url import encode_username_password

#: What libcurl says, at level DEBUG.
curl_log = logging.getLogger("tornado.curl_httpclient")

CR_OR_LF_RE = re.compile(b"\r|\n")
_CONTROL: Final = re.compile(b"[\x00-\x1f\x7f]")
_AUTH_MODES: Final = {
    None: pycurl.HTTPAUTH_BASIC,
    "basic": pycurl.HTTPAUTH_BASIC,
    "digest": pycurl.HTTPAUTH_DIGEST,
}
#: Before this version libcurl has to be told to send content of unknown length in chunks.
_NEEDS_CODING: Final = pycurl.version_info()[2] < 0x080700
_DEBUG_KINDS: Final = ("I", "<", ">", "<", ">")


def set_up(curl: Any, options: Any, token: str, streams: bool = False) -> int:
    """Makes `curl`, which is reset, ready for a request; all but where its response goes and its content comes from.

    `token`: for the User-Agent field where nothing else is said. `streams`: the response may take any time. Returns the
    length of the content, -1 where nobody says. Raises ValueError for what cannot be sent.
    """
    parse_target(options.url, "http", "https")
    check_method(options)
    curl.setopt(pycurl.NOSIGNAL, 1)
    curl.setopt(pycurl.URL, _plain(options.url, "URL"))
    # A redirect may not lead to a file of this machine, or to another service than HTTP.
    curl.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
    curl.setopt(pycurl.REDIR_PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
    curl.setopt(pycurl.FOLLOWLOCATION, bool(options.follow_redirects))
    curl.setopt(pycurl.MAXREDIRS, options.max_redirects or 0)
    curl.setopt(pycurl.CONNECTTIMEOUT_MS, int(1000 * (options.connect_timeout or 0)))
    curl.setopt(pycurl.TIMEOUT_MS, 0 if streams else int(1000 * (options.request_timeout or 0)))
    version = pycurl.IPRESOLVE_V4 if options.allow_ipv6 is False else pycurl.IPRESOLVE_WHATEVER
    curl.setopt(pycurl.IPRESOLVE, version)
    if options.network_interface:
        curl.setopt(pycurl.INTERFACE, _plain(options.network_interface, "network_interface"))
    _set_proxy(curl, options)
    _set_tls(curl, options)
    _set_credentials(curl, options)
    headers = HTTPHeaders(options.headers)
    length = _set_content(curl, options, headers)
    _set_headers(curl, options, headers, token)
    if curl_log.isEnabledFor(logging.DEBUG):
        curl.setopt(pycurl.VERBOSE, 1)
        curl.setopt(pycurl.DEBUGFUNCTION, _debug)
    if options.prepare_curl_callback is not None:
        options.prepare_curl_callback(curl)
    return length


def _plain(text: str | bytes, what: str) -> bytes:
    """Returns `text` encoded. Raises ValueError where it has a control character."""
    raw = text if isinstance(text, bytes) else text.encode("utf-8")
    if _CONTROL.search(raw) is not None:
        raise ValueError(f"a control character in {what}: {text!r}")
    return raw


def _set_proxy(curl: Any, options: Any) -> None:
    if not options.proxy_host:
        return
    if not options.proxy_port:
        raise ValueError("a proxy_host needs a proxy_port")
    if options.proxy_auth_mode not in _AUTH_MODES:
        raise ValueError(f"Unsupported proxy_auth_mode {options.proxy_auth_mode}")
    curl.setopt(pycurl.PROXY, _plain(options.proxy_host, "proxy_host"))
    curl.setopt(pycurl.PROXYPORT, options.proxy_port)
    if options.proxy_username is not None:
        credentials = encode_username_password(options.proxy_username, options.proxy_password or "")
        curl.setopt(pycurl.PROXYUSERPWD, _plain(credentials, "the credentials for the proxy"))
        curl.setopt(pycurl.PROXYAUTH, _AUTH_MODES[options.proxy_auth_mode])


def _set_tls(curl: Any, options: Any) -> None:
    if options.ssl_options is not None:
        raise ValueError(
            "ssl_options are for the simple client; libcurl takes ca_certs, client_cert and the like"
        )
    verify = options.validate_cert is None or bool(options.validate_cert)
    curl.setopt(pycurl.SSL_VERIFYPEER, int(verify))
    curl.setopt(pycurl.SSL_VERIFYHOST, 2 if verify else 0)
    if options.ca_certs is not None:
        curl.setopt(pycurl.CAINFO, _plain(options.ca_certs, "ca_certs"))
    if options.client_cert is not None:
        curl.setopt(pycurl.SSLCERT, _plain(options.client_cert, "client_cert"))
    if options.client_key is not None:
        curl.setopt(pycurl.SSLKEY, _plain(options.client_key, "client_key"))


def _set_credentials(curl: Any, options: Any) -> None:
    if options.auth_username is None:
        return
    if options.auth_mode not in _AUTH_MODES:
        raise ValueError(f"Unsupported auth_mode {options.auth_mode}")
    credentials = encode_username_password(options.auth_username, options.auth_password or "")
    curl.setopt(pycurl.HTTPAUTH, _AUTH_MODES[options.auth_mode])
    curl.setopt(pycurl.USERPWD, _plain(credentials, "the credentials"))


def _set_content(curl: Any, options: Any, headers: HTTPHeaders) -> int:
    """Method and content; returns how long that is. What libcurl is given as POSTFIELDS it can send again."""
    method, body = options.method, options.body
    produced = options.body_producer is not None
    if method == "GET" and (produced or body is not None):
        raise ValueError("Body must be None for GET request")
    length = 0
    if method == "HEAD":
        curl.setopt(pycurl.NOBODY, 1)
        return length
    if produced:
        length = _produced_length(headers)
        _set_upload(curl, method, length, headers)
    elif body is not None or method in ("POST", "PUT", "PATCH"):
        content = body or b""
        length = len(content)
        curl.setopt(pycurl.POST, 1)
        curl.setopt(pycurl.POSTFIELDSIZE, length)
        curl.setopt(pycurl.POSTFIELDS, content)
    else:
        curl.setopt(pycurl.HTTPGET, 1)
    if method not in ("GET", "POST"):
        if length and "Content-Type" not in headers:
            # libcurl takes all of it for a form.
            headers["Content-Type"] = ""
        curl.setopt(pycurl.CUSTOMREQUEST, _plain(method, "the method"))
    return length


def _produced_length(headers: HTTPHeaders) -> int:
    """Returns the Content-Length that a request with a body_producer announces, -1 where it does not."""
    given = headers.get("Content-Length")
    if given is None:
        return -1
    if not (given.isascii() and given.isdigit()):
        raise HTTPOutputError(f"not a Content-Length: {given!r}")
    # libcurl writes its own.
    del headers["Content-Length"]
    return int(given)


def _set_upload(curl: Any, method: str, length: int, headers: HTTPHeaders) -> None:
    if method == "POST":
        # libcurl knows what becomes of it after a redirect.
        curl.setopt(pycurl.POST, 1)
        curl.setopt(pycurl.POSTFIELDSIZE_LARGE, length)
    else:
        curl.setopt(pycurl.UPLOAD, 1)
        curl.setopt(pycurl.INFILESIZE_LARGE, length)
    if length < 0 and _NEEDS_CODING:
        headers["Transfer-Encoding"] = "chunked"


def _set_headers(curl: Any, options: Any, headers: HTTPHeaders, token: str) -> None:
    if options.user_agent:
        headers["User-Agent"] = options.user_agent
    elif "User-Agent" not in headers and token:
        headers["User-Agent"] = token
    if options.expect_100_continue:
        headers["Expect"] = "100-continue"
    elif "Expect" not in headers:
        # Otherwise libcurl asks for it with large content.
        headers["Expect"] = ""
    if options.decompress_response:
        curl.setopt(pycurl.ENCODING, b"gzip,deflate")
    lines = headers.encode().split(b"\r\n")[:-1]
    # A field without a value is one that libcurl is to leave out, unless a semicolon follows its name.
    own = {b"Expect: ", b"Content-Type: "}
    curl.setopt(
        pycurl.HTTPHEADER,
        [line.rstrip() if line in own or not line.endswith(b": ") else line[:-2] + b";" for line in lines],
    )


def _debug(kind: int, data: bytes) -> None:
    """Logs what libcurl says: its own remarks, heads in both directions, and how much content."""
    if kind == 0:
        curl_log.debug("%s", data.decode("utf-8", "replace").strip())
    elif kind in (1, 2):
        for line in data.decode("latin-1").splitlines():
            curl_log.debug("%s %s", _DEBUG_KINDS[kind], line)
    elif kind in (3, 4):
        curl_log.debug("%s %d bytes", _DEBUG_KINDS[kind], len(data))
