"""Escaping and unescaping for HTML, JSON and URLs: the public names of `tornado.escape`.

What is called for every value or request stands in compiled modules of its own (`text`, `percent`, `query`);
this is where they come together.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, overload

from eyewall.base.jsontext import json_decode, json_encode
from eyewall.base.percent import form_encode, path_encode, percent_decode
from eyewall.base.query import parse_arguments
from eyewall.base.text import escape_text, text_of, to_unicode, utf8, xhtml_escape

__all__ = [
    "escape_text",
    "json_decode",
    "json_encode",
    "linkify",
    "native_str",
    "parse_qs_bytes",
    "percent_decode",
    "recursive_unicode",
    "squeeze",
    "text_of",
    "to_basestring",
    "to_unicode",
    "url_escape",
    "url_unescape",
    "utf8",
    "xhtml_escape",
    "xhtml_unescape",
]

#: Names from the time of two string types; both are `to_unicode`.
native_str = to_unicode
to_basestring = to_unicode


def xhtml_unescape(value: str | bytes) -> str:
    """Returns `value` with named and numeric character references replaced, as `html.unescape` does.

    Bytes are decoded as UTF-8. References that mean nothing stay as they are.
    """
    text = to_unicode(value)
    if "&" not in text:
        return text
    # Brings a dictionary of 2,231 names along, which few programs ever need.
    from html import unescape

    return unescape(text)


def squeeze(value: str) -> str:
    """Returns `value` with every run of white space and control characters replaced by one space, none at
    the ends.
    """
    return re.sub(r"[\x00-\x20]+", " ", value).strip(" ")


def url_escape(value: str | bytes, plus: bool = True) -> str:
    """Returns `value`, text as UTF-8, percent-encoded.

    With `plus`, for a name or a value in a query: a space is `+` and `/` is `%2F`. Without, for a path: a
    space is `%20` and `/` stays.
    """
    data = utf8(value)
    return form_encode(data) if plus else path_encode(data)


@overload
def url_unescape(value: str | bytes, encoding: None, plus: bool = True) -> bytes: ...


@overload
def url_unescape(value: str | bytes, encoding: str = "utf-8", plus: bool = True) -> str: ...


def url_unescape(value: str | bytes, encoding: str | None = "utf-8", plus: bool = True) -> str | bytes:
    """Returns `value` percent-decoded, and then decoded as `encoding`; as bytes where that is None.

    With `plus`, a `+` is a space. Bytes that are not valid in the encoding become U+FFFD. Time is linear.
    """
    text = to_unicode(value)
    if plus:
        text = text.replace("+", " ")
    if encoding is None:
        return percent_decode(text.encode("utf-8"))
    if "%" not in text:
        return text
    if text.isascii():
        return percent_decode(text.encode("ascii")).decode(encoding, "replace")
    # Characters beyond ASCII are not meant to be here. They are characters already: only what stands between
    # them is in the encoding.
    return "".join(
        [
            percent_decode(piece.encode("ascii")).decode(encoding, "replace") if piece.isascii() else piece
            for piece in re.findall(r"[\x00-\x7f]+|[^\x00-\x7f]+", text)
        ]
    )


def parse_qs_bytes(
    qs: str | bytes,
    keep_blank_values: bool = False,
    strict_parsing: bool = False,
    *,
    max_num_fields: int | None = None,
) -> dict[str, list[bytes]]:
    """Returns the fields of `qs`, a query string, by name: names as text (Latin-1), values as bytes.

    Fields with empty values are left out unless `keep_blank_values`. Raises ValueError for a field without
    `=` if `strict_parsing`, and where there are more than `max_num_fields`.
    """
    data = qs.encode("latin-1") if isinstance(qs, str) else qs
    if max_num_fields is not None and max_num_fields <= 0 and data:
        raise ValueError(f"Max number of fields exceeded: {max_num_fields} are allowed")
    return parse_arguments(data, max_num_fields or 0, keep_blank_values, strict_parsing)


def recursive_unicode(obj: Any) -> Any:
    """Returns `obj` with all byte strings in its lists, tuples and dictionaries decoded as UTF-8."""
    if isinstance(obj, bytes):
        return to_unicode(obj)
    if isinstance(obj, dict):
        return {recursive_unicode(key): recursive_unicode(value) for key, value in obj.items()}
    if isinstance(obj, list):
        return [recursive_unicode(item) for item in obj]
    if isinstance(obj, tuple):
        return tuple([recursive_unicode(item) for item in obj])
    return obj


def linkify(
    text: str | bytes,
    shorten: bool = False,
    extra_params: str | Callable[[str], str] = "",
    require_protocol: bool = False,
    permitted_protocols: Sequence[str] = ("http", "https"),
) -> str:
    """Returns plain text as HTML in which the addresses are links.

    `shorten` cuts the text of long links and puts the whole address into a `title`. `extra_params` is put
    into the tag, or a function that gets the address and returns what is. With `require_protocol`,
    `www.example.com` is not taken for a link. Addresses of other protocols than the `permitted_protocols`
    stay text.
    """
    # Few programs make links of what they are given.
    from eyewall.base.links import linkify_text

    return linkify_text(to_unicode(text), shorten, extra_params, require_protocol, permitted_protocols)
