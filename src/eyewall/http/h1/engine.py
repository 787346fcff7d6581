"""The receiving half of HTTP/1: bytes in, events out (RFC 9112).

    engine.feed(data)
    while (event := engine.next_event()) != NEED_DATA: ...

`HEAD`: `engine.head` is complete. `DATA`: `engine.data` is content. `END`: the message is over; nothing more comes
until `start_next`, so that the next pipelined message waits as bytes. `RemoteProtocolError` from `next_event`: the
peer broke the rules, it says how and with which status to answer; the engine takes nothing from then on.

States, and what takes the engine from one to the next:

    START --start line--> FIELDS --empty line--> LENGTH --all of it--------------------------> FINISHED --> DONE
                                             |-> CHUNK_SIZE <--> CHUNK_DATA -> TRAILERS ---/            |
                                             |-> UNTIL_CLOSE --end of file (client only) --/      start_next
                                             |-> PASSED (client: 101, or 2xx to CONNECT)            |
                                             '-> FINISHED (no content)                             START

A line is looked at once it is complete; a partial line is looked at again only when more bytes with a line end have
come, so trickled bytes cost no more than others. Framing is decided in one place, `_frame`, and never twice: what
RFC 9112 section 6.3 lets a recipient guess is refused.
"""

from __future__ import annotations

from eyewall.guard.profile import Profile
from eyewall.http.errors import (
    BodyTooLarge,
    ChunkExtensionsTooLarge,
    HeadTooLarge,
    RemoteProtocolError,
    TargetTooLong,
    TooManyHeaders,
    TooManyInformational,
    TrailerTooLarge,
)
from eyewall.http.h1 import grammar
from eyewall.http.h1.head import Head, parse_block

NEED_DATA = 0
HEAD = 1
DATA = 2
END = 3

_START = 0
_FIELDS = 1
_LENGTH = 2
_CHUNK_SIZE = 3
_CHUNK_DATA = 4
_TRAILERS = 5
_UNTIL_CLOSE = 6
_FINISHED = 7
_DONE = 8
_PASSED = 9
_FAILED = 10

_EOL_UNKNOWN = 0
_EOL_CRLF = 1
_EOL_LF = 2

_TOKEN = grammar.TOKEN
_VALUE = grammar.VALUE
_HOST = grammar.HOST
_HEX = grammar.HEX

_METHODS = {
    name.encode(): name for name in ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT")
}
_LONGEST_METHOD = 32
_MOST_EMPTY_LINES = 4
_CHUNK_SIZE_DIGITS = 15


def _same(data: bytes, start: int, end: int, lower: bytes) -> bool:
    """Tells whether `data[start:end]` is `lower`, whatever its case; they have the same length."""
    at = start
    for octet in lower:
        other = data[at]
        if 65 <= other <= 90:
            other += 32
        if other != octet:
            return False
        at += 1
    return at == end


class H1Engine:
    """Takes the bytes of one connection in one direction and says what they mean.

    `profile`: limits and leniencies. `client`: read responses instead of requests. `body_limit` bounds the content
    of the current message and may be changed between its HEAD and its content; `start_next` sets it back.
    """

    __slots__ = (
        "_body_received",
        "_buffer",
        "_client",
        "_connection_seen",
        "_empty_lines",
        "_eol",
        "_extension_bytes",
        "_field_count",
        "_head_bytes",
        "_host_seen",
        "_informational",
        "_lenient_target",
        "_line",
        "_position",
        "_remaining",
        "_requested",
        "_state",
        "_target_table",
        "_transfer_encoding",
        "_upgrade_seen",
        "body_limit",
        "data",
        "head",
        "profile",
    )

    def __init__(self, profile: Profile, client: bool = False) -> None:
        self.profile = profile
        self._client = client
        self._target_table = grammar.LENIENT_TARGET if profile.lenient_target else grammar.TARGET
        self._buffer = b""
        self._position = 0
        self._line = 0
        self._informational = 0
        self._requested = "GET"
        self.data = b""
        self.head: Head | None = None
        self._begin()

    def _begin(self) -> None:
        self._state = _START
        self._eol = _EOL_UNKNOWN
        self._empty_lines = 0
        self._field_count = 0
        self._head_bytes = 0
        self._remaining = 0
        self._body_received = 0
        self._extension_bytes = 0
        self._host_seen = False
        self._connection_seen = False
        self._upgrade_seen = False
        self._transfer_encoding = 0
        self.body_limit = self.profile.body_bytes

    # -- what the driver asks ---------------------------------------------------------------------------

    @property
    def buffered(self) -> int:
        """Number of bytes fed and not yet consumed."""
        return len(self._buffer) - self._position

    @property
    def idle(self) -> bool:
        """Whether the engine stands before a message of which nothing has come."""
        return self._state == _START and self._position == len(self._buffer)

    @property
    def in_head(self) -> bool:
        """Whether the engine waits for the rest of a head."""
        return self._state <= _FIELDS

    @property
    def in_body(self) -> bool:
        """Whether the engine waits for content."""
        return _LENGTH <= self._state <= _UNTIL_CLOSE

    @property
    def body_received(self) -> int:
        """Content bytes of the current message that have come so far."""
        return self._body_received

    def feed(self, data: bytes) -> None:
        """Takes the next bytes from the peer."""
        if self._position >= len(self._buffer):
            self._buffer = data
        else:
            self._buffer = self._buffer[self._position :] + data
        self._line -= self._position
        if self._line < 0:
            self._line = 0
        self._position = 0

    def feed_eof(self) -> int:
        """Says that the peer sends no more; returns END where that completes a message, else NEED_DATA.

        Raises RemoteProtocolError where it cuts a message off.
        """
        if self._state == _UNTIL_CLOSE:
            self._state = _DONE
            return END
        if (
            self._state in (_DONE, _PASSED, _FAILED, _FINISHED)
            or self.idle
            or (self._state == _START and not self._client and not self._buffer[self._position :].strip(b"\r\n"))
        ):
            return NEED_DATA
        self._state = _FAILED
        raise RemoteProtocolError(400, "the peer closed the connection in the middle of a message")

    def expect(self, method: str) -> None:
        """Client: says which request the next response answers (RFC 9112 section 6.3)."""
        self._requested = method

    def start_next(self) -> None:
        """Lets the next message begin. Only after END."""
        if self._state == _DONE:
            self.head = None
            self._informational = 0
            self._begin()

    def take_rest(self) -> bytes:
        """Hands out every byte that was not consumed; the engine is over. For another protocol that takes on."""
        rest = self._buffer[self._position :]
        self._buffer = b""
        self._position = 0
        self._state = _PASSED
        return rest

    def next_event(self) -> int:
        """Returns the next event. Raises RemoteProtocolError where the peer broke the rules or a limit."""
        state = self._state
        try:
            if state <= _FIELDS:
                return self._read_head()
            if state == _LENGTH:
                return self._read_length()
            if state <= _TRAILERS:
                return self._read_chunked()
            if state == _UNTIL_CLOSE:
                return self._read_until_close()
            if state == _FINISHED:
                self._state = _DONE
                return END
        except RemoteProtocolError:
            self._state = _FAILED
            raise
        return NEED_DATA

    # -- the head ---------------------------------------------------------------------------------------

    def _read_head(self) -> int:
        data = self._buffer
        end = len(data)
        if self._state == _START:
            position = self._position
            while position < end and (data[position] == 13 or data[position] == 10) and not self._client:
                # RFC 9112 section 2.2: empty lines before a request line are ignored, within reason.
                if data[position] == 13:
                    if position + 1 >= end:
                        break
                    if data[position + 1] != 10:
                        raise RemoteProtocolError(400, "bare CR before the request line")
                    position += 2
                elif self.profile.bare_lf:
                    position += 1
                else:
                    raise RemoteProtocolError(400, "bare LF before the request line")
                self._empty_lines += 1
                if self._empty_lines > _MOST_EMPTY_LINES:
                    raise RemoteProtocolError(400, "too many empty lines before the request line")
            self._position = position
            line_end = position
            while line_end < end and data[line_end] != 10:
                line_end += 1
            if line_end == end:
                self._check_partial_start(data, position, end)
                return NEED_DATA
            head = Head()
            if self._client:
                self._parse_status_line(head, data, position, line_end)
            else:
                self._parse_request_line(head, data, position, line_end)
            self.head = head
            self._head_bytes = line_end + 1 - position
            self._position = line_end + 1
            self._line = line_end + 1
            self._state = _FIELDS
        elif data.find(b"\n", self._line) < 0:
            self._check_head_size(end)
            return NEED_DATA
        return self._parse_fields(data, end)

    def _check_partial_start(self, data: bytes, position: int, end: int) -> None:
        """Refuses a start line that can't become a good one, before its end has come."""
        size = end - position
        if not size:
            return
        if size > self.profile.head_bytes:
            raise HeadTooLarge(self.profile.head_bytes)
        if self._client:
            return
        space = data.find(b" ", position)
        if space < 0:
            if size > _LONGEST_METHOD:
                raise RemoteProtocolError(400, "malformed request line")
            if not _TOKEN[data[position]]:
                raise RemoteProtocolError(400, "malformed request line")
        elif end - space - 1 > self.profile.target_bytes and data.find(b" ", space + 1) < 0:
            raise TargetTooLong(self.profile.target_bytes)

    def _check_head_size(self, end: int) -> None:
        if end - self._position + self._head_bytes > self.profile.head_bytes:
            raise HeadTooLarge(self.profile.head_bytes)

    def _line_end(self, data: bytes, start: int, line_feed: int) -> int:
        """Returns where the line's text ends, having checked that its end is of the kind this head uses."""
        if line_feed > start and data[line_feed - 1] == 13:
            if self._eol == _EOL_LF:
                raise RemoteProtocolError(400, "lines end in LF and in CRLF")
            self._eol = _EOL_CRLF
            return line_feed - 1
        if not self.profile.bare_lf:
            raise RemoteProtocolError(400, "bare LF ends a line")
        if self._eol == _EOL_CRLF:
            raise RemoteProtocolError(400, "lines end in CRLF and in LF")
        self._eol = _EOL_LF
        return line_feed

    def _parse_request_line(self, head: Head, data: bytes, start: int, line_feed: int) -> None:
        end = self._line_end(data, start, line_feed)
        table = self._target_table
        position = start
        while position < end and _TOKEN[data[position]]:
            position += 1
        if position == start or position >= end or data[position] != 32:
            raise RemoteProtocolError(400, "malformed request line")
        raw_method = data[start:position]
        method = _METHODS.get(raw_method)
        if method is None:
            if position - start > _LONGEST_METHOD:
                raise RemoteProtocolError(501, "over-long method")
            method = raw_method.decode("ascii")
        head.method = method
        position += 1
        target_start = position
        mark = -1
        while position < end and table[data[position]]:
            if data[position] == 63 and mark < 0:
                mark = position
            position += 1
        target_end = position
        if target_end - target_start > self.profile.target_bytes:
            raise TargetTooLong(self.profile.target_bytes)
        # "HTTP/1.x" follows one space, and nothing follows it.
        if target_end == target_start or end - target_end != 9 or data[target_end] != 32:
            raise self._bad_request_line(data, target_start, target_end, end)
        if not (
            data[target_end + 1] == 72
            and data[target_end + 2] == 84
            and data[target_end + 3] == 84
            and data[target_end + 4] == 80
            and data[target_end + 5] == 47
            and data[target_end + 7] == 46
            and 48 <= data[target_end + 6] <= 57
            and 48 <= data[target_end + 8] <= 57
        ):
            raise self._bad_request_line(data, target_start, target_end, end)
        if data[target_end + 6] != 49:
            raise RemoteProtocolError(505, "HTTP version not supported")
        head.minor = data[target_end + 8] - 48
        head.target = data[target_start:target_end].decode("latin-1")
        if data[target_start] == 47:
            if mark < 0:
                head.path = head.target
            else:
                head.path = head.target[: mark - target_start]
                head.query = head.target[mark - target_start + 1 :]
        else:
            self._parse_other_target(head)

    def _bad_request_line(self, data: bytes, start: int, target_end: int, end: int) -> RemoteProtocolError:
        """Returns the error for a request line of which method and target were read."""
        if target_end < end and data[target_end] != 32:
            return RemoteProtocolError(400, "illegal octet in the request target")
        if target_end == end or target_end == start:
            return RemoteProtocolError(400, "malformed request line")
        return RemoteProtocolError(400, "malformed HTTP version")

    def _parse_other_target(self, head: Head) -> None:
        """Absolute-form, authority-form and asterisk-form (RFC 9112 section 3.2)."""
        target = head.target
        if target == "*":
            if head.method != "OPTIONS":
                raise RemoteProtocolError(400, "the target * is for OPTIONS only")
            head.path = target
            return
        if head.method == "CONNECT":
            if not _is_authority(target) or ":" not in target:
                raise RemoteProtocolError(400, "malformed target of CONNECT")
            head.authority = target
            return
        scheme, separator, rest = target.partition("://")
        if not separator or scheme.lower() not in ("http", "https"):
            raise RemoteProtocolError(400, "malformed request target")
        cut = len(rest)
        for delimiter in "/?":
            found = rest.find(delimiter)
            if 0 <= found < cut:
                cut = found
        authority = rest[:cut]
        if not authority or not _is_authority(authority):
            raise RemoteProtocolError(400, "malformed authority in the request target")
        origin = rest[cut:]
        if not origin.startswith("/"):
            origin = "/" + origin
        head.authority = authority
        head.target = origin
        head.path, _, head.query = origin.partition("?")

    def _parse_status_line(self, head: Head, data: bytes, start: int, line_feed: int) -> None:
        end = self._line_end(data, start, line_feed)
        line = data[start:end]
        if (
            len(line) < 12
            or line[:7] != b"HTTP/1."
            or not 48 <= line[7] <= 57
            or line[8] != 32
            or not line[9:12].isdigit()
            or (len(line) > 12 and line[12] != 32)
        ):
            raise RemoteProtocolError(400, "malformed status line")
        reason = line[13:]
        for octet in reason:
            if not _VALUE[octet]:
                raise RemoteProtocolError(400, "illegal octet in the reason phrase")
        head.minor = line[7] - 48
        head.status = int(line[9:12])
        if head.status < 100:
            raise RemoteProtocolError(400, "malformed status line")
        head.reason = reason.decode("latin-1")

    def _parse_fields(self, data: bytes, end: int) -> int:
        head = self.head
        if head is None:
            raise RuntimeError("fields before a start line")
        position = self._line
        names = head.names
        while True:
            self._line = position
            if position >= end:
                break
            octet = data[position]
            if octet == 13 or octet == 10:
                if octet == 13:
                    if position + 1 >= end:
                        break
                    if data[position + 1] != 10:
                        raise RemoteProtocolError(400, "bare CR in the head")
                    line_feed = position + 1
                else:
                    line_feed = position
                self._line_end(data, position, line_feed)
                head.names = names
                head.block = data[self._position : position]
                self._head_bytes += line_feed + 1 - self._position
                if self._head_bytes > self.profile.head_bytes:
                    raise HeadTooLarge(self.profile.head_bytes)
                self._position = line_feed + 1
                self._line = 0
                return self._frame(head)
            start = position
            while position < end and _TOKEN[data[position]]:
                position += 1
            if position >= end:
                break
            if data[position] != 58 or position == start:
                raise self._bad_field_name(data[position], position == start)
            name_end = position
            position += 1
            while position < end and (data[position] == 32 or data[position] == 9):
                position += 1
            value_start = position
            while position < end and _VALUE[data[position]]:
                position += 1
            if position >= end:
                break
            value_end = position
            octet = data[position]
            if octet == 13:
                if position + 1 >= end:
                    break
                if data[position + 1] != 10:
                    raise RemoteProtocolError(400, "bare CR in a field")
                if self._eol != _EOL_CRLF:
                    self._line_end(data, start, position + 1)
                position += 2
            elif octet == 10:
                self._line_end(data, start, position)
                position += 1
            else:
                raise RemoteProtocolError(400, "control octet in a field value")
            self._field_count += 1
            if self._field_count > self.profile.head_fields:
                raise TooManyHeaders(self.profile.head_fields)
            while value_end > value_start and (data[value_end - 1] == 32 or data[value_end - 1] == 9):
                value_end -= 1
            octet = data[start]
            if 65 <= octet <= 90:
                octet += 32
            length = name_end - start
            one = 1
            names |= one << ((length + octet * 7) & 63)
            if length == 4 or length == 6 or length == 7 or length == 10 or length == 14 or length == 17:
                head.names = names
                self._note_field(head, data, start, length, value_start, value_end)
        head.names = names
        self._check_head_size(end)
        return NEED_DATA

    def _bad_field_name(self, octet: int, at_start: bool) -> RemoteProtocolError:
        if at_start and (octet == 32 or octet == 9):
            return RemoteProtocolError(400, "obsolete line folding")
        if octet == 32 or octet == 9:
            return RemoteProtocolError(400, "white space before the colon of a field")
        return RemoteProtocolError(400, "illegal octet in a field name")

    def _note_field(
        self, head: Head, data: bytes, start: int, length: int, value_start: int, value_end: int
    ) -> None:
        """Notes the fields that framing and routing depend on."""
        name_end = start + length
        if length == 4:
            if _same(data, start, name_end, b"host"):
                self._note_host(head, data, value_start, value_end)
        elif length == 10:
            if _same(data, start, name_end, b"connection"):
                self._note_connection(head, data[value_start:value_end])
        elif length == 14:
            if _same(data, start, name_end, b"content-length"):
                self._note_content_length(head, data, value_start, value_end)
        elif length == 17:
            if _same(data, start, name_end, b"transfer-encoding"):
                self._note_transfer_encoding(data[value_start:value_end])
        elif length == 7:
            if _same(data, start, name_end, b"upgrade"):
                self._upgrade_seen = True
        elif length == 6 and _same(data, start, name_end, b"expect"):
            if data[value_start:value_end].lower() != b"100-continue":
                raise RemoteProtocolError(417, "unknown expectation")
            head.expect_continue = True

    def _note_host(self, head: Head, data: bytes, start: int, end: int) -> None:
        if self._host_seen:
            raise RemoteProtocolError(400, "more than one Host field")
        self._host_seen = True
        position = start
        while position < end and _HOST[data[position]]:
            position += 1
        if position != end and not self._client:
            raise RemoteProtocolError(400, "malformed Host field")
        head.host = data[start:end].decode("latin-1")

    def _note_connection(self, head: Head, value: bytes) -> None:
        for part in value.lower().split(b","):
            option = part.strip(b" \t")
            if option == b"close":
                head.keep_alive = False
                self._connection_seen = True
            elif option == b"keep-alive":
                if not self._connection_seen:
                    head.keep_alive = True
                    self._connection_seen = True
            elif option == b"upgrade":
                head.upgrade = True

    def _note_content_length(self, head: Head, data: bytes, start: int, end: int) -> None:
        if head.content_length >= 0:
            value = data[start:end]
            if not (self.profile.repeated_content_length and value == b"%d" % head.content_length):
                raise RemoteProtocolError(400, "more than one Content-Length")
        size = end - start
        if size < 1 or size > 18:
            if size > 18 and data[start:end].isdigit():
                raise BodyTooLarge(self.body_limit)
            raise RemoteProtocolError(400, "malformed Content-Length")
        length = 0
        position = start
        while position < end:
            digit = data[position] - 48
            if digit < 0 or digit > 9:
                raise RemoteProtocolError(400, "malformed Content-Length")
            length = length * 10 + digit
            position += 1
        head.content_length = length

    def _note_transfer_encoding(self, value: bytes) -> None:
        if self._transfer_encoding:
            raise RemoteProtocolError(400, "more than one Transfer-Encoding")
        self._transfer_encoding = 1
        if value.lower() != b"chunked":
            codings = [coding.strip(b" \t") for coding in value.lower().split(b",")]
            if codings.count(b"chunked") > 1 or b"chunked" in codings[:-1] or b"" in codings:
                raise RemoteProtocolError(400, "malformed Transfer-Encoding")
            raise RemoteProtocolError(501, "unknown transfer coding")

    # -- framing ----------------------------------------------------------------------------------------

    def _frame(self, head: Head) -> int:
        """Decides how long the content is (RFC 9112 section 6.3): the only place that does."""
        if head.minor == 0 and not self._connection_seen:
            head.keep_alive = False
        if head.upgrade and not self._upgrade_seen:
            head.upgrade = False
        if self._transfer_encoding:
            if head.content_length >= 0:
                raise RemoteProtocolError(400, "Content-Length with Transfer-Encoding")
            if head.minor == 0:
                raise RemoteProtocolError(400, "Transfer-Encoding in an HTTP/1.0 message")
            head.chunked = True
        if self._client:
            return self._frame_response(head)
        if not self._host_seen and head.minor > 0 and not self.profile.missing_host:
            raise RemoteProtocolError(400, "no Host field")
        if head.authority and self._host_seen and head.host.lower() != head.authority.lower():
            raise RemoteProtocolError(400, "the Host field and the request target name different hosts")
        if head.minor == 0:
            # RFC 9110 section 10.1.1: an HTTP/1.0 client can't wait for 100.
            head.expect_continue = False
        if head.chunked:
            head.body = True
            self._state = _CHUNK_SIZE
        elif head.content_length > 0:
            head.body = True
            self._remaining = head.content_length
            self._state = _LENGTH
        else:
            self._state = _FINISHED
        if not head.body:
            head.expect_continue = False
        return HEAD

    def _frame_response(self, head: Head) -> int:
        status = head.status
        if status < 200 and status != 101:
            self._informational += 1
            if self._informational > self.profile.informational_responses:
                raise TooManyInformational(self.profile.informational_responses)
            # Another head follows on this one, for the same request.
            self._begin()
            return HEAD
        if status == 101 or (self._requested == "CONNECT" and 200 <= status < 300):
            self._state = _PASSED
        elif self._requested == "HEAD" or status in (204, 304):
            self._state = _FINISHED
        elif head.chunked:
            head.body = True
            self._state = _CHUNK_SIZE
        elif head.content_length >= 0:
            head.body = head.content_length > 0
            self._remaining = head.content_length
            self._state = _LENGTH if head.body else _FINISHED
        else:
            head.body = True
            head.keep_alive = False
            self._state = _UNTIL_CLOSE
        return HEAD

    # -- content ----------------------------------------------------------------------------------------

    def _count_body(self, size: int) -> None:
        self._body_received += size
        if self._body_received > self.body_limit:
            raise BodyTooLarge(self.body_limit)

    def _take(self, most: int) -> bytes:
        """Consumes at most `most` bytes of the buffer, without a copy where the whole of it is meant."""
        position = self._position
        size = len(self._buffer) - position
        if size <= most:
            data = self._buffer if position == 0 else self._buffer[position:]
            self._buffer = b""
            self._position = 0
        else:
            data = self._buffer[position : position + most]
            self._position = position + most
        return data

    def _read_length(self) -> int:
        if self._body_received + self._remaining > self.body_limit:
            raise BodyTooLarge(self.body_limit)
        if self._position >= len(self._buffer):
            return NEED_DATA
        self.data = self._take(self._remaining)
        self._remaining -= len(self.data)
        self._body_received += len(self.data)
        if self._remaining == 0:
            self._state = _FINISHED
        return DATA

    def _read_until_close(self) -> int:
        if self._position >= len(self._buffer):
            return NEED_DATA
        self.data = self._take(len(self._buffer))
        self._count_body(len(self.data))
        return DATA

    def _read_chunked(self) -> int:
        """Collects the content of all chunks that the buffer holds into one DATA, however small they are."""
        pieces = []
        while True:
            if self._state == _CHUNK_DATA:
                if self._position >= len(self._buffer):
                    break
                if self._remaining > 0:
                    piece = self._take(self._remaining)
                    self._remaining -= len(piece)
                    pieces.append(piece)
                    self._count_body(len(piece))
                    if self._remaining > 0:
                        break
                if not self._end_chunk():
                    break
                self._state = _CHUNK_SIZE
            if self._state == _CHUNK_SIZE and not self._read_chunk_size():
                break
            if self._state == _TRAILERS:
                # Content first: the trailers come after it.
                if pieces or not self._read_trailers():
                    break
                self._state = _DONE
                return END
        if not pieces:
            return NEED_DATA
        self.data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        return DATA

    def _end_chunk(self) -> bool:
        """Consumes the line end after a chunk's content; False where it has not come whole."""
        buffer = self._buffer
        left = len(buffer) - self._position
        if left < 1:
            return False
        if buffer[self._position] != 13:
            raise RemoteProtocolError(400, "no line end after a chunk")
        if left < 2:
            return False
        if buffer[self._position + 1] != 10:
            raise RemoteProtocolError(400, "no line end after a chunk")
        self._position += 2
        return True

    def _read_chunk_size(self) -> bool:
        """Consumes the line before a chunk's content (RFC 9112 section 7.1); False where it has not come whole."""
        buffer = self._buffer
        end = len(buffer)
        position = self._position
        size = 0
        digits = 0
        while position < end:
            value = _HEX[buffer[position]]
            if value == 0:
                break
            digits += 1
            if digits > _CHUNK_SIZE_DIGITS:
                raise RemoteProtocolError(400, "over-long chunk size")
            size = size * 16 + value - 1
            position += 1
        if position >= end:
            return False
        if digits == 0:
            raise RemoteProtocolError(400, "malformed chunk size")
        extension = position
        if buffer[position] != 13:
            if buffer[position] != 59 and buffer[position] != 32 and buffer[position] != 9:
                raise RemoteProtocolError(400, "malformed chunk size")
            while position < end and _VALUE[buffer[position]]:
                position += 1
            if self._extension_bytes + position - extension > self.profile.chunk_extension_bytes:
                raise ChunkExtensionsTooLarge(self.profile.chunk_extension_bytes)
            if position >= end:
                return False
            if buffer[position] != 13:
                raise RemoteProtocolError(400, "illegal octet in a chunk extension")
        if position + 1 >= end:
            return False
        if buffer[position + 1] != 10:
            raise RemoteProtocolError(400, "bare CR in a chunk extension")
        if position > extension:
            if not _is_extension(buffer[extension:position]):
                raise RemoteProtocolError(400, "malformed chunk extension")
            self._extension_bytes += position - extension
        self._position = position + 2
        if size == 0:
            self._state = _TRAILERS
        else:
            if self._body_received + size > self.body_limit:
                raise BodyTooLarge(self.body_limit)
            self._remaining = size
            self._state = _CHUNK_DATA
        return True

    def _read_trailers(self) -> bool:
        """Consumes the trailer section (RFC 9112 section 7.1.2); False where it has not come whole."""
        buffer = self._buffer
        position = self._position
        left = len(buffer) - position
        if left >= 2 and buffer[position] == 13 and buffer[position + 1] == 10:
            self._position = position + 2
            return True
        if left < 1 or (left == 1 and buffer[position] == 13):
            return False
        end = buffer.find(b"\r\n\r\n", position)
        size = (end + 4 - position) if end >= 0 else left
        if size > self.profile.trailer_bytes:
            raise TrailerTooLarge(self.profile.trailer_bytes)
        if end < 0:
            return False
        block = buffer[position : end + 2]
        _check_trailers(block, self.profile)
        if self.head is not None:
            self.head.trailers = parse_block(block)
        self._position = end + 4
        return True


def _is_authority(authority: str) -> bool:
    """Tells whether this is host[:port] (RFC 9110 section 7.2), without user information."""
    raw = authority.encode("latin-1")
    for octet in raw:
        if not _HOST[octet]:
            return False
    host, separator, port = authority.rpartition(":")
    if separator and not host.endswith("]") and "]" in port:
        return True
    return not separator or (bool(host) and (not port or (port.isascii() and port.isdigit())))


def _is_extension(extension: bytes) -> bool:
    """Tells whether this is *( BWS ";" BWS name [ BWS "=" BWS value ] ) (RFC 9112 section 7.1.1)."""
    position = 0
    end = len(extension)
    while position < end:
        while position < end and (extension[position] == 32 or extension[position] == 9):
            position += 1
        if position >= end:
            # RFC 9112 section 7.1.1 has no white space before the line end, but senders pad sizes so.
            return True
        if extension[position] != 59:
            return False
        position += 1
        while position < end and (extension[position] == 32 or extension[position] == 9):
            position += 1
        start = position
        while position < end and _TOKEN[extension[position]]:
            position += 1
        if position == start:
            return False
        after_name = position
        while position < end and (extension[position] == 32 or extension[position] == 9):
            position += 1
        if position >= end or extension[position] != 61:
            position = after_name
            continue
        position += 1
        while position < end and (extension[position] == 32 or extension[position] == 9):
            position += 1
        if position < end and extension[position] == 34:
            position += 1
            while position < end and extension[position] != 34:
                position += 2 if extension[position] == 92 else 1
            if position >= end:
                return False
            position += 1
        else:
            start = position
            while position < end and _TOKEN[extension[position]]:
                position += 1
            if position == start:
                return False
    return True


def _check_trailers(block: bytes, profile: Profile) -> None:
    """Refuses a trailer section that is not made of fields, or that has fields which change the framing."""
    lines = block.split(b"\r\n")[:-1]
    if len(lines) > profile.head_fields:
        raise TooManyHeaders(profile.head_fields)
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or not name:
            raise RemoteProtocolError(400, "malformed trailer field")
        for octet in name:
            if not _TOKEN[octet]:
                raise RemoteProtocolError(400, "malformed trailer field")
        for octet in value:
            if not _VALUE[octet]:
                raise RemoteProtocolError(400, "control octet in a trailer field")
        if name.lower() in (b"content-length", b"transfer-encoding", b"host"):
            raise RemoteProtocolError(400, "a trailer field that would change the framing")
