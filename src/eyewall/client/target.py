"""Where a URL leads: what to connect to, and what to ask for there."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

from eyewall.client.errors import InvalidURL
from eyewall.http.h1.targets import is_authority
from eyewall.http.url import encode_username_password

_PORTS: Final = {"ws": 80, "http": 80, "wss": 443, "https": 443}
#: What `websocket_connect` takes: to say http is common, and means the same.
WEBSOCKET_SCHEMES: Final = ("ws", "wss", "http", "https")
_TLS: Final = ("wss", "https")
#: URLs that are not taken apart anew: most clients ask few servers for few things.
_REMEMBERED: Final = 256
_NON_ASCII = re.compile("[^\x00-\x7f]+")
#: What `urlsplit` would drop, and what would end a request line early.
_UNSENDABLE = re.compile("[\x00-\x20\x7f]")
#: A percent-encoded octet that is no control character.
_ENCODED = re.compile("%(?!7[fF])[2-9a-fA-F][0-9a-fA-F]")


class UnsupportedScheme(InvalidURL):
    """A URL with a scheme that is not ours."""


class Target(NamedTuple):
    """A URL, taken apart."""

    host: str
    port: int
    tls: bool
    #: The `Host` field.
    authority: str
    #: Path and query.
    target: str
    #: `user:password` from the URL, if there was one.
    credentials: bytes | None
    scheme: str

    @property
    def origin(self) -> tuple[bool, str, int]:
        """What has to be equal for credentials to be sent to both (RFC 6454 section 4)."""
        return self.tls, self.host, self.port

    @property
    def absolute(self) -> str:
        """The whole URL without credentials: what a proxy is asked for (RFC 9112 section 3.2.2)."""
        return f"{self.scheme}://{self.authority}{self.target}"


@lru_cache(maxsize=_REMEMBERED)
def parse_target(url: str, *schemes: str, encoded_host: bool = False) -> Target:
    """Takes a URL of one of `schemes` apart. Octets beyond ASCII are percent-encoded, host names in IDNA.

    `encoded_host`: the host may be percent-encoded, and is left as it is, case included: whoever resolves it knows what
    it means, the path of a Unix socket for example. Others would read different hosts into it. Raises InvalidURL (a
    ValueError) for a URL that nothing can be sent to.
    """
    if _UNSENDABLE.search(url) is not None:
        raise InvalidURL(f"the URL {url!r} has characters that must be percent-encoded")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InvalidURL(f"the URL {url!r} cannot be understood: {error}") from None
    if parts.scheme not in schemes:
        wanted = " or ".join(f"{scheme}://" for scheme in schemes)
        raise UnsupportedScheme(f"Unsupported url scheme {parts.scheme!r} in {url!r}; it must be {wanted}")
    if "\\" in parts.netloc:
        # A slash to browsers, which so would ask another host.
        raise InvalidURL(f"a backslash before the path of the URL {url!r}")
    if not parts.hostname:
        raise InvalidURL(f"no host in the URL {url!r}")
    authority = parts.netloc.rpartition("@")[2]
    host = parts.hostname
    if not host.isascii():
        try:
            host = host.encode("idna").decode("ascii")
        except UnicodeError as error:
            raise InvalidURL(f"the host {host!r} is not a name: {error}") from None
        authority = host if port is None else f"{host}:{port}"
    plain = authority
    if encoded_host and "%" in authority:
        host = authority if port is None else authority.rpartition(":")[0]
        plain = _ENCODED.sub("x", authority)
    if "%" in plain or not plain.isascii() or not is_authority(plain.encode("ascii"), 0, len(plain)):
        raise InvalidURL(f"{authority!r} is not the name of a host")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not target.startswith("/"):
        raise InvalidURL(f"the URL {url!r} has no path")
    return Target(
        host,
        port or _PORTS[parts.scheme],
        parts.scheme in _TLS,
        authority,
        quoted_octets(target),
        _credentials(parts),
        parts.scheme,
    )


def quoted_octets(text: str, encoding: str = "utf-8") -> str:
    """Returns `text` with everything beyond ASCII percent-encoded."""
    if text.isascii():
        return text
    return _NON_ASCII.sub(
        lambda found: "".join(f"%{octet:02X}" for octet in found[0].encode(encoding, "surrogatepass")), text
    )


def _credentials(parts: SplitResult) -> bytes | None:
    if parts.username is None:
        return None
    return encode_username_password(unquote(parts.username), unquote(parts.password or ""))
