"""Content negotiation by quality values (RFC 9110 section 12.4.2 and 12.5)."""

from __future__ import annotations

import re
from collections.abc import Sequence

_WEIGHT = re.compile("0(?:\\.[0-9]{0,3})?|1(?:\\.0{0,3})?")


def parse_qualities(header: str) -> list[tuple[str, float]]:
    """Returns (lower-case value, quality) of each element of a list such as `gzip;q=0.5, br`.

    Parameters other than `q` stay with the value. An element whose quality cannot be read is left out.
    """
    found: list[tuple[str, float]] = []
    for element in header.split(","):
        value, *parameters = [part.strip(" \t").lower() for part in element.split(";")]
        quality: float | None = 1.0
        for parameter in parameters:
            name, _, weight = parameter.partition("=")
            if name.rstrip(" \t") == "q":
                weight = weight.lstrip(" \t")
                quality = float(weight) if _WEIGHT.fullmatch(weight) else None
                break
            value = f"{value};{parameter}"
        if value and quality is not None:
            found.append((value, quality))
    return found


def choose_encoding(header: str | None, offered: Sequence[str]) -> str | None:
    """Returns which of the codings `offered`, in the server's order of preference, suits `Accept-Encoding`.

    None means to send the content as it is: there is no header, nothing offered is acceptable, or the client
    would rather have it so. Content as it is may always be sent where nothing else can (section 12.5.3).

    >>> choose_encoding("gzip;q=0.5, br;q=0.9", ["gzip", "br"])
    'br'
    """
    if header is None:
        return None
    qualities = dict(reversed(parse_qualities(header)))
    others = qualities.get("*")
    best: str | None = None
    best_quality = 0.0
    for coding in offered:
        quality = qualities.get(coding)
        if quality is None and coding == "gzip":
            quality = qualities.get("x-gzip")
        if quality is None:
            quality = others or 0.0
        if quality > best_quality:
            best, best_quality = coding, quality
    # Where the client ranks plain content explicitly, and higher, it gets that.
    return None if qualities.get("identity", 0.0) > best_quality else best
