"""Percent-encoding (RFC 3986 section 2.1), both ways, in linear time and without an object per escape."""

from __future__ import annotations

_UNRESERVED = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"

#: The value of a hexadecimal digit by its byte, 255 for every other byte.
_DIGITS = bytes(int(chr(byte), 16) if chr(byte) in "0123456789abcdefABCDEF" else 255 for byte in range(256))


def _table(kept: bytes, space: str) -> tuple[str, ...]:
    codes = [chr(byte) if byte in kept else f"%{byte:02X}" for byte in range(256)]
    codes[0x20] = space
    return tuple(codes)


_FORM_KEPT = _UNRESERVED
_PATH_KEPT = _UNRESERVED + b"/"
_FORM_CODES = _table(_FORM_KEPT, "+")
_PATH_CODES = _table(_PATH_KEPT, "%20")


def percent_decode(data: bytes) -> bytes:
    """Returns `data` with every `%XX` replaced by the byte it stands for.

    A `%` that two hexadecimal digits do not follow stays as it is. `+` is not touched.
    """
    # The byte as a number: compiled, this is memchr.
    if 0x25 not in data:
        return data
    start = data.index(b"%")
    size = len(data)
    last = size - 2
    decoded = bytearray(size)
    decoded[:start] = data[:start]
    at = start
    to = start
    while at < size:
        byte = data[at]
        at += 1
        # `at + 1 <= last + 1 < size`: both digits are inside.
        if byte == 0x25 and at <= last:
            high = _DIGITS[data[at]]
            low = _DIGITS[data[at + 1]]
            if high < 16 and low < 16:
                byte = high * 16 + low
                at += 2
        decoded[to] = byte
        to += 1
    del decoded[to:]
    return bytes(decoded)


def form_decode(data: bytes) -> bytes:
    """Returns `data` decoded as a name or a value of a form: `+` is a space, then as `percent_decode`."""
    if 0x2B in data:
        data = data.replace(b"+", b" ")
    return percent_decode(data)


def form_encode(data: bytes) -> str:
    """Returns `data` encoded as a name or a value of a form or query: everything but the unreserved
    characters is `%XX`, a space is `+`."""
    if not data.translate(None, _FORM_KEPT):
        return data.decode("ascii")
    return "".join([_FORM_CODES[byte] for byte in data])


def path_encode(data: bytes) -> str:
    """Returns `data` encoded as a path: everything but the unreserved characters and `/` is `%XX`."""
    if not data.translate(None, _PATH_KEPT):
        return data.decode("ascii")
    return "".join([_PATH_CODES[byte] for byte in data])
