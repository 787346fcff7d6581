"""Bytes, text, and text inside HTML: what the template engine does for every value it prints.

Escaping looks at a string first, because most need nothing, and then replaces only the characters it saw.
Short strings are looked at in a loop, which compiled is a comparison a character; long ones by the string
search of the interpreter, which takes many characters at once.
"""

from __future__ import annotations

from typing import overload

#: Up to so many characters one loop is cheaper than five searches.
_SHORT = 48


@overload
def utf8(value: None) -> None: ...


@overload
def utf8(value: str | bytes) -> bytes: ...


def utf8(value: str | bytes | None) -> bytes | None:
    """Returns text, `value`, as UTF-8; bytes and None come back as they are. Raises TypeError for anything
    else.
    """
    if value is None or isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode("utf-8")
    raise TypeError(f"Expected bytes, str or None, not {type(value).__name__}: {value!r}")


@overload
def to_unicode(value: None) -> None: ...


@overload
def to_unicode(value: str | bytes) -> str: ...


def to_unicode(value: str | bytes | None) -> str | None:
    """Returns bytes, `value`, decoded as UTF-8; text and None come back as they are.

    Raises UnicodeDecodeError for bytes that are not UTF-8, TypeError for anything that is neither.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8")
    raise TypeError(f"Expected bytes, str or None, not {type(value).__name__}: {value!r}")


def text_of(value: object) -> str:
    """Returns what a template prints for `value`: text as it is, bytes decoded as UTF-8, `str()` of the
    rest.
    """
    if isinstance(value, str):
        # Not str(value): what counts of a subclass, an enumeration for one, is the text it holds.
        return value if type(value) is str else str.__str__(value)
    if isinstance(value, bytes):
        return value.decode("utf-8")
    return str(value)


def _escape(text: str) -> str:
    amp = lt = gt = quot = apos = False
    if len(text) <= _SHORT:
        for char in text:
            # All five stand below most letters and digits do not matter here, so this skips nearly
            # everything.
            if char > ">":
                continue
            if char == "<":
                lt = True
            elif char == ">":
                gt = True
            elif char == "&":
                amp = True
            elif char == '"':
                quot = True
            elif char == "'":
                apos = True
    else:
        amp = "&" in text
        lt = "<" in text
        gt = ">" in text
        quot = '"' in text
        apos = "'" in text
    # The ampersand comes first: the others bring their own.
    if amp:
        text = text.replace("&", "&amp;")
    if lt:
        text = text.replace("<", "&lt;")
    if gt:
        text = text.replace(">", "&gt;")
    if quot:
        text = text.replace('"', "&quot;")
    if apos:
        text = text.replace("'", "&#x27;")
    return text


def xhtml_escape(value: str | bytes) -> str:
    """Returns `value` with `&`, `<`, `>` and both quotes as entities, for HTML and XML text and quoted
    attributes.

    Bytes are decoded as UTF-8. A str that needs no escaping is returned itself. Raises UnicodeDecodeError for
    bytes that are not UTF-8, TypeError for a value that is neither str nor bytes.
    """
    if isinstance(value, (str, bytes)):
        return _escape(text_of(value))
    raise TypeError(f"Expected bytes or str, not {type(value).__name__}: {value!r}")


def escape_text(value: object) -> str:
    """Returns what an escaping template prints for `value`: `xhtml_escape` of `text_of`."""
    if type(value) is str:
        return _escape(value)
    if type(value) is int:
        return str(value)
    return _escape(text_of(value))
