"""Opcodes of RFC 6455 section 5.2 and the bits of the first two bytes of a frame."""

from __future__ import annotations

CONTINUATION = 0x0
TEXT = 0x1
BINARY = 0x2
CLOSE = 0x8
PING = 0x9
PONG = 0xA

#: Bits of the first byte.
FIN = 0x80
RSV1 = 0x40
RESERVED = 0x70
OPCODE = 0x0F
#: The bit of an opcode that makes a frame a control frame.
CONTROL = 0x08

#: Bits of the second byte.
MASKED = 0x80
LENGTH = 0x7F

#: What a control frame may carry (RFC 6455 section 5.5).
CONTROL_BYTES = 125
