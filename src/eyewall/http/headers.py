"""`HTTPHeaders`: the fields of a message head, in order, under names that ignore case.

Nothing that could end a field early or start another gets in: every way in but `from_fields`, whose caller
has checked already, refuses names that are not tokens and values with control characters. What is stored
can therefore be written as it is.

One value of a name is kept as a str, several as a list, so that the usual field costs one dict entry, and a
thousand repetitions of one name take linear time.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, MutableMapping, Sequence
from typing import Self, TypeVar, overload

from eyewall.http.errors import HTTPInputError, quoted
from eyewall.http.grammar import CONTROL, FIELD_VALUE, HTTP_WHITESPACE, has_control
from eyewall.http.names import lookup, normalized, spellings

T = TypeVar("T")


class InvalidHeader(HTTPInputError, ValueError):
    """A header name or value that cannot be written."""


class HTTPHeaders(MutableMapping[str, str]):
    """A mutable mapping of header names to values; a repeated field's values are joined by a comma.

    `get_list` gives the values of one name apart (`Set-Cookie` must be read that way), `get_all` every
    (name, value) pair. Names are normalised to `Http-Header-Case`; their order is that of first arrival.

    Takes what `dict` takes: a mapping, an iterable of pairs, keyword arguments. Values are str of characters
    up to U+00FF, each standing for a byte; others are written as UTF-8. bytes and int are converted.
    """

    def __init__(self, *args: object, **kwargs: object) -> None:
        self._fields: dict[str, str | list[str]] = {}
        if args or kwargs:
            if len(args) == 1 and not kwargs and isinstance(args[0], HTTPHeaders):
                for name, value in args[0].get_all():
                    self.add(name, value, _chars_are_bytes=False)
            else:
                self.update(*args, **kwargs)  # type: ignore[call-overload]

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        # `get` below goes around `__getitem__`; where a subclass changes that, `get` must follow it.
        if "__getitem__" in cls.__dict__ and "get" not in cls.__dict__:
            cls.get = MutableMapping.get  # type: ignore[method-assign]

    @classmethod
    def from_fields(cls, fields: Sequence[tuple[str, str]]) -> Self:
        """Makes headers from fields that a protocol engine has validated; nothing is checked here.

        Names are spelled as `eyewall.http.names.normalized` spells them; values have no control characters
        and no surrounding white space.
        """
        self = cls.__new__(cls)
        stored: dict[str, str | list[str]] = dict(fields)
        if len(stored) != len(fields):
            stored = {}
            for name, value in fields:
                _append(stored, name, value)
        self._fields = stored
        return self

    # -- adding -----------------------------------------------------------------------------------------

    def add(self, name: str, value: str, *, _chars_are_bytes: bool = True) -> None:
        """Adds a value to those that `name` has.

        Raises HTTPInputError where the name is not a token, or the value has control characters, surrounding
        white space, or characters beyond U+00FF.
        """
        name = normalized(name)
        value = _as_text(value)
        if _chars_are_bytes:
            valid = FIELD_VALUE.fullmatch(value) is not None
        else:
            valid = not has_control(value) and value.strip(HTTP_WHITESPACE) == value
        if not valid:
            raise InvalidHeader(f"Invalid header value {quoted(value)}")
        _append(self._fields, name, value)

    def __setitem__(self, name: str, value: str) -> None:
        # Raises HTTPInputError (InvalidHeader, which is also a ValueError) for what cannot be written. A list
        # or tuple is taken as the values of a repeated field; an empty one removes it.
        name = spellings.get(name) or normalized(name)
        if type(value) is str and value.isprintable():
            self._fields[name] = value
            return
        given: object = value
        if isinstance(given, list | tuple):
            values = [_checked(item) for item in given]
            if values:
                self._fields[name] = values
            else:
                self._fields.pop(name, None)
        else:
            self._fields[name] = _checked(given)

    def parse_line(self, line: str, *, _chars_are_bytes: bool = True) -> None:
        """Adds the field of one header line, with or without its line end. An empty line changes nothing.

        Raises HTTPInputError for a folded line (RFC 9112 section 5.2), a line without a colon, a name that is
        not a token, or a value that `add` refuses.
        """
        if line.endswith("\n"):
            line = line[:-2] if line.endswith("\r\n") else line[:-1]
        if not line:
            return
        if line[0] in HTTP_WHITESPACE:
            raise HTTPInputError("header line cannot start with whitespace, folding not supported")
        name, colon, value = line.partition(":")
        if not colon:
            raise HTTPInputError("no colon in header line")
        self.add(name, value.strip(HTTP_WHITESPACE), _chars_are_bytes=_chars_are_bytes)

    @classmethod
    def parse(cls, headers: str, *, _chars_are_bytes: bool = True) -> Self:
        """Makes headers from their text: lines that end with CRLF or LF. Raises what `parse_line` raises.

        >>> h = HTTPHeaders.parse("Content-Type: text/html\\r\\nContent-Length: 42\\r\\n")
        >>> sorted(h.items())
        [('Content-Length', '42'), ('Content-Type', 'text/html')]
        """
        self = cls()
        # The LFs are kept: a CR belongs to a line end only where an LF follows.
        start = 0
        while start < len(headers):
            end = headers.find("\n", start) + 1 or len(headers)
            self.parse_line(headers[start:end], _chars_are_bytes=_chars_are_bytes)
            start = end
        return self

    # -- reading ----------------------------------------------------------------------------------------

    def __getitem__(self, name: str) -> str:
        # Most callers write the normalised name, which needs no look-up of its spelling.
        value = self._fields.get(name)
        if value is None:
            spelling = lookup(name)
            if spelling is None:
                raise KeyError(name)
            value = self._fields[spelling]
        return value if type(value) is not list else ",".join(value)  # type: ignore[return-value]

    @overload
    def get(self, name: str, /) -> str | None: ...
    @overload
    def get(self, name: str, default: str, /) -> str: ...
    @overload
    def get(self, name: str, default: T, /) -> str | T: ...
    def get(self, name: str, default: object = None) -> object:
        """Returns the value of `name`, those of a repeated field joined by commas, or `default`."""
        value = self._fields.get(name)
        if value is None:
            value = self._fields.get(lookup(name) or "")
            if value is None:
                return default
        return value if type(value) is not list else ",".join(value)

    def get_list(self, name: str) -> list[str]:
        """Returns the values of `name`, each as it was added; an empty list where there is none."""
        value = self._fields.get(lookup(name) or "")
        if value is None:
            return []
        return list(value) if type(value) is list else [value]  # type: ignore[list-item]

    def get_all(self) -> Generator[tuple[str, str], None, None]:
        """Yields every (name, value) pair; a repeated name with each of its values."""
        for name, value in self._fields.items():
            if type(value) is list:
                for item in value:
                    yield name, item
            else:
                yield name, value  # type: ignore[misc]

    def __contains__(self, name: object) -> bool:
        return name in self._fields or lookup(name) in self._fields

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __delitem__(self, name: str) -> None:
        spelling = lookup(name)
        if spelling is None:
            raise KeyError(name)
        del self._fields[spelling]

    # -- copying and writing ----------------------------------------------------------------------------

    def copy(self) -> Self:
        """Returns an independent copy, of the same class and with the same attributes."""
        twin = type(self).__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin._fields = {
            name: list(value) if type(value) is list else value for name, value in self._fields.items()
        }
        return twin

    __copy__ = copy

    def __str__(self) -> str:
        return "".join([f"{name}: {value}\n" for name, value in self.get_all()])

    __unicode__ = __str__

    def encode(self) -> bytes:
        """Returns the fields as they stand in a message: `Name: value CRLF` each, without the empty line.

        A value is written as Latin-1, or where that cannot express it as UTF-8. Raises InvalidHeader where a
        subclass has let something in that would end a field.
        """
        lines: list[str] = []
        for name, value in self._fields.items():
            if isinstance(value, list):
                lines += [f"{name}: {item}\r\n" for item in value]
            else:
                lines.append(f"{name}: {value}\r\n")
        text = "".join(lines)
        if type(self) is not HTTPHeaders:
            for line in lines:
                if CONTROL.search(line, 0, len(line) - 2) is not None:
                    raise InvalidHeader(f"Invalid header line {quoted(line)}")
        try:
            return text.encode("latin-1")
        except UnicodeEncodeError:
            return b"".join([_encoded(line) for line in lines])


def _append(fields: dict[str, str | list[str]], name: str, value: str) -> None:
    present = fields.get(name)
    if present is None:
        fields[name] = value
    elif isinstance(present, list):
        present.append(value)
    else:
        fields[name] = [present, value]


def _as_text(value: object) -> str:
    """Returns a header value as str. Raises TypeError for what is neither text nor an int."""
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise TypeError(f"a header value must be str, bytes or int, not {type(value).__name__}")


def _checked(value: object) -> str:
    """Returns a value as it may be stored. Raises TypeError or InvalidHeader."""
    text = _as_text(value)
    if has_control(text):
        raise InvalidHeader(f"Invalid header value {quoted(text)}")
    return text


def _encoded(line: str) -> bytes:
    try:
        return line.encode("latin-1")
    except UnicodeEncodeError:
        return line.encode("utf-8")
