"""Signatures of OAuth 1 requests: HMAC-SHA1 over a text that both sides make of a request (RFC 5849 section 3.4)."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from typing import Any

from eyewall.base.percent import form_decode

_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_QUOTED = tuple(chr(octet) if octet in _UNRESERVED else f"%{octet:02X}" for octet in range(256))
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


def quote(value: str | bytes) -> str:
    """Returns `value`, text as UTF-8, with all but unreserved characters percent-encoded (section 3.6).

    Not the encoding of forms: a space is %20, and everything that can be a sign of the syntax is encoded.
    """
    data = value.encode("utf-8") if isinstance(value, str) else value
    return "".join([_QUOTED[octet] for octet in data])


def base_string(method: str, url: str, parameters: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> str:
    """Returns the text that is signed (section 3.4.1).

    `parameters` are those of the protocol, without `oauth_signature`, and of a body that is a form; as pairs where a
    name comes several times. Those in the query of `url` are added.
    """
    address, _, query = url.partition("#")[0].partition("?")
    pairs = [(quote(name), quote(value)) for name, value in _flat(parameters)]
    for piece in query.split("&"):
        if piece:
            name, _, value = piece.encode("utf-8").partition(b"=")
            pairs.append((quote(form_decode(name)), quote(form_decode(value))))
    # Sorted when encoded, so that the order is that of octets for everyone.
    pairs.sort()
    normal = "&".join([f"{name}={value}" for name, value in pairs])
    return f"{method.upper()}&{quote(_base_url(address))}&{quote(normal)}"


def hmac_sha1(text: str, consumer_secret: str, token_secret: str = "") -> str:
    """Returns the signature of a base string (section 3.4.2); `token_secret` is empty while there is no token."""
    key = f"{quote(consumer_secret)}&{quote(token_secret)}"
    digest = hmac.new(key.encode("ascii"), text.encode("ascii"), hashlib.sha1).digest()
    return base64.b64encode(digest).decode("ascii")


def _flat(parameters: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> Iterable[tuple[str, str | bytes]]:
    for name, value in parameters.items() if isinstance(parameters, Mapping) else parameters:
        yield name, value if isinstance(value, (str, bytes)) else str(value)


def _base_url(address: str) -> str:
    """Scheme and host in lower case, no port where it is the usual one (section 3.4.1.2)."""
    scheme, _, rest = address.partition("://")
    authority, slash, path = rest.partition("/")
    scheme = scheme.lower()
    authority = authority.lower().removesuffix(_DEFAULT_PORTS.get(scheme, ""))
    return f"{scheme}://{authority}/{path if slash else ''}"
