"""JSON to and from text, on the standard library's encoder and scanner.

`json.dumps` builds a new encoder for every call and `json.loads` runs two regular expressions around the
scanner. Both are skipped here for what is ordinary; whatever is not goes through the documented functions,
so that results and exceptions are theirs.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from json import encoder as _json_encoder
from typing import Any

from eyewall.base.text import to_unicode


def _fast_encoder() -> Callable[[object, int], tuple[str, ...]] | None:
    """The C encoder with the settings of `json.dumps`, or None where the interpreter has none like it."""
    make = getattr(_json_encoder, "c_make_encoder", None)
    basic = json.JSONEncoder()
    if make is None:
        return None
    try:
        # No markers: one encoder serves all threads, and a circular value runs into the recursion limit
        # instead.
        encode = make(
            None, basic.default, _json_encoder.encode_basestring_ascii, None, ": ", ", ", False, False, True
        )
        return encode if encode({"a": [1]}, 0) is not None else None
    except TypeError:
        return None


_encode = _fast_encoder()
_scan: Callable[[str, int], tuple[Any, int]] = json.JSONDecoder().scan_once  # type: ignore[attr-defined]


def json_encode(value: Any) -> str:
    """Returns `value` as JSON that can also stand inside a `<script>` element: `</` is written `<\\/`.

    Raises TypeError for what JSON cannot hold, ValueError for a circular structure, as `json.dumps`.
    """
    if _encode is not None:
        try:
            return "".join(_encode(value, 0)).replace("</", "<\\/")
        except (TypeError, ValueError, RecursionError):
            # Once more by the documented way, for the exception it documents.
            pass
    return json.dumps(value).replace("</", "<\\/")


def json_decode(value: str | bytes) -> Any:
    """Returns the value that the JSON text `value` describes; bytes are decoded as UTF-8.

    Raises ValueError for what is not JSON (`json.JSONDecodeError`), not UTF-8 (UnicodeDecodeError), or
    nested too deeply; TypeError for a `value` that is neither str nor bytes.
    """
    text = to_unicode(value)
    if text is None:
        raise TypeError("JSON must be str or bytes, not None")
    try:
        try:
            decoded, end = _scan(text, 0)
        except StopIteration:
            # White space in front, or no JSON at all.
            return json.loads(text)
        if end == len(text):
            return decoded
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("JSON is nested too deeply") from error
