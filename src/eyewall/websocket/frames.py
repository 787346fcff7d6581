"""The header of a frame (RFC 6455 section 5.2): reading its parts, building it. Pure functions of bytes.

byte 0: FIN RSV1 RSV2 RSV3, four bits of opcode     byte 1: MASK, seven bits of length
then 2 bytes of length if byte 1 says 126, 8 if it says 127, then 4 bytes of masking key if MASK is set
"""

from __future__ import annotations

from eyewall.websocket import opcodes
from eyewall.websocket.mask import read_key, xor

#: `payload_size` for a length that the standard forbids: not the shortest form, or the top bit set.
MALFORMED = -1

_MALFORMED = MALFORMED
_MASKED = opcodes.MASKED
_LENGTH = opcodes.LENGTH
# Payload lengths from which on a header has two, and eight, bytes of length.
_MEDIUM = 126
_LARGE = 1 << 16
# The two bytes before a short unmasked payload, by the first of them; only for final text and binary frames.
_SHORT_FIRST = b"\x81\x82\xc1\xc2"
_SHORT = [bytes((first, size)) for first in _SHORT_FIRST for size in range(_MEDIUM)]
_SHORT_ROW = bytes(
    _SHORT_FIRST.index(first) if first in _SHORT_FIRST else len(_SHORT_FIRST) for first in range(256)
)
_SHORT_ROWS = len(_SHORT_FIRST)


def header_size(second: int) -> int:
    """Returns the size of a whole header, key included, whose second byte is `second`."""
    size = 2
    length = second & _LENGTH
    if length == 126:
        size = 4
    elif length == 127:
        size = 10
    if second & _MASKED:
        size += 4
    return size


def payload_size(data: bytes, at: int) -> int:
    """Returns the payload length in the header at `data[at]`, or MALFORMED. The caller has seen all of it."""
    length = data[at + 1] & _LENGTH
    if length < 126:
        return length
    if length == 126:
        length = data[at + 2] << 8 | data[at + 3]
        return length if length >= _MEDIUM else _MALFORMED
    if data[at + 2] & 0x80:
        return _MALFORMED
    length = 0
    for index in range(at + 2, at + 10):
        length = length << 8 | data[index]
    return length if length >= _LARGE else _MALFORMED


def build_header(first: int, size: int, masked: bool) -> bytes:
    """Returns the header, without a key, of a frame whose first byte is `first` and payload `size` bytes."""
    flag = _MASKED if masked else 0
    if size < _MEDIUM:
        return bytes((first, flag | size))
    if size < _LARGE:
        return bytes((first, flag | 126, size >> 8, size & 0xFF))
    return bytes((first, flag | 127)) + size.to_bytes(8, "big")


def build_frame(first: int, payload: bytes) -> bytes:
    """Returns an unmasked frame, as servers send them, whose first byte is `first`."""
    size = len(payload)
    row = _SHORT_ROW[first & 0xFF]
    if size < _MEDIUM and row < _SHORT_ROWS:
        return _SHORT[row * _MEDIUM + size] + payload
    return build_header(first, size, False) + payload


def build_masked_frame(first: int, payload: bytes, key: bytes) -> bytes:
    """Returns a frame masked with the four bytes of `key`, as clients send them.

    `key` must be unpredictable, and fresh for each frame (RFC 6455 section 5.3). Raises ValueError if it has
    not four bytes.
    """
    if len(key) != 4:
        raise ValueError("a masking key has four bytes")
    size = len(payload)
    return build_header(first, size, True) + key + xor(payload, 0, size, read_key(key, 0))
