"""One side of a WebSocket after the handshake (RFC 6455): bytes in, events out, bytes to send out.

    engine.feed(data)
    while (event := engine.next_event()) != NEED_DATA: ...

`MESSAGE`: `engine.message` is a whole message, str or bytes. `PING`, `PONG`: `engine.payload` is its content;
the driver answers a ping with `encode_pong`. `CLOSE`: the peer's close frame, its content in
`engine.close_code` and `engine.close_reason`. `FAILED`: the peer broke a rule; `engine.failure` says which,
and `errors.close_for` with what code to close. After `CLOSE` and `FAILED` all further bytes are ignored.

A frame that is complete in the bytes at hand, and a message of its own, is decoded straight from them; that
is the common case and has no state. Any other payload is taken as it comes, however small the pieces, so that
no byte is looked at twice: unmasked, decompressed, checked as UTF-8 up to the last complete character,
appended. A limit is therefore enforced, and a fault found, with the first byte that shows it; what the header
of a frame announces counts as received.

A message costs its size, once; between two calls the engine holds at most a partial header besides.
"""

from __future__ import annotations

import os
from codecs import utf_8_decode

from eyewall.websocket import opcodes
from eyewall.websocket.codec import DeflateCodec
from eyewall.websocket.errors import (
    NO_STATUS,
    REASON_BYTES,
    MessageTooBig,
    PayloadError,
    PeerError,
    PolicyError,
    ProtocolError,
    is_valid_close_code,
)
from eyewall.websocket.frames import MALFORMED, build_frame, build_masked_frame, header_size, payload_size
from eyewall.websocket.mask import read_key, rotate, xor

NEED_DATA = 0
MESSAGE = 1
PING = 2
PONG = 3
CLOSE = 4
FAILED = 5

_NEED_DATA = NEED_DATA
_MESSAGE = MESSAGE
_PING = PING
_PONG = PONG
_CLOSE = CLOSE
_FAILED = FAILED
_MALFORMED = MALFORMED

_OP_CONTINUATION = opcodes.CONTINUATION
_OP_TEXT = opcodes.TEXT
_OP_BINARY = opcodes.BINARY
_OP_CLOSE = opcodes.CLOSE
_OP_PING = opcodes.PING
_OP_PONG = opcodes.PONG
_FIN = opcodes.FIN
_RSV1 = opcodes.RSV1
_RESERVED = opcodes.RESERVED
_OPCODE = opcodes.OPCODE
_CONTROL = opcodes.CONTROL
_MASKED = opcodes.MASKED
_CONTROL_BYTES = opcodes.CONTROL_BYTES
_WHOLE_TEXT = opcodes.FIN | opcodes.TEXT
_WHOLE_BINARY = opcodes.FIN | opcodes.BINARY


def text_or_bytes(message: str | bytes | bytearray | memoryview, binary: bool) -> bytes:
    """Returns the payload of a message: of a text, or of bytes, which must be UTF-8 unless `binary`.

    Raises ValueError (a UnicodeError) for text that UTF-8 cannot hold and for bytes that are not UTF-8,
    TypeError for what is neither text nor bytes.
    """
    if isinstance(message, str):
        return message.encode("utf-8")
    if isinstance(message, bytes):
        payload = message
    else:
        payload = bytes(memoryview(message))  # bytes() of a number would be that many zeros
    if not binary:
        utf_8_decode(payload, "strict", True)
    return payload


class WebSocketEngine:
    """The protocol of one connection. It holds no socket, no clock and no logger.

    `client`: this side is the client, which masks what it sends. `message_limit`: bytes of one message after
    decompression and reassembly. `frame_limit`: frames of one message. `codec`: permessage-deflate as it was
    negotiated, or None.
    """

    __slots__ = (
        "_at",
        "_buffer",
        "_carry",
        "_client",
        "_codec",
        "_compressed",
        "_control",
        "_data",
        "_ended",
        "_final",
        "_frame_limit",
        "_frames",
        "_key",
        "_left",
        "_message_limit",
        "_opcode",
        "_part",
        "_wire",
        "close_code",
        "close_reason",
        "failure",
        "message",
        "message_bytes_in",
        "message_bytes_out",
        "payload",
        "wire_bytes_in",
        "wire_bytes_out",
    )

    def __init__(
        self, client: bool, message_limit: int, frame_limit: int, codec: DeflateCodec | None = None
    ) -> None:
        self._client = client
        self._message_limit = message_limit
        self._frame_limit = frame_limit
        self._codec = codec
        # Bytes not yet looked at: `_data` from `_at` on.
        self._data = b""
        self._at = 0
        # The message being put together: opcode (0 between messages), frames, size on the wire, content.
        self._opcode = 0
        self._compressed = False
        self._frames = 0
        self._wire = 0
        self._buffer: bytearray | None = None
        # The beginning of a character whose end has not come, of a text message.
        self._carry = b""
        # The frame in the middle of whose payload the bytes ended: its opcode, payload bytes missing, key.
        self._part = 0
        self._final = False
        self._left = 0
        self._key = 0
        self._control: bytearray | None = None
        self._ended = False
        #: The message of the last MESSAGE event.
        self.message: str | bytes = b""
        #: The content of the last PING or PONG.
        self.payload = b""
        #: What the peer's close frame said: `errors.NO_STATUS` if it had no code, 0 as long as none came.
        self.close_code = 0
        self.close_reason = ""
        #: Why the connection failed.
        self.failure: PeerError | None = None
        #: Content of messages, and frames with their headers, in bytes.
        self.message_bytes_in = 0
        self.message_bytes_out = 0
        self.wire_bytes_in = 0
        self.wire_bytes_out = 0

    @property
    def codec(self) -> DeflateCodec | None:
        """permessage-deflate, if it was negotiated."""
        return self._codec

    # -- receiving --------------------------------------------------------------------------------------

    def feed(self, data: bytes) -> None:
        """Takes `data` from the peer, which may be any part of a frame, or several."""
        if self._ended:
            return
        self.wire_bytes_in += len(data)
        if self._at < len(self._data):
            self._data = self._data[self._at :] + data
        else:
            self._data = data
        self._at = 0

    def next_event(self) -> int:
        """Returns the next event in the bytes fed so far, NEED_DATA if there is none."""
        if self._ended:
            return _NEED_DATA
        try:
            event = self._advance()
        except PeerError as error:
            self.failure = error
            event = _FAILED
        if event >= _CLOSE:
            self._end()
        return event

    def has_unread(self) -> bool:
        """Returns whether bytes wait in which `next_event` may find another event."""
        return not self._ended and self._at < len(self._data)

    def _end(self) -> None:
        self._ended = True
        self._data = b""
        self._at = 0
        self._buffer = None
        self._control = None

    def _advance(self) -> int:
        data = self._data
        end = len(data)
        at = self._at
        while True:
            if self._left > 0:
                stop = end if end - at < self._left else at + self._left
                if stop == at:
                    break
                self._at = stop
                event = self._take(data, at, stop)
                if event != _NEED_DATA:
                    return event
                at = stop
                continue
            if end - at < 2:
                break
            first = data[at]
            second = data[at + 1]
            # Seen before the rest of the header is there: a peer that is wrong is told so at once.
            if self._opcode != 0 or (first != _WHOLE_TEXT and first != _WHOLE_BINARY):
                self._check(first, second)
            if (second & _MASKED != 0) == self._client:
                raise ProtocolError("masked frame from the server" if self._client else "unmasked frame")
            header = header_size(second)
            if end - at < header:
                break
            size = payload_size(data, at)
            if size == _MALFORMED:
                raise ProtocolError("malformed frame length")
            opcode = first & _OPCODE
            start = at + header
            if opcode < _CONTROL:
                self._admit(first, size)
            key = 0
            if not self._client:
                key = read_key(data, start - 4)
            if size <= end - start and first & _FIN and self._opcode == 0 and opcode < _CONTROL:
                stop = start + size
                self._at = stop
                self._whole(data, start, stop, first, key)
                return _MESSAGE
            if opcode < _CONTROL:
                self._begin(first)
            self._part = opcode
            self._final = first & _FIN != 0
            self._key = key
            self._left = size
            at = start
            self._at = at
            if size == 0:
                event = self._take(data, at, at)
                if event != _NEED_DATA:
                    return event
        # What is left is a partial header: 13 bytes at most, which must not hold on to a large chunk.
        self._data = data[at:]
        self._at = 0
        return _NEED_DATA

    def _check(self, first: int, second: int) -> None:
        """Judges the first two bytes of a frame that is not plainly a message of its own (section 5.2)."""
        opcode = first & _OPCODE
        reserved = first & _RESERVED
        if reserved and (reserved != _RSV1 or self._codec is None or opcode not in (_OP_TEXT, _OP_BINARY)):
            raise ProtocolError("reserved bits are set")
        if opcode & _CONTROL:
            if opcode > _OP_PONG:
                raise ProtocolError("unknown opcode")
            if not first & _FIN:
                raise ProtocolError("fragmented control frame")
            if second & ~_MASKED > _CONTROL_BYTES:
                raise ProtocolError("control frame too long")
        elif opcode > _OP_BINARY:
            raise ProtocolError("unknown opcode")
        elif opcode == _OP_CONTINUATION:
            if self._opcode == 0:
                raise ProtocolError("continuation of no message")
        elif self._opcode != 0:
            raise ProtocolError("a message begins within another")

    def _admit(self, first: int, size: int) -> None:
        """Refuses a frame of a message that would go beyond a limit, by its header alone."""
        limit = self._message_limit
        if self._opcode != 0:
            self._frames += 1
            if self._frames > self._frame_limit:
                raise PolicyError("too many frames in a message")
        if self._compressed or first & _RSV1:
            # What cannot be compressed grows by 5 bytes in 16 KiB; its content is counted as it unfolds.
            if size > limit + (limit >> 8) + 1024 - self._wire:
                raise MessageTooBig("message too big")
        elif self._buffer is None:
            if size > limit:
                raise MessageTooBig("message too big")
        elif size > limit - len(self._buffer):
            raise MessageTooBig("message too big")

    def _whole(self, data: bytes, start: int, stop: int, first: int, key: int) -> None:
        """Decodes a message that is one frame, all of it at hand."""
        opcode = first & _OPCODE
        if first & _RSV1:
            codec = self._codec
            if codec is None:
                raise ProtocolError("reserved bits are set")
            packed = data[start:stop] if self._client else xor(data, start, stop, key)
            content = codec.inflate(packed, self._message_limit, True)
            self.message_bytes_in += len(content)
            self.message = self._decode(content) if opcode == _OP_TEXT else content
            return
        self.message_bytes_in += stop - start
        if self._client:
            content = data[start:stop]
            self.message = self._decode(content) if opcode == _OP_TEXT else content
            return
        plain = xor(data, start, stop, key)
        if opcode == _OP_BINARY:
            self.message = bytes(plain)
            return
        try:
            self.message = plain.decode("utf-8")
        except UnicodeDecodeError:
            raise PayloadError("invalid UTF-8 in a text message") from None

    def _decode(self, content: bytes) -> str:
        try:
            return content.decode("utf-8")
        except UnicodeDecodeError:
            raise PayloadError("invalid UTF-8 in a text message") from None

    def _begin(self, first: int) -> None:
        """Notes a frame of a message that comes in pieces."""
        if self._opcode == 0:
            self._opcode = first & _OPCODE
            self._compressed = first & _RSV1 != 0
            self._frames = 1
            self._wire = 0
            self._carry = b""
            self._buffer = bytearray()

    def _take(self, data: bytes, start: int, stop: int) -> int:
        """Takes the next piece of a frame's payload; returns the event it completes, or NEED_DATA."""
        size = stop - start
        self._left -= size
        if self._client:
            piece = bytearray(data[start:stop])
        else:
            piece = xor(data, start, stop, self._key)
            self._key = rotate(self._key, size)
        if self._part & _CONTROL:
            control = self._control
            if control is not None:
                control += piece
                piece = control
            if self._left > 0:
                self._control = piece
                return _NEED_DATA
            self._control = None
            return self._control_frame(self._part, bytes(piece))
        last = self._final and self._left == 0
        self._append(piece, last)
        if not last:
            return _NEED_DATA
        return self._complete()

    def _append(self, piece: bytearray, last: bool) -> None:
        """Adds a piece of payload to the message; `last` says that it is the end of it."""
        buffer = self._buffer
        if buffer is None:
            raise RuntimeError("there is no message to append to")
        if self._compressed:
            codec = self._codec
            if codec is None:
                raise RuntimeError("a compressed message without a codec")
            self._wire += len(piece)
            piece = bytearray(codec.inflate(piece, self._message_limit - len(buffer), last))
        buffer += piece
        if self._opcode == _OP_TEXT:
            if self._carry:
                piece = bytearray(self._carry) + piece
            try:
                used = utf_8_decode(piece, "strict", last)[1]
            except UnicodeDecodeError:
                raise PayloadError("invalid UTF-8 in a text message") from None
            self._carry = bytes(piece[used:])

    def _complete(self) -> int:
        """Hands over the message that was put together."""
        buffer = self._buffer
        if buffer is None:
            raise RuntimeError("there is no message to complete")
        self._buffer = None
        self.message_bytes_in += len(buffer)
        self.message = buffer.decode("utf-8") if self._opcode == _OP_TEXT else bytes(buffer)
        self._opcode = 0
        self._compressed = False
        return _MESSAGE

    def _control_frame(self, opcode: int, payload: bytes) -> int:
        self.payload = payload
        if opcode == _OP_PING:
            return _PING
        if opcode == _OP_PONG:
            return _PONG
        if not payload:
            self.close_code = NO_STATUS
            return _CLOSE
        if len(payload) == 1:
            raise ProtocolError("close frame of one byte")
        code = payload[0] << 8 | payload[1]
        if not is_valid_close_code(code):
            raise ProtocolError("invalid close code")
        try:
            self.close_reason = payload[2:].decode("utf-8")
        except UnicodeDecodeError:
            raise PayloadError("invalid UTF-8 in a close reason") from None
        self.close_code = code
        return _CLOSE

    # -- sending ----------------------------------------------------------------------------------------

    def encode_message(self, message: str | bytes | bytearray | memoryview, binary: bool) -> bytes:
        """Returns `message` as one frame: of bytes (`binary`), or of text. What may be sent, and what is
        raised, is as in `text_or_bytes`.
        """
        payload = text_or_bytes(message, binary)
        first = _FIN | (_OP_BINARY if binary else _OP_TEXT)
        self.message_bytes_out += len(payload)
        codec = self._codec
        if codec is not None:
            packed = codec.deflate(payload)
            if packed is not None:
                payload = packed
                first |= _RSV1
        return self._frame(first, payload)

    def encode_ping(self, payload: bytes) -> bytes:
        """Returns a ping. Raises ValueError if `payload` is longer than 125 bytes."""
        return self._control_out(_FIN | _OP_PING, payload)

    def encode_pong(self, payload: bytes) -> bytes:
        """Returns a pong. Raises ValueError if `payload` is longer than 125 bytes."""
        return self._control_out(_FIN | _OP_PONG, payload)

    def encode_close(self, code: int, reason: str) -> bytes:
        """Returns a close frame; an empty one for NO_STATUS, the code that is never sent.

        Raises ValueError for a code that must not be sent (section 7.4) or a reason of more than 123 bytes.
        """
        if code == NO_STATUS:
            if reason:
                raise ValueError("a close reason needs a close code")
            return self._control_out(_FIN | _OP_CLOSE, b"")
        if not is_valid_close_code(code):
            raise ValueError(f"{code} is not a close code that may be sent")
        text = reason.encode("utf-8")
        if len(text) > REASON_BYTES:
            raise ValueError(f"a close reason has at most {REASON_BYTES} bytes, this one {len(text)}")
        return self._control_out(_FIN | _OP_CLOSE, bytes((code >> 8, code & 0xFF)) + text)

    def _control_out(self, first: int, payload: bytes) -> bytes:
        if len(payload) > _CONTROL_BYTES:
            raise ValueError(f"a control frame carries at most {_CONTROL_BYTES} bytes, not {len(payload)}")
        return self._frame(first, payload)

    def _frame(self, first: int, payload: bytes) -> bytes:
        if self._client:
            frame = build_masked_frame(first, payload, os.urandom(4))
        else:
            frame = build_frame(first, payload)
        self.wire_bytes_out += len(frame)
        return frame
