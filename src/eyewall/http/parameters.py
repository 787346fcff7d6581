"""Values with parameters: `text/html; charset="utf-8"`, `form-data; name=a; filename*=UTF-8''%e2%82%ac`.

RFC 9110 section 5.6.6 for the grammar, RFC 8187 and RFC 2231 for encoded values (`name*=`) and for values in
numbered pieces (`name*0=`, `name*1*=`). One walk from left to right, each character looked at a constant
number of times.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from eyewall.base.percent import percent_decode
from eyewall.http.errors import HTTPInputError, quoted
from eyewall.http.grammar import HTTP_WHITESPACE

#: Numbered pieces beyond this are not put together: nobody needs them.
PIECES = 1000


def iter_parameters(line: str, start: int = 0, *, strict: bool = False) -> Iterator[tuple[str, str]]:
    """Yields (lower-case name, value) of each parameter in `line`, of which the first begins at `start`.

    A quoted value is unquoted: `\\"` and `\\\\` become `"` and `\\`; any other backslash stays, because
    browsers send Windows paths with bare ones. What has no `=`, or no name, is skipped. A quote that is never
    closed, and what follows a quoted value, raise HTTPInputError if `strict`; otherwise such a value is taken
    as it stands, up to the next `;`, and what follows a quoted value is skipped.
    """
    size = len(line)
    at = start
    equals = -1
    while at < size:
        semicolon = line.find(";", at)
        if semicolon < 0:
            semicolon = size
        if equals < at:
            equals = line.find("=", at)
            if equals < 0:
                return
        if equals > semicolon:
            at = semicolon + 1
            continue
        name = line[at:equals].strip(HTTP_WHITESPACE).lower()
        value_at = equals + 1
        while value_at < size and line[value_at] in HTTP_WHITESPACE:
            value_at += 1
        end = -1
        if value_at < size and line[value_at] == '"':
            end = _closing_quote(line, value_at + 1)
            if end < 0 and strict:
                raise HTTPInputError(f"quoted string without an end in {quoted(line)}")
        if end >= 0:
            value = _unquote(line[value_at + 1 : end])
            at = line.find(";", end)
            if at < 0:
                at = size
            if strict and line[end + 1 : at].strip(HTTP_WHITESPACE):
                raise HTTPInputError(f"text after a quoted string in {quoted(line)}")
            at += 1
        else:
            value = line[value_at:semicolon].strip(HTTP_WHITESPACE)
            at = semicolon + 1
        if name:
            yield name, value


def split_list(text: str) -> list[str]:
    """Returns the elements of a comma-separated list in which quoted strings may contain commas.

    A quote that is never closed makes the rest of the text one element.
    """
    elements: list[str] = []
    start = at = 0
    comma = -1
    while True:
        if comma < at:
            comma = text.find(",", at)
            if comma < 0:
                break
        quote = text.find('"', at, comma)
        if quote < 0:
            elements.append(text[start:comma])
            start = at = comma + 1
            continue
        at = _closing_quote(text, quote + 1) + 1
        if at == 0:
            break
    elements.append(text[start:])
    return elements


def _closing_quote(text: str, start: int) -> int:
    """Returns where the quote that ends a quoted string stands, or -1."""
    at = start
    while True:
        quote = text.find('"', at)
        if quote < 0:
            return -1
        slashes = quote
        while slashes > at and text[slashes - 1] == "\\":
            slashes -= 1
        if (quote - slashes) % 2 == 0:
            return quote
        at = quote + 1


def _unquote(text: str) -> str:
    if "\\" not in text:
        return text
    # Whole pairs first: the second half of `\\\\` must not begin another pair.
    return "\\".join(part.replace('\\"', '"') for part in text.split("\\\\"))


def parse_parameters(line: str) -> tuple[str, dict[str, str]]:
    """Returns the value before the first `;` and a dict of the parameters after it, by lower-case name.

    Encoded parameters are decoded, numbered pieces put together; `name*` goes before `name`. Otherwise the
    last of several with one name counts.

    >>> parse_parameters('form-data; name="a;b"; filename*=UTF-8\\'\\'%C3%A1')
    ('form-data', {'name': 'a;b', 'filename': 'á'})
    """
    key, semicolon, _ = line.partition(";")
    if not semicolon:
        return key.strip(HTTP_WHITESPACE), {}
    return key.strip(HTTP_WHITESPACE), decode_parameters(iter_parameters(line, len(key) + 1))


def decode_parameters(pairs: Iterator[tuple[str, str]]) -> dict[str, str]:
    """Returns the parameters of `iter_parameters` as a dict, with RFC 2231 encodings undone."""
    plain: dict[str, str] = {}
    encoded: dict[str, str] = {}
    pieces: dict[str, dict[int, tuple[str, bool]]] = {}
    for name, value in pairs:
        if "*" not in name:
            plain[name] = value
            continue
        base, _, number = name.partition("*")
        if not number:
            encoded[base] = _decode(value)
            continue
        percent = number.endswith("*")
        digits = number[:-1] if percent else number
        if digits.isascii() and digits.isdigit() and len(digits) <= 4 and (digits == "0" or digits[0] != "0"):
            if int(digits) < PIECES:
                pieces.setdefault(base, {})[int(digits)] = (value, percent)
        else:
            plain[name] = value
    for base, numbered in pieces.items():
        if 0 in numbered:
            encoded.setdefault(base, _join(numbered))
    plain.update(encoded)
    return plain


def _join(numbered: dict[int, tuple[str, bool]]) -> str:
    charset = "utf-8"
    octets: list[bytes] = []
    number = 0
    while number in numbered:
        value, percent = numbered[number]
        if percent:
            if number == 0:
                charset, value = _charset_and_text(value)
            octets.append(percent_decode(value.encode("utf-8", "surrogatepass")))
        else:
            octets.append(value.encode("utf-8", "surrogatepass"))
        number += 1
    return _text(b"".join(octets), charset)


def _charset_and_text(value: str) -> tuple[str, str]:
    charset, first, rest = value.partition("'")
    _language, second, text = rest.partition("'")
    if not first or not second:
        return "utf-8", value
    return charset, text


def _decode(value: str) -> str:
    charset, text = _charset_and_text(value)
    return _text(percent_decode(text.encode("utf-8", "surrogatepass")), charset)


def _text(octets: bytes, charset: str) -> str:
    # RFC 8187 section 3.2.1 names UTF-8; ISO-8859-1 was required before it. Others are not looked for.
    if charset.lower() in ("iso-8859-1", "latin-1", "latin1"):
        return octets.decode("latin-1")
    return octets.decode("utf-8", "replace")


def format_parameters(key: str, parameters: Mapping[str, str | int | None]) -> str:
    """Returns `key; name=value; ...`, names in order; a value of None makes a bare name.

    The inverse of `parse_parameters` for values that are tokens, as in `Sec-WebSocket-Extensions`; others are
    quoted.
    """
    parts = [key]
    for name, value in sorted(parameters.items()):
        if value is None:
            parts.append(name)
        else:
            text = str(value)
            parts.append(f"{name}={text if _is_plain(text) else _quote(text)}")
    return "; ".join(parts)


def _is_plain(text: str) -> bool:
    return not set(text) & set(' \t",;=\\') and text != ""


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
