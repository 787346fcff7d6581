"""Reading the content of an HTTP/1 message, once its framing is decided (RFC 9112 sections 6 and 7).

Content is handed out as it lies in the buffer, without a copy where the buffer holds nothing else. Chunks are
collected: however small a sender makes them, what one read brought is one event. The lines between them are exactly
what RFC 9112 section 7.1 says, in digits, line ends and extensions; a sender who means something else is not
understood, since the next server might understand another thing.
"""

from __future__ import annotations

from eyewall.http.errors import (
    ChunkedBodyTooLarge,
    ChunkExtensionsTooLarge,
    ContentLengthTooLarge,
    OpenBodyTooLarge,
    RemoteProtocolError,
    quoted,
)
from eyewall.http.grammar import HEX_DIGITS, TOKEN_OCTETS, VALUE_OCTETS
from eyewall.http.h1.events import DATA, END, NEED_DATA
from eyewall.http.h1.limits import Limits
from eyewall.http.h1.reader import HeadReader

#: More hexadecimal digits overflow what they are counted in.
_CHUNK_SIZE_DIGITS = 15

_SIZE = 0
_CONTENT = 1
_CONTENT_END = 2
_TRAILERS = 3


class ContentReader(HeadReader):
    """Adds content to heads. `data`: what the last DATA event was about. `body_limit`: bound of the content."""

    __slots__ = ("_body_received", "_chunk", "_extension_bytes", "_remaining", "body_limit", "data")

    def __init__(self, limits: Limits, client: bool) -> None:
        super().__init__(limits, client)
        self.data = b""
        self._begin_content()

    def _begin_content(self) -> None:
        self._remaining = 0
        self._body_received = 0
        self._extension_bytes = 0
        self._chunk = _SIZE
        self.body_limit = self.limits.body_bytes

    def _take(self, most: int) -> bytes:
        """Consumes at most `most` bytes of the buffer, without a copy where the whole of it is meant."""
        position = self._position
        size = len(self._buffer) - position
        if size <= most:
            data = self._buffer if position == 0 else self._buffer[position:]
            self._buffer = b""
            self._position = 0
            self._searched = 0
            return data
        self._position = position + most
        return self._buffer[position : position + most]

    def _bound_length(self) -> None:
        """Raises ContentLengthTooLarge as soon as a known length says so."""
        if self._body_received + self._remaining > self.body_limit:
            raise ContentLengthTooLarge(self.body_limit)

    def _read_length(self) -> int:
        """Content of a known length: its next piece."""
        self._bound_length()
        if self._position >= len(self._buffer):
            return NEED_DATA
        self.data = self._take(self._remaining)
        self._remaining -= len(self.data)
        self._body_received += len(self.data)
        return DATA

    def _read_until_close(self) -> int:
        """Content that ends with the connection: its next piece."""
        if self._position >= len(self._buffer):
            return NEED_DATA
        room = self.body_limit - self._body_received
        if room <= 0:
            raise OpenBodyTooLarge(self.body_limit)
        self.data = self._take(room)
        self._body_received += len(self.data)
        return DATA

    def _read_chunked(self) -> int:
        """Chunked content: all of it that the buffer holds, before what is wrong behind it."""
        pieces: list[bytes] = []
        try:
            while self._read_chunk(pieces):
                pass
        except RemoteProtocolError:
            if not pieces:
                raise
        if pieces:
            self.data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            return DATA
        if self._chunk == _TRAILERS and self._read_trailers():
            return END
        return NEED_DATA

    def _read_chunk(self, pieces: list[bytes]) -> bool:
        """Takes one step; False where that takes more than there is, or the content is over."""
        if self._chunk == _SIZE:
            return self._read_chunk_size()
        if self._chunk == _CONTENT:
            if self._position >= len(self._buffer):
                return False
            piece = self._take(self._remaining)
            pieces.append(piece)
            self._remaining -= len(piece)
            self._body_received += len(piece)
            if self._remaining > 0:
                return False
            self._chunk = _CONTENT_END
            return True
        if self._chunk == _CONTENT_END:
            buffer = self._buffer
            left = len(buffer) - self._position
            if (left > 0 and buffer[self._position] != 13) or (left > 1 and buffer[self._position + 1] != 10):
                raise RemoteProtocolError(400, "improperly terminated chunk")
            if left < 2:
                return False
            self._position += 2
            self._chunk = _SIZE
            return True
        return False

    def _read_chunk_size(self) -> bool:
        """Consumes the line before a chunk's content; False where it has not come whole, or was the last one."""
        buffer = self._buffer
        end = len(buffer)
        start = self._position
        line_feed = self._searched if self._searched > start else start
        while line_feed < end and buffer[line_feed] != 10:
            line_feed += 1
        most = _CHUNK_SIZE_DIGITS + 2 + self.limits.chunk_extension_bytes - self._extension_bytes
        if line_feed - start >= most:
            raise ChunkExtensionsTooLarge(self.limits.chunk_extension_bytes)
        if line_feed == end:
            self._searched = end
            return False
        position = start
        size = 0
        while HEX_DIGITS[buffer[position]] and position - start <= _CHUNK_SIZE_DIGITS:
            size = size * 16 + HEX_DIGITS[buffer[position]] - 1
            position += 1
        if position == start or position - start > _CHUNK_SIZE_DIGITS or buffer[line_feed - 1] != 13:
            raise RemoteProtocolError(400, f"invalid chunk size {quoted(buffer[start:line_feed])}")
        extension = line_feed - 1 - position
        if extension:
            if extension > self.limits.chunk_extension_bytes - self._extension_bytes:
                raise ChunkExtensionsTooLarge(self.limits.chunk_extension_bytes)
            if not _is_extension(buffer[position : line_feed - 1]):
                raise RemoteProtocolError(400, f"invalid chunk size {quoted(buffer[start:line_feed])}")
        if size == 0:
            self._chunk = _TRAILERS
        elif self._body_received + size > self.body_limit:
            raise ChunkedBodyTooLarge(self.body_limit)
        else:
            self._remaining = size
            self._chunk = _CONTENT
        self._extension_bytes += extension
        self._position = line_feed + 1
        return size > 0


def _is_extension(text: bytes) -> bool:
    """Tells whether this is 1*( BWS ";" BWS name [ BWS "=" BWS value ] ) (RFC 9112 section 7.1.1)."""
    position = 0
    end = len(text)
    while position < end:
        position = _after_space(text, position)
        if position == end or text[position] != 59:
            return False
        start = _after_space(text, position + 1)
        position = _after_token(text, start)
        if position == start:
            return False
        start = _after_space(text, position)
        if start == end or text[start] != 61:
            continue
        start = _after_space(text, start + 1)
        position = _after_token(text, start)
        if position == start:
            position = _after_quoted(text, start)
            if position == start:
                return False
    return True


def _after_space(text: bytes, start: int) -> int:
    end = len(text)
    while start < end and (text[start] == 32 or text[start] == 9):
        start += 1
    return start


def _after_token(text: bytes, start: int) -> int:
    end = len(text)
    while start < end and TOKEN_OCTETS[text[start]]:
        start += 1
    return start


def _after_quoted(text: bytes, start: int) -> int:
    """Returns where the quoted-string (RFC 9110 section 5.6.4) that begins at `start` ends; `start` for none."""
    end = len(text)
    if start == end or text[start] != 34:
        return start
    position = start + 1
    while position < end and VALUE_OCTETS[text[position]]:
        if text[position] == 34:
            return position + 1
        if text[position] == 92:
            position += 1
            if position == end or not VALUE_OCTETS[text[position]]:
                return start
        position += 1
    return start
