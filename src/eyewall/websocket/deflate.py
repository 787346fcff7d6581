"""permessage-deflate (RFC 7692): what is negotiated. The streams are in `codec`.

The window of each direction is negotiated separately; the side that compresses in a direction must keep to
it, the side that decompresses may hold more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from eyewall.guard.profile import Profile
from eyewall.websocket.errors import HandshakeFailed
from eyewall.websocket.extensions import Extension

NAME: Final = "permessage-deflate"

_LARGEST_WINDOW = 15
# zlib does not compress for a smaller window; the standard goes down to 8.
_SMALLEST_WINDOW = 9


@dataclass(frozen=True, slots=True)
class DeflateOptions:
    """What this side wants of permessage-deflate.

    `level` 0 to 9 and `mem_level` 1 to 9 are zlib's. The window bits
    (`server_max_window_bits`, `client_max_window_bits`, 9 to 15) bound the memory of the peers. With
    `server_no_context_takeover`, `client_no_context_takeover`, that side compresses each message by itself (RFC 7692
    section 7.1).
    """

    level: int = 6
    mem_level: int = 8
    server_max_window_bits: int = 15
    client_max_window_bits: int = 15
    server_no_context_takeover: bool = False
    client_no_context_takeover: bool = False

    def __post_init__(self) -> None:
        for name, value, low, high in (
            ("level", self.level, -1, 9),
            ("mem_level", self.mem_level, 1, 9),
            (
                "server_max_window_bits",
                self.server_max_window_bits,
                _SMALLEST_WINDOW,
                _LARGEST_WINDOW,
            ),
            (
                "client_max_window_bits",
                self.client_max_window_bits,
                _SMALLEST_WINDOW,
                _LARGEST_WINDOW,
            ),
        ):
            if not low <= value <= high:
                raise ValueError(f"permessage-deflate: {name} must be from {low} to {high}, not {value!r}")

    @classmethod
    def of(cls, profile: Profile, options: Mapping[str, object] | None = None) -> DeflateOptions:
        """Returns the options of `profile`, with those of `get_compression_options` in their place.

        `options` may have `compression_level` and `mem_level`, and the four parameters of RFC 7692 by their
        names. Raises ValueError for any other, and for a value out of range.
        """
        wanted: dict[str, int] = {
            "level": profile.websocket_deflate_level,
            "mem_level": profile.websocket_deflate_mem_level,
            "server_max_window_bits": profile.websocket_deflate_window_bits,
            "client_max_window_bits": profile.websocket_deflate_window_bits,
        }
        for name, value in (options or {}).items():
            field = "level" if name == "compression_level" else name
            if field not in cls.__slots__ or name == "level":
                raise ValueError(f"unknown compression option {name!r}")
            if not isinstance(value, int):
                raise ValueError(f"compression option {name!r} must be a number, not {value!r}")
            wanted[field] = value
        return cls(**wanted)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class DeflateParameters:
    """What both sides agreed on."""

    server_no_context_takeover: bool = False
    client_no_context_takeover: bool = False
    server_max_window_bits: int = _LARGEST_WINDOW
    client_max_window_bits: int = _LARGEST_WINDOW


def offer(options: DeflateOptions) -> str:
    """Returns what a client puts into `Sec-WebSocket-Extensions` (RFC 7692 section 7.1)."""
    parts = [NAME]
    if options.server_no_context_takeover:
        parts.append("server_no_context_takeover")
    if options.client_no_context_takeover:
        parts.append("client_no_context_takeover")
    if options.server_max_window_bits < _LARGEST_WINDOW:
        parts.append(f"server_max_window_bits={options.server_max_window_bits}")
    if options.client_max_window_bits < _LARGEST_WINDOW:
        parts.append(f"client_max_window_bits={options.client_max_window_bits}")
    else:
        parts.append("client_max_window_bits")
    return "; ".join(parts)


def accept(offers: Iterable[Extension], options: DeflateOptions) -> tuple[DeflateParameters, str] | None:
    """Chooses among a client's offers, in its order of preference: the server's half of the negotiation.

    Returns what is agreed on and what the answer's `Sec-WebSocket-Extensions` says, or None if no offer will
    do. An offer with a parameter that is unknown, repeated or out of range is passed over (section 7.1).
    """
    for name, parameters in offers:
        if name.lower() != NAME:
            continue
        try:
            wishes = _read(parameters)
        except ValueError:
            continue
        server_bits = options.server_max_window_bits
        client_bits = _LARGEST_WINDOW
        parts = [NAME]
        server_fresh = options.server_no_context_takeover or "server_no_context_takeover" in wishes
        client_fresh = options.client_no_context_takeover or "client_no_context_takeover" in wishes
        if server_fresh:
            parts.append("server_no_context_takeover")
        if client_fresh:
            parts.append("client_no_context_takeover")
        if "server_max_window_bits" in wishes:
            limit = wishes["server_max_window_bits"]
            if limit is None:
                continue
            server_bits = min(server_bits, limit)
        if server_bits < _LARGEST_WINDOW or "server_max_window_bits" in wishes:
            parts.append(f"server_max_window_bits={server_bits}")
        if "client_max_window_bits" in wishes:
            # Only a client that mentions it understands it in the answer (section 7.1.2.2).
            limit = wishes["client_max_window_bits"]
            client_bits = min(options.client_max_window_bits, limit or _LARGEST_WINDOW)
            if client_bits < _LARGEST_WINDOW:
                parts.append(f"client_max_window_bits={client_bits}")
        agreed = DeflateParameters(server_fresh, client_fresh, server_bits, client_bits)
        return agreed, "; ".join(parts)
    return None


def confirm(parameters: list[tuple[str, str | None]], options: DeflateOptions) -> DeflateParameters:
    """Reads a server's answer to `offer(options)`: the client's half of the negotiation.

    Raises HandshakeFailed if the answer is not one to what was offered.
    """
    try:
        said = _read(parameters)
    except ValueError as error:
        raise HandshakeFailed(f"the server's permessage-deflate is malformed: {error}") from None
    server_bits = said.get("server_max_window_bits", _LARGEST_WINDOW)
    client_bits = said.get("client_max_window_bits", _LARGEST_WINDOW)
    if server_bits is None or client_bits is None:
        raise HandshakeFailed("the server's permessage-deflate has window bits without a number")
    if server_bits > options.server_max_window_bits:
        raise HandshakeFailed("the server wants a larger permessage-deflate window than was offered")
    server_fresh = "server_no_context_takeover" in said
    if options.server_no_context_takeover and not server_fresh:
        raise HandshakeFailed("the server ignored server_no_context_takeover")
    client_bits = min(client_bits, options.client_max_window_bits)
    client_fresh = options.client_no_context_takeover or "client_no_context_takeover" in said
    return DeflateParameters(server_fresh, client_fresh, server_bits, client_bits)


def _read(parameters: list[tuple[str, str | None]]) -> dict[str, int | None]:
    """Returns the parameters by name. Raises ValueError for one that is unknown, repeated or out of range."""
    found: dict[str, int | None] = {}
    for name, value in parameters:
        if name in found:
            raise ValueError(f"{name} is repeated")
        if name in ("server_no_context_takeover", "client_no_context_takeover"):
            if value is not None:
                raise ValueError(f"{name} takes no value")
            found[name] = None
        elif name in ("server_max_window_bits", "client_max_window_bits"):
            if value is None:
                found[name] = None
            elif value in ("8", "9", "10", "11", "12", "13", "14", "15"):
                found[name] = int(value)
            else:
                raise ValueError(f"{name} must be from 8 to 15")
        else:
            raise ValueError(f"{name} is unknown")
    return found
