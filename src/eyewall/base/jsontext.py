"""JSON to and from text.

`json.loads` runs two regular expressions around the scanner. They are skipped here for what is ordinary; whatever
is not goes through the documented function, so that results and exceptions are its.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from eyewall.base.jsonencoder import json_encode
from eyewall.base.text import to_unicode

__all__ = ["json_decode", "json_encode"]

_scan: Callable[[str, int], tuple[Any, int]] = json.JSONDecoder().scan_once  # type: ignore[attr-defined]


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
