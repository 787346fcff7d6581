"""One direction of permessage-deflate (RFC 7692) by itself, for programs that take messages apart on their own.

A connection has both in one `DeflateCodec`. Here each is an object, made of what was negotiated for its direction:
whether the stream goes on from message to message, and the bits of its window (None: the largest).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eyewall.guard.profile import active
from eyewall.websocket.codec import DeflateCodec
from eyewall.websocket.deflate import DeflateOptions, DeflateParameters

_LARGEST_WINDOW = 15
# An empty stored block without its last four bytes: what an empty message is (section 7.2.3.6).
_EMPTY = b"\x00"


class MessageDeflater:
    """Compresses messages. `compression_options` are those of `get_compression_options`. `persistent`: whether
    what earlier messages contained may be referred to (RFC 7692 section 7.1.1). `max_wbits`: the size of the
    window as a power of two, 9 to 15; None for 15.
    """

    def __init__(
        self,
        persistent: bool,
        max_wbits: int | None,
        compression_options: Mapping[str, Any] | None = None,
    ) -> None:
        agreed = DeflateParameters(
            server_no_context_takeover=not persistent, server_max_window_bits=max_wbits or _LARGEST_WINDOW
        )
        self._codec = DeflateCodec(agreed, DeflateOptions.of(active(), compression_options), client=False)

    def compress(self, data: bytes) -> bytes:
        """Returns the content of a message that carries `data`."""
        return self._codec.deflate(data) or _EMPTY


class MessageInflater:
    """Undoes the compression of messages, each of at most `max_message_size` bytes. The other arguments are
    those of `MessageDeflater`, as the sender has them.
    """

    def __init__(
        self,
        persistent: bool,
        max_wbits: int | None,
        max_message_size: int,
        compression_options: Mapping[str, Any] | None = None,
    ) -> None:
        agreed = DeflateParameters(
            client_no_context_takeover=not persistent, client_max_window_bits=max_wbits or _LARGEST_WINDOW
        )
        self._codec = DeflateCodec(agreed, DeflateOptions.of(active(), compression_options), client=False)
        self._max_message_size = max_message_size

    def decompress(self, data: bytes) -> bytes:
        """Returns what `data`, the content of a message, unfolds to.

        Raises MessageTooBig when that is too much, PayloadError for what is no deflate stream.
        """
        return self._codec.inflate(data, self._max_message_size, True)
