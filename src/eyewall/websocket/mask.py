"""The XOR mask of client-to-server frames (RFC 6455 section 5.3).

A masking key is held as one number, its first byte on the wire in the lowest eight bits, so that a key can be
rotated to the place in the payload where a chunk begins.

The loop over groups of four is what a C compiler turns into vector instructions; an interpreter takes 100 ns
a byte for it, so that an uncompiled `xor` hands all but short payloads to the arithmetic of long integers.
"""

from __future__ import annotations

#: Whether this module runs as C. The long way round below is for interpreters only.
COMPILED = not __file__.endswith(".py")

#: Payload bytes up to which an interpreter is faster with the loop.
_SHORT = 16


def rotate(key: int, offset: int) -> int:
    """Returns the key as it applies to the payload from byte `offset` on."""
    shift = (offset & 3) * 8
    if shift == 0:
        return key
    return (key >> shift | key << (32 - shift)) & 0xFFFFFFFF


def xor(data: bytes, start: int, stop: int, key: int) -> bytearray:
    """Returns `data[start:stop]` with `key` applied from its first byte on. It masks, and undoes masking.

    Raises ValueError unless 0 <= start <= stop <= len(data).
    """
    if start < 0 or stop < start or stop > len(data):
        raise ValueError("xor: the range is not within the data")
    size = stop - start
    out = bytearray(size)
    if not COMPILED and size > _SHORT:
        words = (size + 3) >> 2
        pattern = int.from_bytes(key.to_bytes(4, "little") * words, "little")
        pattern ^= int.from_bytes(data[start:stop], "little")
        out[:] = pattern.to_bytes(words * 4, "little")[:size]
        return out
    k0 = key & 0xFF
    k1 = key >> 8 & 0xFF
    k2 = key >> 16 & 0xFF
    k3 = key >> 24 & 0xFF
    source = data
    target = out
    whole = size - (size & 3)
    for i in range(0, whole, 4):
        target[i] = source[start + i] ^ k0
        target[i + 1] = source[start + i + 1] ^ k1
        target[i + 2] = source[start + i + 2] ^ k2
        target[i + 3] = source[start + i + 3] ^ k3
    left = size - whole
    if left > 0:
        target[whole] = source[start + whole] ^ k0
    if left > 1:
        target[whole + 1] = source[start + whole + 1] ^ k1
    if left > 2:
        target[whole + 2] = source[start + whole + 2] ^ k2
    return out


def read_key(data: bytes, at: int) -> int:
    """Returns the key whose four bytes stand at `data[at]`. The caller has seen that they are there."""
    return data[at] | data[at + 1] << 8 | data[at + 2] << 16 | data[at + 3] << 24


def mask(mask: bytes, data: bytes) -> bytes:
    """Returns `data` with the four bytes of `mask` applied. It masks, and undoes masking.

    Raises ValueError for a mask of another length.
    """
    if len(mask) != 4:
        raise ValueError(f"mask: it has 4 bytes, not {len(mask)}")
    return bytes(xor(data, 0, len(data), read_key(mask, 0)))
