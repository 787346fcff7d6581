"""JSON text of what handlers mostly write: small documents of text, numbers, true, false and null.

Such a document is written into a buffer of fixed size, character by character, in one pass. What is larger, nested
deeply or in itself, or holds anything but the built-in types themselves, is left to the standard library, and so
are the exceptions. The text is the same: what `json.dumps` writes with its defaults, but for `</`, which becomes
`<\\/` so that it can stand inside a `<script>` element.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from json import encoder as _standard
from typing import Any

#: Octets of the buffer.
SIZE = 8192
#: Levels of nesting that are written here. Far below what the C stack holds.
DEEP = 50
#: Up to so many characters a string is written one by one.
SHORT = 80
#: What is always left behind `_room`: a short string of nothing but pairs of surrogates, with quotes and separators.
_RESERVE = 12 * SHORT + 16
_ROOM = SIZE - _RESERVE

_HEX = b"0123456789abcdef"
#: Buffers that nobody is using; as many as threads ever wrote at once.
_spare: list[bytearray] = []
#: JSON text of a string, with its quotes, all beyond ASCII escaped.
_quoted: Callable[[str], str] = _standard.encode_basestring_ascii
_repr_of_float = float.__repr__


def json_encode(value: Any) -> str:
    """Returns `value` as JSON that can also stand inside a `<script>` element: `</` is written `<\\/`.

    Raises TypeError for what JSON cannot hold, ValueError for a circular structure, as `json.dumps`.
    """
    buffer = _spare.pop() if _spare else bytearray(SIZE)
    end = _put(buffer, value, 0, 0)
    text = buffer[:end].decode("ascii") if end >= 0 else ""
    _spare.append(buffer)
    return text if end >= 0 else json.dumps(value).replace("</", "<\\/")


def _put(buffer: bytearray, value: object, at: int, depth: int) -> int:
    """Writes `value` to the buffer at `at`. Returns where it ends, or -1 for one that is not written here."""
    kind = type(value)
    if at > _ROOM:
        return -1
    if kind is str:
        return _put_text(buffer, value, at)  # type: ignore[arg-type]
    if kind is int or kind is float:
        number: str = _repr_of_float(value) if kind is float else str(value)
        if len(number) > SHORT or number[-1] > "9":
            # Very long; or an infinity, or no number at all.
            return -1
        return _put_word(buffer, number.encode("ascii"), at)
    if value is True:
        return _put_word(buffer, b"true", at)
    if value is False:
        return _put_word(buffer, b"false", at)
    if value is None:
        return _put_word(buffer, b"null", at)
    if depth < DEEP:
        if kind is dict:
            return _put_members(buffer, value, at, depth + 1)  # type: ignore[arg-type]
        if kind is list or kind is tuple:
            return _put_items(buffer, value, at, depth + 1)  # type: ignore[arg-type]
    return -1


def _put_members(buffer: bytearray, members: dict[object, object], at: int, depth: int) -> int:
    buffer[at] = 123  # {
    at += 1
    first = True
    for name, value in members.items():
        if type(name) is not str or at > _ROOM:
            return -1
        if not first:
            buffer[at] = 44  # ,
            buffer[at + 1] = 32
            at += 2
        first = False
        at = _put_text(buffer, name, at)
        if at < 0:
            return -1
        buffer[at] = 58  # :
        buffer[at + 1] = 32
        at = _put(buffer, value, at + 2, depth)
        if at < 0:
            return -1
    buffer[at] = 125
    return at + 1


def _put_items(buffer: bytearray, items: list[object] | tuple[object, ...], at: int, depth: int) -> int:
    buffer[at] = 91  # [
    at += 1
    first = True
    for item in items:
        if at > _ROOM:
            return -1
        if not first:
            buffer[at] = 44
            buffer[at + 1] = 32
            at += 2
        first = False
        at = _put(buffer, item, at, depth)
        if at < 0:
            return -1
    buffer[at] = 93
    return at + 1


def _put_text(buffer: bytearray, text: str, at: int) -> int:
    if len(text) > SHORT:
        return _put_long(buffer, text, at)
    buffer[at] = 34  # "
    at += 1
    before = 0
    for char in text:
        code = ord(char)
        if code == 34 or code == 92:
            buffer[at] = 92
            at += 1
        elif code < 32 or code > 126:
            at = _put_escaped(buffer, code, at)
            before = code
            continue
        elif code == 47 and before == 60:
            buffer[at] = 92
            at += 1
        buffer[at] = code
        at += 1
        before = code
    buffer[at] = 34
    return at + 1


def _put_escaped(buffer: bytearray, code: int, at: int) -> int:
    """Writes a character as JSON's escape for it; one beyond 16 bits as two surrogates."""
    letter = 0
    if code == 10:
        letter = 110
    elif code == 13:
        letter = 114
    elif code == 9:
        letter = 116
    elif code == 8:
        letter = 98
    elif code == 12:
        letter = 102
    if letter:
        buffer[at] = 92
        buffer[at + 1] = letter
        return at + 2
    if code > 0xFFFF:
        at = _put_escaped(buffer, 0xD800 + ((code - 0x10000) >> 10), at)
        code = 0xDC00 + ((code - 0x10000) & 0x3FF)
    buffer[at] = 92
    buffer[at + 1] = 117
    buffer[at + 2] = _HEX[code >> 12]
    buffer[at + 3] = _HEX[(code >> 8) & 15]
    buffer[at + 4] = _HEX[(code >> 4) & 15]
    buffer[at + 5] = _HEX[code & 15]
    return at + 6


def _put_long(buffer: bytearray, text: str, at: int) -> int:
    if len(text) > SIZE:
        return -1
    octets = _quoted(text).replace("</", "<\\/").encode("ascii")
    end = at + len(octets)
    if end > _ROOM:
        return -1
    return _put_word(buffer, octets, at)


def _put_word(buffer: bytearray, word: bytes, at: int) -> int:
    for octet in word:
        buffer[at] = octet
        at += 1
    return at
