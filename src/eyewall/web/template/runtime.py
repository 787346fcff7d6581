"""What compiled templates call while they render."""

from __future__ import annotations

from collections.abc import Callable

from eyewall.base.text import text_of


class BinaryText(str):
    """Bytes that are not UTF-8, on their way through a template that prints them raw.

    The bytes that are not are lone surrogates in it, which makes encoding the page fail and `finish` look
    closer.
    """

    __slots__ = ()


def raw_text(value: object) -> str:
    """Returns what a template prints for `value` without escaping it: text, UTF-8, or `str()` of the rest."""
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            return BinaryText(value.decode("utf-8", "surrogateescape"))
    return text_of(value)


def argument_of(value: object) -> bytes:
    """Returns what an escaping function that a template names gets for `value`: always bytes."""
    if isinstance(value, bytes):
        return value
    return text_of(value).encode("utf-8")


def result_of(value: object) -> str:
    """Returns what a template prints for the result of an escaping or applied function.

    Raises TypeError unless it is str or bytes: such a function that forgets to return something prints
    nothing sensible.
    """
    if isinstance(value, (str, bytes)):
        return raw_text(value)
    raise TypeError(
        f"a function that is applied to text must return str or bytes, not {type(value).__name__}"
    )


def escape_with(function: Callable[[bytes], str | bytes | None]) -> Callable[[object], str]:
    """Returns `function` as templates call their escaping function: with any value, for text."""

    def escape(value: object) -> str:
        return result_of(function(argument_of(value)))

    return escape


def _finish_binary(pieces: list[str]) -> bytes | None:
    """Returns the page with the bytes that `raw_text` let through, None if there are none."""
    if not any(isinstance(piece, BinaryText) for piece in pieces):
        return None
    return b"".join(
        [
            piece.encode("utf-8", "surrogateescape" if isinstance(piece, BinaryText) else "strict")
            for piece in pieces
        ]
    )


def finish(pieces: list[str]) -> bytes:
    """Returns the page that consists of `pieces`, as UTF-8.

    Raises UnicodeEncodeError for lone surrogates, except those that `raw_text` has put there.
    """
    try:
        return "".join(pieces).encode("utf-8")
    except UnicodeEncodeError:
        page = _finish_binary(pieces)
        if page is None:
            raise
        return page
