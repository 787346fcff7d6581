"""The opening handshake, from headers to headers (RFC 6455 section 4). Nothing here writes or reads a socket.

Server: `check_request` refuses or returns the accept value, `offered_subprotocols` and `negotiate_deflate`
read what the client offers, `response_fields` says what the 101 carries. Client: `new_key` and
`request_fields`, then `check_response`.
"""

from __future__ import annotations

import os
import re
from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha1
from typing import Final, Protocol

from eyewall.websocket.deflate import NAME as DEFLATE
from eyewall.websocket.deflate import DeflateOptions, DeflateParameters, accept, confirm, offer
from eyewall.websocket.errors import HandshakeFailed, HandshakeRefused
from eyewall.websocket.extensions import is_token, parse_extensions

VERSION: Final = "13"

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
# 16 bytes in base64: 22 characters, of which the last has four bits only, and the padding.
_key = re.compile(r"[A-Za-z0-9+/]{21}[AQgw]==")


class Fields(Protocol):
    """The header fields of a message, by case-insensitive name."""

    def get(self, name: str, default: str, /) -> str:
        """Returns the value, those of a repeated field joined by commas."""

    def get_list(self, name: str) -> list[str]:
        """Returns the values of a repeated field apart."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """What client and server agreed on."""

    subprotocol: str | None
    deflate: DeflateParameters | None


def accept_value(key: str) -> str:
    """Returns the `Sec-WebSocket-Accept` that answers `key` (section 4.2.2, step 5.4)."""
    return b64encode(sha1(key.encode("latin-1") + _GUID).digest()).decode("ascii")  # noqa: S324 - no secret


def new_key() -> str:
    """Returns a fresh `Sec-WebSocket-Key`."""
    return b64encode(os.urandom(16)).decode("ascii")


def _tokens(values: Iterable[str]) -> list[str]:
    """Returns the elements of a comma-separated field, empty ones left out."""
    return [token for value in values for element in value.split(",") if (token := element.strip(" \t"))]


def check_upgrade(method: str, fields: Fields) -> None:
    """Refuses a request that does not ask for a WebSocket: HandshakeRefused with 405 or 400."""
    if method != "GET":
        raise HandshakeRefused(405, "a WebSocket begins with GET", {"Allow": "GET"})
    if [token.lower() for token in _tokens(fields.get_list("Upgrade"))] != ["websocket"]:
        raise HandshakeRefused(400, 'Can "Upgrade" only to "WebSocket".')
    if "upgrade" not in [token.lower() for token in _tokens(fields.get_list("Connection"))]:
        raise HandshakeRefused(400, '"Connection" must be "Upgrade".')


def check_key(version_1_1: bool, fields: Fields) -> str:
    """Returns the accept value for a request that `check_upgrade` let pass (section 4.2.1).

    Raises HandshakeRefused: 426 for another version of the protocol, which names the one spoken here, 400 for
    HTTP/1.0 and for a key that is not 16 bytes in base64.
    """
    if fields.get("Sec-WebSocket-Version", "") != VERSION:
        raise HandshakeRefused(426, "only WebSocket version 13 is spoken", {"Sec-WebSocket-Version": VERSION})
    if not version_1_1:
        raise HandshakeRefused(400, "a WebSocket needs HTTP/1.1")
    key = fields.get("Sec-WebSocket-Key", "")
    if _key.fullmatch(key) is None:
        raise HandshakeRefused(400, "Sec-WebSocket-Key is missing or malformed")
    return accept_value(key)


def check_request(method: str, version_1_1: bool, fields: Fields) -> str:
    """Returns the accept value for a request that asks for a WebSocket, or raises HandshakeRefused."""
    check_upgrade(method, fields)
    return check_key(version_1_1, fields)


def offered_subprotocols(fields: Fields) -> list[str]:
    """Returns the subprotocols a client offers, in its order of preference (section 4.1, step 10)."""
    return _tokens(fields.get_list("Sec-WebSocket-Protocol"))


def negotiate_deflate(fields: Fields, options: DeflateOptions) -> tuple[DeflateParameters, str] | None:
    """Returns the agreed compression and the extension as the answer names it, or None for no compression.

    Raises HandshakeRefused (400) when the field does not follow the grammar.
    """
    try:
        offers = parse_extensions(fields.get_list("Sec-WebSocket-Extensions"))
    except ValueError as error:
        raise HandshakeRefused(400, str(error)) from None
    return accept(offers, options)


def response_fields(accepted: str, subprotocol: str | None, extension: str | None) -> list[tuple[str, str]]:
    """Returns the fields of the 101 that accepts the handshake (section 4.2.2).

    Raises ValueError for a subprotocol that is no token.
    """
    fields = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", accepted)]
    if subprotocol is not None:
        if not is_token(subprotocol):
            raise ValueError(f"a subprotocol must be a token, not {subprotocol!r}")
        fields.append(("Sec-WebSocket-Protocol", subprotocol))
    if extension is not None:
        fields.append(("Sec-WebSocket-Extensions", extension))
    return fields


def request_fields(
    key: str, subprotocols: Sequence[str], options: DeflateOptions | None
) -> list[tuple[str, str]]:
    """Returns the fields with which a client asks for a WebSocket (section 4.1).

    Raises ValueError for a subprotocol that is no token, or that is offered twice.
    """
    fields = [
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Key", key),
        ("Sec-WebSocket-Version", VERSION),
    ]
    if subprotocols:
        for name in subprotocols:
            if not is_token(name):
                raise ValueError(f"a subprotocol must be a token, not {name!r}")
        if len(set(subprotocols)) != len(subprotocols):
            raise ValueError("a subprotocol is offered twice")
        fields.append(("Sec-WebSocket-Protocol", ", ".join(subprotocols)))
    if options is not None:
        fields.append(("Sec-WebSocket-Extensions", offer(options)))
    return fields


def check_response(
    key: str, status: int, fields: Fields, subprotocols: Sequence[str], options: DeflateOptions | None
) -> Agreement:
    """Returns what the server agreed to, from the answer to `request_fields` (section 4.1, steps 1 to 6).

    Raises HandshakeFailed for an answer that a client must not accept.
    """
    if status != 101:
        raise HandshakeFailed(f"the server answered {status} instead of switching to WebSocket")
    if [token.lower() for token in _tokens(fields.get_list("Upgrade"))] != ["websocket"]:
        raise HandshakeFailed("the server's answer does not upgrade to WebSocket")
    if "upgrade" not in [token.lower() for token in _tokens(fields.get_list("Connection"))]:
        raise HandshakeFailed("the server's answer lacks Connection: Upgrade")
    if fields.get("Sec-WebSocket-Accept", "") != accept_value(key):
        raise HandshakeFailed("the server's Sec-WebSocket-Accept does not match the key")
    chosen = fields.get_list("Sec-WebSocket-Protocol")
    if len(chosen) > 1 or (chosen and chosen[0] not in subprotocols):
        raise HandshakeFailed("the server chose a subprotocol that was not offered")
    return Agreement(chosen[0] if chosen else None, _agreed_deflate(fields, options))


def _agreed_deflate(fields: Fields, options: DeflateOptions | None) -> DeflateParameters | None:
    try:
        extensions = parse_extensions(fields.get_list("Sec-WebSocket-Extensions"))
    except ValueError as error:
        raise HandshakeFailed(str(error)) from None
    if not extensions:
        return None
    if len(extensions) > 1 or extensions[0][0].lower() != DEFLATE or options is None:
        raise HandshakeFailed("the server uses an extension that was not offered")
    return confirm(extensions[0][1], options)
