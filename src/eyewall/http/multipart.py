"""The multipart/form-data engine: bytes in, events out (RFC 7578, RFC 2046 section 5.1).

::

    engine = MultipartEngine(boundary, max_parts=1000, max_header_bytes=10 * 1024)
    for chunk in body:
        for event in engine.feed(chunk): ...
    for event in engine.finish(): ...

gives PartBegin, any number of PartData, PartEnd, for each part, and End. How the body is cut into chunks
changes how the content of a part is cut into PartData and nothing else.

Theory: a delimiter is CRLF, two hyphens and the boundary, then two more hyphens for the last one, then
padding and CRLF. A boundary has no CR in it, so a delimiter that has begun can only have begun at the last
CR received; everything before that is content for certain. What is held back is therefore never longer than
one delimiter with its padding, and every byte is searched once, by `bytes.find`, plus a constant number of
times for each chunk. A delimiter that something else follows than the grammar allows is content: the
boundary may be the beginning of other text.

Stricter than RFC 2046: nothing may stand before the first delimiter; lines end with CRLF and nothing else;
a part has exactly one Content-Disposition, which is form-data and has a name. No name or filename has a
control character in it, however it was encoded. What follows the last delimiter is ignored.
"""

from __future__ import annotations

import re

from eyewall.http.errors import (
    HTTPInputError,
    LocalProtocolError,
    MalformedBody,
    PartHeaderTooLarge,
    TooManyParts,
    quoted,
)
from eyewall.http.grammar import HTTP_WHITESPACE, has_control
from eyewall.http.headers import HTTPHeaders
from eyewall.http.names import normalized
from eyewall.http.parameters import decode_parameters, iter_parameters

#: RFC 2046 section 5.1.1.
BOUNDARY_BYTES = 70
#: Spaces and tabs that may follow a delimiter on its line; nobody writes any.
PADDING_BYTES = 32

#: What browsers write. It is read the same way by the parser of parameters, only not as fast.
_USUAL = re.compile('form-data; name="([^"\\\\]+)"(?:; filename="([^"\\\\]*)")?')

# States: what stands at the read position.
_FIRST = 0  # the first delimiter, without its CRLF
_HEAD = 1  # header lines of a part
_EMPTY = 2  # content of a part, or at once, without another CRLF, the delimiter after it
_CONTENT = 3
_EPILOGUE = 4
_FAILED = 5

# What `_judge` says of the bytes behind a boundary, if not where the line ends.
_NO_DELIMITER = -1
_UNDECIDED = -2


class PartBegin:
    """The header of a part was read.

    `name` and `filename` (None where there is none) are free of control characters, but not of slashes: a
    filename is what the client says, never a path. `content_type` is None where it is not given. `headers`
    are all of the part's headers.
    """

    __slots__ = ("content_type", "filename", "headers", "name")

    def __init__(self, name: str, filename: str | None, headers: HTTPHeaders) -> None:
        self.name = name
        self.filename = filename
        self.content_type: str | None = headers.get("Content-Type")
        self.headers = headers

    def __repr__(self) -> str:
        return f"PartBegin(name={self.name!r}, filename={self.filename!r})"


class PartData:
    """Some of the content of the current part; never empty."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data

    def __repr__(self) -> str:
        return f"PartData({len(self.data)} bytes)"


class PartEnd:
    """The current part is complete."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "PartEnd()"


class End:
    """The last delimiter was read; nothing that follows means anything."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "End()"


Event = PartBegin | PartData | PartEnd | End
_PART_END = PartEnd()
_END = End()


class MultipartEngine:
    """Parses one multipart/form-data body.

    `boundary` is the parameter of the Content-Type, without quotes. `max_parts` and `max_header_bytes` (of
    one part, its last empty line excluded) are limits of the Profile, `bare_start` (a body may begin without a
    boundary) is one of its leniencies. Raises MalformedBody (400) for a boundary that RFC 2046 does not allow.
    """

    def __init__(
        self, boundary: bytes, *, max_parts: int, max_header_bytes: int, bare_start: bool = False
    ) -> None:
        if not boundary or len(boundary) > BOUNDARY_BYTES:
            raise MalformedBody("Invalid multipart/form-data: boundary empty or too long")
        if boundary[-1:] == b" " or not boundary.isascii() or not boundary.decode("ascii").isprintable():
            raise MalformedBody(f"Invalid multipart/form-data: boundary {quoted(boundary)}")
        self.max_parts = max_parts
        self.max_header_bytes = max_header_bytes
        self.bare_start = bare_start
        self.parts = 0
        self._delimiter = b"\r\n--" + boundary
        self._state = _FIRST
        # Bytes that cannot be understood without those that follow.
        self._held = b""
        self._head = bytearray()
        self._closing = False
        self._in_part = False

    @property
    def ended(self) -> bool:
        """Whether the last delimiter was read."""
        return self._state == _EPILOGUE

    def feed(self, data: bytes) -> list[Event]:
        """Takes the next bytes of the body and returns what they mean.

        Raises HTTPInputError (400) where they are not multipart/form-data, or exceed a limit; what they meant
        up to there is lost, and the engine takes nothing more.
        """
        events: list[Event] = []
        try:
            self._advance(data, events)
        except HTTPInputError:
            self._state = _FAILED
            raise
        return events

    def finish(self) -> list[Event]:
        """Says that the body is over, and returns the rest of the events.

        Raises MalformedBody (400) where the last delimiter is missing.
        """
        events: list[Event] = []
        if self._state == _FAILED:
            raise LocalProtocolError("multipart engine used after an error")
        held, start = self._held, len(self._delimiter)
        if self._state in (_FIRST, _EMPTY):
            start -= 2
        closing = self._state not in (_HEAD, _EPILOGUE) and held[start : start + 2] == b"--"
        # The line of the last delimiter may end with the body.
        if closing and not held[start + 2 :].strip(b" \t"):
            self._end_part(events)
            self._close(events)
        if self._state != _EPILOGUE:
            self._state = _FAILED
            raise MalformedBody("Invalid multipart/form-data: no final boundary found")
        return events

    # -- the walk ---------------------------------------------------------------------------------------

    def _advance(self, data: bytes, events: list[Event]) -> None:
        if self._held:
            data = self._held + data
            self._held = b""
        at = 0
        while at < len(data):
            if self._state == _CONTENT:
                at = self._read_content(data, at, events)
            elif self._state == _HEAD:
                at = self._read_head(data, at, events)
            elif self._state in (_FIRST, _EMPTY):
                at = self._read_first(data, at, events)
            elif self._state == _EPILOGUE:
                return
            else:
                raise LocalProtocolError("multipart engine used after an error")

    def _read_content(self, data: bytes, at: int, events: list[Event]) -> int:
        """Hands out content up to the next delimiter; returns the position behind its line, or the end."""
        delimiter = self._delimiter
        size = len(data)
        search = at
        while True:
            found = data.find(delimiter, search)
            if found < 0:
                break
            line_end = self._judge(data, found + len(delimiter))
            if line_end == _NO_DELIMITER:
                search = found + len(delimiter)
                continue
            if found > at:
                events.append(PartData(data[at:found]))
            if line_end == _UNDECIDED:
                self._held = data[found:]
                return size
            self._end_part(events)
            self._open(events)
            return line_end
        keep = data.rfind(b"\r", max(search, size - len(delimiter) + 1))
        if keep < 0 or not delimiter.startswith(data[keep:]):
            keep = size
        if keep > at:
            events.append(PartData(data[at:keep] if at or keep < size else data))
        self._held = data[keep:]
        return size

    def _read_first(self, data: bytes, at: int, events: list[Event]) -> int:
        """Reads a delimiter whose CRLF is behind us: at the very beginning, or after a part's header."""
        size = len(data)
        delimiter = self._delimiter
        boundary_end = at + len(delimiter) - 2
        line_end = _NO_DELIMITER
        if delimiter.startswith(data[at:boundary_end], 2):
            line_end = self._judge(data, boundary_end) if boundary_end <= size else _UNDECIDED
        if line_end == _UNDECIDED:
            self._held = data[at:]
            return size
        if line_end == _NO_DELIMITER:
            if self._state == _FIRST:
                if not self.bare_start:
                    raise MalformedBody("Invalid multipart/form-data: no boundary at the beginning")
                self._closing = False
                self._open(events)
                return at
            self._state = _CONTENT
            return at
        if self._state == _EMPTY:
            self._end_part(events)
        self._open(events)
        return line_end

    def _judge(self, data: bytes, at: int) -> int:
        """Decides whether the boundary that ends at `at` ends a delimiter.

        Returns where its line ends and notes whether it is the last one; or _NO_DELIMITER, or _UNDECIDED.
        """
        size = len(data)
        # No further than a delimiter can reach: a false one must not cost a look at everything behind it.
        limit = at + 3 + PADDING_BYTES
        end = data.find(b"\r", at, limit)
        line = data[at : limit if end < 0 else end]
        closing = line[:2] == b"--"
        if line[2 if closing else 0 :].strip(b" \t"):
            # One hyphen may be followed by another.
            return _UNDECIDED if line == b"-" and end < 0 else _NO_DELIMITER
        if end < 0:
            return _UNDECIDED if len(line) <= 2 + PADDING_BYTES else _NO_DELIMITER
        if end + 1 >= size:
            return _UNDECIDED
        if data[end + 1] != 10:
            return _NO_DELIMITER
        self._closing = closing
        return end + 2

    def _open(self, events: list[Event]) -> None:
        """Goes on to what follows a delimiter."""
        if self._closing:
            self._close(events)
            return
        if self.parts >= self.max_parts:
            raise TooManyParts(self.max_parts)
        self.parts += 1
        self._state = _HEAD

    def _close(self, events: list[Event]) -> None:
        events.append(_END)
        self._state = _EPILOGUE
        self._held = b""

    def _end_part(self, events: list[Event]) -> None:
        if self._in_part:
            self._in_part = False
            events.append(_PART_END)

    # -- the header of a part ---------------------------------------------------------------------------

    def _read_head(self, data: bytes, at: int, events: list[Event]) -> int:
        """Collects the header up to its empty line; returns the position behind that, or the end."""
        head = self._head
        if not head:
            if data.startswith(b"\r\n", at):
                raise MalformedBody("multipart/form-data missing headers")
            end = data.find(b"\r\n\r\n", at, at + self.max_header_bytes + 4)
            if end > at:
                self._begin(data[at : end + 2], events)
                return end + 4
        before = len(head)
        room = self.max_header_bytes + 4 - before
        head += data[at : at + room]
        if head[:2] == b"\r\n":
            raise MalformedBody("multipart/form-data missing headers")
        end = head.find(b"\r\n\r\n", max(before - 3, 0))
        if end < 0:
            if len(head) >= self.max_header_bytes + 4:
                raise PartHeaderTooLarge(self.max_header_bytes)
            return len(data)
        self._head = bytearray()
        self._begin(bytes(head[: end + 2]), events)
        return at + end + 4 - before

    def _begin(self, head: bytes, events: list[Event]) -> None:
        events.append(_part(head))
        self._in_part = True
        self._state = _EMPTY


def _part(head: bytes) -> PartBegin:
    """Returns what the header lines of a part say. Raises HTTPInputError."""
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError:
        raise MalformedBody("multipart/form-data header is not UTF-8") from None
    fields: list[tuple[str, str]] = []
    disposition: str | None = None
    for line in text[:-2].split("\r\n"):
        name, colon, value = line.partition(":")
        if not colon:
            raise MalformedBody("no colon in multipart/form-data header")
        # A folded line has a name that begins with white space, a bare LF is a control character.
        spelling = normalized(name)
        value = value.strip(HTTP_WHITESPACE)
        if has_control(value):
            raise MalformedBody(f"Invalid header value {quoted(value)}")
        if spelling == "Content-Disposition":
            if disposition is not None:
                raise MalformedBody("Invalid multipart/form-data: two Content-Disposition")
            disposition = value
        fields.append((spelling, value))
    if disposition is None:
        raise MalformedBody("Invalid multipart/form-data: no Content-Disposition")
    name, filename = _disposition(disposition)
    return PartBegin(name, filename, HTTPHeaders.from_fields(fields))


def _disposition(value: str) -> tuple[str, str | None]:
    """Returns the name and filename of a Content-Disposition. Raises HTTPInputError."""
    usual = _USUAL.fullmatch(value)
    if usual is not None:
        return usual[1], usual[2]
    kind, _, _ = value.partition(";")
    if kind.strip(HTTP_WHITESPACE).lower() != "form-data":
        raise MalformedBody(f"Invalid multipart/form-data: Content-Disposition {quoted(kind)}")
    pairs = list(iter_parameters(value, len(kind) + 1, strict=True))
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise MalformedBody("multipart/form-data part has a parameter twice")
    parameters = decode_parameters(iter(pairs))
    name = parameters.get("name")
    if not name:
        raise MalformedBody("multipart/form-data missing name")
    filename = parameters.get("filename")
    for text in (name, filename):
        if text is not None and has_control(text):
            raise MalformedBody(f"Invalid header value {quoted(text)}")
    return name, filename
