"""Query strings and `application/x-www-form-urlencoded` bodies.

A field is `name=value`; fields are separated by `&` and by nothing else (`;` never was one in the URL
standard, and two readings of one string are how caches get poisoned). Names become text, byte by byte as
Latin-1, values stay bytes until somebody says how they are encoded. Time and memory are linear in the input,
and the number of fields is looked at before any of them is made.
"""

from __future__ import annotations

from eyewall.base.errors import LimitExceeded
from eyewall.base.percent import form_decode


class TooManyFields(LimitExceeded, ValueError):
    """A query string or form has more fields than `form_fields` allows. Status 400."""

    def __init__(self, allowed: int) -> None:
        super().__init__("form_fields", allowed, f"Max number of fields exceeded: {allowed} are allowed")


class BadField(ValueError):
    """A field of a query string has no `=`, where that was asked to be an error."""


def parse_fields(
    data: bytes, limit: int = 0, keep_blank: bool = True, strict: bool = False
) -> list[tuple[str, bytes]]:
    """Returns the fields of `data` in their order, decoded.

    `limit` is the number of separated pieces, empty ones included, that are accepted (0: any number). A field
    without `=` has an empty value; fields with empty values are left out unless `keep_blank`. Empty pieces
    (`a&&b`) are skipped.

    Raises TooManyFields beyond the limit; BadField, if `strict`, for a piece that has no `=`.
    """
    fields: list[tuple[str, bytes]] = []
    if not data:
        return fields
    if limit > 0 and data.count(b"&") >= limit:
        raise TooManyFields(limit)
    coded = 0x25 in data or 0x2B in data
    for piece in data.split(b"&"):
        if not piece and not strict:
            continue
        name, equals, value = piece.partition(b"=")
        if strict and not equals:
            raise BadField(f"bad query field: {piece!r}")
        if not value and not keep_blank:
            continue
        if coded:
            name = form_decode(name)
            value = form_decode(value)
        fields.append((name.decode("latin-1"), value))
    return fields


def parse_arguments(
    data: bytes, limit: int = 0, keep_blank: bool = True, strict: bool = False
) -> dict[str, list[bytes]]:
    """Returns what `parse_fields` does as a dictionary from each name to its values, both in order."""
    arguments: dict[str, list[bytes]] = {}
    for name, value in parse_fields(data, limit, keep_blank, strict):
        values = arguments.get(name)
        if values is None:
            arguments[name] = [value]
        else:
            values.append(value)
    return arguments
