cimport cython
from libc.stdint cimport int64_t, uint32_t, uint64_t

from eyewall.websocket.codec cimport DeflateCodec
from eyewall.websocket.frames cimport build_frame, build_masked_frame, header_size, payload_size
from eyewall.websocket.mask cimport read_key, rotate, xor

cdef int _NEED_DATA, _MESSAGE, _PING, _PONG, _CLOSE, _FAILED, _MALFORMED
cdef int _OP_CONTINUATION, _OP_TEXT, _OP_BINARY, _OP_CLOSE, _OP_PING, _OP_PONG
cdef int _FIN, _RSV1, _RESERVED, _OPCODE, _CONTROL, _MASKED, _CONTROL_BYTES, _WHOLE_TEXT, _WHOLE_BINARY

@cython.locals(payload=bytes)
cpdef bytes text_or_bytes(message, bint binary)

@cython.final
cdef class WebSocketEngine:
    cdef bytes _data
    cdef Py_ssize_t _at
    cdef bint _client, _ended, _compressed, _final
    cdef int _opcode, _part
    cdef uint32_t _key
    cdef int64_t _left, _message_limit, _wire, _frame_limit, _frames
    cdef DeflateCodec _codec
    cdef bytearray _buffer
    cdef bytearray _control
    cdef bytes _carry
    cdef readonly object message
    cdef readonly bytes payload
    cdef readonly int close_code
    cdef readonly str close_reason
    cdef readonly object failure
    cdef readonly uint64_t message_bytes_in, message_bytes_out, wire_bytes_in, wire_bytes_out

    cpdef feed(self, bytes data)
    @cython.locals(event=int)
    cpdef int next_event(self) except -1
    cpdef bint has_unread(self)
    cdef _end(self)
    @cython.locals(
        data=bytes, end=Py_ssize_t, at=Py_ssize_t, stop=Py_ssize_t, start=Py_ssize_t, header=int,
        first=int, second=int, opcode=int, size=int64_t, key=uint32_t, event=int,
    )
    cdef int _advance(self) except -1
    @cython.locals(opcode=int, reserved=int)
    cdef _check(self, int first, int second)
    @cython.locals(limit=int64_t)
    cdef _admit(self, int first, int64_t size)
    @cython.locals(opcode=int, content=bytes, plain=bytearray, codec=DeflateCodec)
    cdef _whole(self, bytes data, Py_ssize_t start, Py_ssize_t stop, int first, uint32_t key)
    cdef str _decode(self, bytes content)
    cdef _begin(self, int first)
    @cython.locals(size=Py_ssize_t, piece=bytearray, control=bytearray, last=bint)
    cdef int _take(self, bytes data, Py_ssize_t start, Py_ssize_t stop) except -1
    @cython.locals(buffer=bytearray, used=Py_ssize_t, codec=DeflateCodec)
    cdef _append(self, bytearray piece, bint last)
    @cython.locals(buffer=bytearray)
    cdef int _complete(self) except -1
    @cython.locals(code=int)
    cdef int _control_frame(self, int opcode, bytes payload) except -1

    @cython.locals(payload=bytes, first=int, codec=DeflateCodec)
    cpdef bytes encode_message(self, message, bint binary)
    cpdef bytes encode_ping(self, bytes payload)
    cpdef bytes encode_pong(self, bytes payload)
    @cython.locals(text=bytes)
    cpdef bytes encode_close(self, int code, str reason)
    cdef bytes _control_out(self, int first, bytes payload)
    @cython.locals(frame=bytes)
    cdef bytes _frame(self, int first, bytes payload)
