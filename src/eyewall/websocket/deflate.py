"""permessage-deflate (RFC 7692): what is negotiated, and the two streams of one connection.

The window of each direction is negotiated separately; the side that compresses in a direction must keep to
it, the side that decompresses may hold more. Both streams are made when the first message needs them, so that
a connection over which nothing was said yet costs nothing, and their size is bounded by the window bits and
the memory level: (4 << bits) + (512 << level) bytes to compress, about (1 << bits) + 10 KiB to decompress.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from eyewall.guard.profile import Profile
from eyewall.websocket.errors import HandshakeFailed, MessageTooBig, PayloadError, PolicyError
from eyewall.websocket.extensions import Extension

if TYPE_CHECKING:
    # The type of what zlib.decompressobj returns has no name that can be imported.
    from zlib import _Compress, _Decompress

NAME: Final = "permessage-deflate"

_LARGEST_WINDOW = 15
# zlib takes 8 for a raw deflate stream to mean 9, which the peer's window of 256 bytes would not fit.
_SMALLEST_WINDOW = 9
# What a sync flush ends with, and what a sender leaves out (RFC 7692 section 7.2.1).
_TAIL = b"\x00\x00\xff\xff"
# Final blocks accepted in one message: a stream that ends starts anew, which costs more than its two bytes.
_FINAL_BLOCKS = 16


@dataclass(frozen=True, slots=True)
class DeflateOptions:
    """What this side wants of permessage-deflate.

    `level` 0 to 9 and `mem_level` 1 to 9 are zlib's. The window bits (9 to 15) bound the memory of the peers.
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


class DeflateCodec:
    """Both streams of one connection. It is not used by two threads at once."""

    __slots__ = (
        "_deflate_fresh",
        "_deflater",
        "_final_blocks",
        "_inflate_bits",
        "_inflate_fresh",
        "_inflater",
        "deflate_bits",
        "options",
    )

    def __init__(self, parameters: DeflateParameters, options: DeflateOptions, client: bool) -> None:
        self.options = options
        if client:
            #: Window bits of what this side sends.
            self.deflate_bits = parameters.client_max_window_bits
            self._deflate_fresh = parameters.client_no_context_takeover
            self._inflate_bits = parameters.server_max_window_bits
            self._inflate_fresh = parameters.server_no_context_takeover
        else:
            self.deflate_bits = parameters.server_max_window_bits
            self._deflate_fresh = parameters.server_no_context_takeover
            self._inflate_bits = parameters.client_max_window_bits
            self._inflate_fresh = parameters.client_no_context_takeover
        self._deflater: _Compress | None = None
        self._inflater: _Decompress | None = None
        self._final_blocks = 0

    def deflate(self, payload: bytes) -> bytes | None:
        """Returns `payload` compressed, as the content of one message; None if it should go as it is."""
        if not payload or self.deflate_bits < _SMALLEST_WINDOW:
            return None
        stream = self._deflater
        if stream is None:
            stream = new_deflater(self.options, self.deflate_bits)
            if not self._deflate_fresh:
                self._deflater = stream
        return finish_deflate(stream, payload)

    def kind(self, payload: bytes) -> tuple[int, int, int] | None:
        """Returns what a stream of its own for `payload` depends on; None if that goes as it is."""
        if not payload or self.deflate_bits < _SMALLEST_WINDOW:
            return None
        return self.deflate_bits, self.options.level, self.options.mem_level

    def forget_sent(self) -> None:
        """Starts the outgoing stream anew: the peer's window has seen bytes that the stream here has not."""
        self._deflater = None

    def inflate(self, data: bytes | bytearray, room: int, final: bool) -> bytes:
        """Returns what `data`, the next piece of a message, unfolds to; `final` says that it is the last.

        Raises MessageTooBig when that is more than `room` bytes, having produced hardly more; PayloadError if
        `data` is no deflate stream; PolicyError for a stream that ends and starts again too often.
        """
        stream = self._inflater
        if stream is None:
            stream = self._inflater = zlib.decompressobj(-max(self._inflate_bits, _SMALLEST_WINDOW))
        if final:
            data = data + _TAIL
        try:
            out = stream.decompress(data, room + 1)
            if stream.eof:
                out = self._restart(stream, out, room)
        except zlib.error:
            raise PayloadError("invalid compressed data") from None
        if len(out) > room:
            raise MessageTooBig("message too big")
        if final:
            self._final_blocks = 0
            if self._inflate_fresh:
                self._inflater = None
        return out

    def _restart(self, stream: _Decompress, out: bytes, room: int) -> bytes:
        """Goes on behind a block with BFINAL set, which a sender may use (RFC 7692 section 7.2.3.4)."""
        pieces = [out]
        have = len(out)
        while stream.eof and have <= room:
            self._final_blocks += 1
            if self._final_blocks > _FINAL_BLOCKS:
                raise PolicyError("too many final deflate blocks")
            rest = stream.unused_data
            stream = zlib.decompressobj(-max(self._inflate_bits, _SMALLEST_WINDOW))
            self._inflater = stream
            pieces.append(stream.decompress(rest, room - have + 1))
            have += len(pieces[-1])
        return b"".join(pieces)


def new_deflater(options: DeflateOptions, bits: int) -> _Compress:
    """Returns a raw deflate stream that keeps to a window of `bits`."""
    return zlib.compressobj(options.level, zlib.DEFLATED, -bits, options.mem_level)


def finish_deflate(stream: _Compress, payload: bytes) -> bytes:
    """Returns `payload`, which is not empty, as one message of `stream` (RFC 7692 section 7.2.1)."""
    head = stream.compress(payload)
    rest = stream.flush(zlib.Z_SYNC_FLUSH)
    if head:
        rest = head + rest
    return rest[:-4]
