"""Reading the head of an HTTP/1 message: bytes in, a `Head` out (RFC 9112 sections 2 to 6).

A line is looked at once it is complete, and never again: bytes that come in a trickle cost no more than others, and
what is made of them does not depend on how they were split. The scanning loops below run without bounds, because
they only ever see bytes whose last one is a line feed, which no class of octets includes.

Errors are raised for the first thing that is wrong, in the order of the bytes, and a limit counts as exceeded at the
byte that exceeds it.
"""

from __future__ import annotations

from eyewall.http.errors import (
    ContentLengthTooLarge,
    HeadTooLarge,
    RemoteProtocolError,
    TargetTooLong,
    TooManyHeaders,
    TrailerTooLarge,
    UnsupportedTransferCoding,
    quoted,
)
from eyewall.http.grammar import TOKEN_OCTETS, VALUE_OCTETS, is_token
from eyewall.http.h1.head import Head, parse_block, same
from eyewall.http.h1.limits import LONGEST_METHOD, Limits
from eyewall.http.h1.targets import is_authority, parse_target

_TOKEN = TOKEN_OCTETS
_VALUE = VALUE_OCTETS
_LONGEST_METHOD = LONGEST_METHOD

_EOL_UNKNOWN = 0
_EOL_CRLF = 1
_EOL_LF = 2

_METHODS = {
    name.encode(): name
    for name in ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT")
}
_GET = "GET"
_MOST_EMPTY_LINES = 4
#: Octets that came together, up to which a head refers to all of them instead of a copy of its part.
_SMALL = 4096
#: Longer numbers overflow what they are counted in.
_LENGTH_DIGITS = 18
#: Fields that mean something before content and nothing, or something dangerous, behind it (RFC 9110 section 6.5.1):
#: framing, routing, the connection, request modifiers, authentication, the nature of the content.
_NO_TRAILERS = frozenset(
    b"authorization cache-control connection content-encoding content-length content-range content-type cookie "
    b"expect forwarded host if-match if-modified-since if-none-match if-range if-unmodified-since keep-alive "
    b"max-forwards proxy-authenticate proxy-authorization proxy-connection range set-cookie te trailer "
    b"transfer-encoding upgrade www-authenticate x-forwarded-for x-forwarded-host x-forwarded-proto "
    b"x-http-method-override x-real-ip x-scheme".split()
)


class HeadReader:
    """The buffer of a connection, and what reads heads from it: of requests, or of responses for a `client`.

    `head`: of the message being read, once its start line is. `limits`: of the profile.
    """

    __slots__ = (
        "_buffer",
        "_client",
        "_connection_seen",
        "_empty_lines",
        "_eol",
        "_field_count",
        "_head_bytes",
        "_host_seen",
        "_in_fields",
        "_line",
        "_position",
        "_searched",
        "_trailing",
        "_transfer_encoding",
        "_upgrade_seen",
        "head",
        "limits",
    )

    def __init__(self, limits: Limits, client: bool) -> None:
        self.limits = limits
        self.head: Head | None = None
        self._client = client
        self._buffer = b""
        #: Where in the buffer that begins which was not consumed; the line being read; what has no line feed.
        self._position = 0
        self._line = 0
        self._searched = 0
        self._begin_head()

    def _begin_head(self) -> None:
        self._in_fields = False
        self._trailing = False
        self._eol = _EOL_UNKNOWN
        self._empty_lines = 0
        self._field_count = 0
        self._head_bytes = 0
        self._host_seen = False
        self._connection_seen = False
        self._upgrade_seen = False
        self._transfer_encoding = False

    def feed(self, data: bytes) -> None:
        """Takes the next bytes from the peer."""
        position = self._position
        if position >= len(self._buffer):
            self._buffer = data
        else:
            self._buffer = (self._buffer if position == 0 else self._buffer[position:]) + data
        if position:
            self._line = self._line - position if self._line > position else 0
            self._searched = self._searched - position if self._searched > position else 0
            self._position = 0

    def _head(self) -> Head:
        """Returns the head of the message being read, which is there."""
        head = self.head
        assert head is not None
        return head

    # -- lines ------------------------------------------------------------------------------------------

    def _complete(self, data: bytes, end: int) -> int:
        """Returns where the last complete line before `end` ends, 0 where the line being read is not complete."""
        floor = self._searched if self._searched > self._line else self._line
        position = end
        while position > floor and data[position - 1] != 10:
            position -= 1
        if position <= floor:
            self._searched = end
            return 0
        return position

    def _end_line(self, eol: int) -> None:
        """Notes how a line ends. A head that mixes line ends means different things to different readers."""
        if eol == _EOL_LF and not self.limits.bare_lf:
            raise RemoteProtocolError(400, "bare LF ends a line")
        if self._eol != _EOL_UNKNOWN and self._eol != eol:
            raise RemoteProtocolError(400, "some lines end in LF and others in CRLF")
        self._eol = eol

    def _read_head(self) -> bool:
        """Reads on; tells whether `head` is complete."""
        data = self._buffer
        end = len(data)
        if not self._in_fields:
            if self._position >= end:
                return False
            if not self._client and (data[self._position] == 13 or data[self._position] == 10):
                self._skip_empty_lines(data, end)
                if self._position >= end or data[self._position] == 13:
                    return False
            self._line = self._position
        room = self._position + self.limits.head_bytes - self._head_bytes
        full = end >= room
        if full:
            end = room
        complete = self._complete(data, end)
        if not self._in_fields:
            start = self._position
            if not complete:
                self._check_partial_line(data, start, end)
                return False
            head = Head()
            self.head = head
            if self._client:
                position = self._parse_status_line(head, data, start)
            else:
                position = self._parse_request_line(head, data, start)
            self._head_bytes = position - start
            self._position = position
            self._line = position
            self._in_fields = True
        if complete:
            position = self._parse_fields(data, complete)
            if position >= 0:
                head = self._head()
                if len(data) <= _SMALL:
                    # Nearly every request comes alone: cutting its fields out would only copy them.
                    head.block = data
                    head.start = self._position
                    head.end = position
                else:
                    head.block = data[self._position : position]
                    head.end = position - self._position
                self._position = self._line
                self._in_fields = False
                return True
        if full:
            raise HeadTooLarge(self.limits.head_bytes)
        return False

    def _skip_empty_lines(self, data: bytes, end: int) -> None:
        """Consumes what RFC 9112 section 2.2 asks to ignore before a request line, within reason."""
        position = self._position
        while position < end:
            if data[position] == 13:
                if position + 1 >= end:
                    break
                if data[position + 1] != 10:
                    raise RemoteProtocolError(400, "bare CR before the request line")
                self._end_line(_EOL_CRLF)
                position += 2
            elif data[position] == 10:
                self._end_line(_EOL_LF)
                position += 1
            else:
                break
            self._empty_lines += 1
            if self._empty_lines > _MOST_EMPTY_LINES:
                raise RemoteProtocolError(400, "too many empty lines before the request line")
        self._position = position

    # -- the start line ---------------------------------------------------------------------------------

    def _check_partial_line(self, data: bytes, start: int, end: int) -> None:
        """Refuses a start line that can't become a good one: what isn't HTTP often has no line end at all."""
        if not self._client:
            if not _TOKEN[data[start]]:
                raise RemoteProtocolError(400, "Malformed HTTP request line")
        elif data[start] != 72:
            raise RemoteProtocolError(400, "malformed status line")
        if end - start >= self.limits.line_bytes:
            raise self.limits.line_too_long()

    def _parse_request_line(self, head: Head, data: bytes, start: int) -> int:
        """Takes the request line apart; returns where the next line begins."""
        position = start
        while _TOKEN[data[position]]:
            position += 1
        size = position - start
        if size == 0 or size > _LONGEST_METHOD or data[position] != 32:
            raise self._bad_request_line(data, start)
        if size == 3 and data[start] == 71 and data[start + 1] == 69 and data[start + 2] == 84:
            head.method = _GET
        else:
            raw_method = data[start:position]
            method = _METHODS.get(raw_method)
            head.method = method if method is not None else raw_method.decode("ascii")
        position += 1
        target = position
        mark = -1
        table = self.limits.target_octets
        while table[data[position]]:
            if data[position] == 63 and mark < 0:
                mark = position
            position += 1
        # Each comparison proves that there is one more octet: what matches is not the last line feed.
        if not (
            data[position] == 32
            and data[position + 1] == 72
            and data[position + 2] == 84
            and data[position + 3] == 84
            and data[position + 4] == 80
            and data[position + 5] == 47
            and data[position + 6] == 49
            and data[position + 7] == 46
            and 48 <= data[position + 8] <= 57
        ):
            raise self._bad_request_line(data, start)
        size = position - target
        # RFC 9110 section 2.5: a higher minor version is served as the highest that is known.
        head.minor = 0 if data[position + 8] == 48 else 1
        position += 9
        if data[position] == 13 and data[position + 1] == 10:
            eol = _EOL_CRLF
            position += 2
        elif data[position] == 10:
            eol = _EOL_LF
            position += 1
        else:
            raise self._bad_request_line(data, start)
        if size == 0 or size > self.limits.target_bytes or position - start > self.limits.line_bytes:
            raise self._bad_request_line(data, start)
        self._end_line(eol)
        head.target = data[target : target + size].decode("latin-1")
        if data[target] != 47 or head.method == "CONNECT":
            parse_target(head)
        elif mark < 0:
            head.path = head.target
        else:
            head.path = head.target[: mark - target]
            head.query = head.target[mark - target + 1 :]
        return position

    def _bad_request_line(self, data: bytes, start: int) -> RemoteProtocolError:
        """Returns what is wrong with a request line that is not right."""
        line = data[start : data.index(b"\n", start) + 1]
        if not _TOKEN[line[0]]:
            return RemoteProtocolError(400, "Malformed HTTP request line")
        if len(line) > self.limits.line_bytes:
            return self.limits.line_too_long()
        method, space, rest = line.rstrip(b"\r\n").partition(b" ")
        for octet in method:
            if not _TOKEN[octet]:
                return RemoteProtocolError(400, "Malformed HTTP request line: illegal octet in the method")
        if len(method) > _LONGEST_METHOD:
            return RemoteProtocolError(501, f"over-long method {quoted(method)}")
        target, second_space, version = rest.partition(b" ")
        if not space or not target:
            return RemoteProtocolError(400, "Malformed HTTP request line")
        for octet in target:
            if not self.limits.target_octets[octet]:
                return RemoteProtocolError(400, "Malformed HTTP request line: illegal octet in the target")
        if len(target) > self.limits.target_bytes:
            return TargetTooLong(self.limits.target_bytes)
        if not second_space:
            return RemoteProtocolError(400, "Malformed HTTP request line: no version")
        wellformed = (
            len(version) == 8
            and version[:5] == b"HTTP/"
            and version[5:6].isdigit()
            and version[6] == 46
            and version[7:].isdigit()
        )
        if wellformed and version[5] != 49:
            return RemoteProtocolError(505, f"Unexpected HTTP version {quoted(version)}")
        return RemoteProtocolError(400, f"Malformed HTTP request line: version {quoted(version)}")

    def _parse_status_line(self, head: Head, data: bytes, start: int) -> int:
        """Takes the status line apart; returns where the next line begins."""
        end = data.index(b"\n", start)
        line = data[start:end]
        if line[:1] != b"H":
            raise RemoteProtocolError(400, "malformed status line")
        if end + 1 - start > self.limits.line_bytes:
            raise self.limits.line_too_long()
        if line.endswith(b"\r"):
            line = line[:-1]
            self._end_line(_EOL_CRLF)
        else:
            self._end_line(_EOL_LF)
        if (
            len(line) < 12
            or line[:7] != b"HTTP/1."
            or not line[7:8].isdigit()
            or line[8] != 32
            or not line[9:12].isdigit()
            or line[9] == 48
            or (len(line) > 12 and line[12] != 32)
        ):
            raise RemoteProtocolError(400, f"malformed status line {quoted(line)}")
        reason = line[13:]
        for octet in reason:
            if not _VALUE[octet]:
                raise RemoteProtocolError(400, "illegal octet in the reason phrase")
        head.minor = 0 if line[7] == 48 else 1
        head.status = int(line[9:12])
        head.reason = reason.decode("latin-1")
        return end + 1

    # -- fields -----------------------------------------------------------------------------------------

    def _parse_fields(self, data: bytes, end: int) -> int:
        """Reads lines up to `end`, where one ends; returns where the empty line begins, -1 where it has not come."""
        head = self._head()
        position = self._line
        names = head.names
        while position < end:
            start = position
            while _TOKEN[data[position]]:
                position += 1
            if data[position] != 58 or position == start:
                if position == start and (data[position] == 13 or data[position] == 10):
                    if data[position] == 10:
                        self._end_line(_EOL_LF)
                        self._line = start + 1
                    elif data[position + 1] == 10:
                        self._end_line(_EOL_CRLF)
                        self._line = start + 2
                    else:
                        raise RemoteProtocolError(400, "bare CR in the head")
                    if not self._trailing:
                        head.names = names
                    return start
                raise self._bad_field_name(data[position], position == start)
            length = position - start
            position += 1
            while data[position] == 32 or data[position] == 9:
                position += 1
            value_start = position
            while _VALUE[data[position]]:
                position += 1
            value_end = position
            if data[position] == 13:
                position += 1
                if data[position] != 10:
                    raise RemoteProtocolError(400, "bare CR in a field")
                if self._eol != _EOL_CRLF:
                    self._end_line(_EOL_CRLF)
            elif data[position] == 10:
                if self._eol != _EOL_LF:
                    self._end_line(_EOL_LF)
            else:
                raise RemoteProtocolError(400, "control octet in a field value")
            position += 1
            self._field_count += 1
            if self._field_count > self.limits.head_fields:
                raise TooManyHeaders(self.limits.head_fields)
            if self._trailing:
                self._check_trailer(data[start : start + length].lower())
                continue
            octet = data[start]
            if 65 <= octet <= 90:
                octet += 32
            one = 1
            names |= one << ((length + octet * 7) & 63)
            # Host, Connection, Content-Length, Transfer-Encoding, Upgrade, Expect: few others look like them.
            if (
                (octet == 99 and (length == 10 or length == 14))
                or (octet == 104 and length == 4)
                or (octet == 116 and length == 17)
                or (octet == 117 and length == 7)
                or (octet == 101 and length == 6)
            ):
                while value_end > value_start and (data[value_end - 1] == 32 or data[value_end - 1] == 9):
                    value_end -= 1
                self._note_field(head, data, start, length, value_start, value_end)
        head.names = names
        self._line = position
        return -1

    def _bad_field_name(self, octet: int, at_start: bool) -> RemoteProtocolError:
        if octet == 32 or octet == 9:
            if at_start:
                return RemoteProtocolError(400, "obsolete line folding")
            return RemoteProtocolError(400, "white space before the colon of a field")
        if octet == 13 or octet == 10:
            return RemoteProtocolError(400, "no colon in header line")
        return RemoteProtocolError(400, "illegal octet in a field name")

    def _note_field(
        self, head: Head, data: bytes, start: int, length: int, value_start: int, value_end: int
    ) -> None:
        """Notes the fields that framing and routing depend on."""
        if length == 4:
            if not self._client and same(data, start, b"host"):
                self._note_host(head, data, value_start, value_end)
        elif length == 10:
            if same(data, start, b"connection"):
                if value_end - value_start == 10 and same(data, value_start, b"keep-alive"):
                    self._note_option(head, b"keep-alive")
                else:
                    self._note_connection(head, data[value_start:value_end])
        elif length == 14:
            if same(data, start, b"content-length"):
                self._note_content_length(head, data[value_start:value_end])
        elif length == 17:
            if same(data, start, b"transfer-encoding"):
                self._note_transfer_encoding(data[value_start:value_end])
        elif length == 7:
            if same(data, start, b"upgrade"):
                self._upgrade_seen = True
        elif not self._client and same(data, start, b"expect"):
            if data[value_start:value_end].lower() != b"100-continue":
                raise RemoteProtocolError(417, "unknown expectation")
            head.expect_continue = True

    def _note_host(self, head: Head, data: bytes, start: int, end: int) -> None:
        if self._host_seen:
            raise RemoteProtocolError(400, "more than one Host field")
        self._host_seen = True
        if start != end and not is_authority(data, start, end):
            raise RemoteProtocolError(400, f"Invalid Host header {quoted(data[start:end])}")
        head.host = data[start:end].decode("latin-1")

    def _note_connection(self, head: Head, value: bytes) -> None:
        for option in value.lower().split(b","):
            self._note_option(head, option.strip(b" \t"))

    def _note_option(self, head: Head, option: bytes) -> None:
        if option == b"close":
            head.keep_alive = False
            self._connection_seen = True
        elif option == b"keep-alive":
            # Whoever says both wants it closed.
            if not self._connection_seen:
                head.keep_alive = True
                self._connection_seen = True
        elif option == b"upgrade":
            head.upgrade = True

    def _note_content_length(self, head: Head, value: bytes) -> None:
        if self.limits.repeated_content_length:
            # Only white space of HTTP's may stand around the commas.
            values = [item.strip(b" \t") for item in value.split(b",")]
            value = values[0]
            if any(other != value for other in values):
                raise RemoteProtocolError(400, "Multiple unequal Content-Lengths")
        elif head.content_length >= 0:
            raise RemoteProtocolError(400, "more than one Content-Length")
        if not value.isdigit():
            raise RemoteProtocolError(400, f"Only integer Content-Length is allowed: {quoted(value)}")
        if len(value) > _LENGTH_DIGITS:
            raise ContentLengthTooLarge(self.limits.body_bytes)
        length = int(value)
        if head.content_length >= 0 and head.content_length != length:
            raise RemoteProtocolError(400, "Multiple unequal Content-Lengths")
        head.content_length = length

    def _note_transfer_encoding(self, value: bytes) -> None:
        shown = quoted(value.decode("latin-1")).strip("'")
        if self._transfer_encoding:
            raise RemoteProtocolError(400, f"Unsupported Transfer-Encoding chunked,{shown}")
        self._transfer_encoding = True
        if value.lower() == b"chunked":
            return
        codings = [coding.strip(b" \t") for coding in value.lower().split(b",")]
        wrong = b"chunked" in codings[:-1]
        for coding in codings:
            name = coding.partition(b";")[0].rstrip(b" \t")
            if not is_token(name.decode("latin-1")) or (name == b"chunked" and coding != name):
                wrong = True
        if wrong:
            raise RemoteProtocolError(400, f"Unsupported Transfer-Encoding {shown}")
        raise UnsupportedTransferCoding(f"Unsupported Transfer-Encoding {shown}")

    def _check_trailer(self, name: bytes) -> None:
        if name in _NO_TRAILERS:
            raise RemoteProtocolError(400, f"a field that can't come behind the content: {quoted(name)}")

    def _read_trailers(self) -> bool:
        """Consumes the trailer section (RFC 9112 section 7.1.2); False where it has not come whole."""
        data = self._buffer
        end = len(data)
        if not self._trailing:
            self._trailing = True
            self._line = self._position
            self._field_count = 0
            # Whatever the head's lines end in: those of chunks end in CRLF.
            self._eol = _EOL_CRLF
        room = self._position + self.limits.trailer_bytes
        full = end >= room
        if full:
            end = room
        complete = self._complete(data, end)
        if complete:
            position = self._parse_fields(data, complete)
            if position >= 0:
                if position > self._position:
                    self._head().trailers = parse_block(data, self._position, position)
                self._position = self._line
                return True
        if full:
            raise TrailerTooLarge(self.limits.trailer_bytes)
        return False
