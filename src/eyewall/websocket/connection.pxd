cimport cython
from libc.stdint cimport uint64_t

from eyewall.guard.wheel cimport DeadlineWheel
from eyewall.loop.eager cimport start_task
from eyewall.net.transport cimport FlowControl
from eyewall.websocket.codec cimport DeflateCodec
from eyewall.websocket.engine cimport WebSocketEngine

cdef int _EVENT_NONE, _EVENT_MESSAGE, _EVENT_PING, _EVENT_PONG, _EVENT_CLOSE
cdef int _OPEN, _CLOSING, _LEAVING, _OVER
cdef double _NONE, _GONE
cdef str _PING_TIMED_OUT
cdef object client_connections, describe_websocket
cdef object _websocket_open, _websocket_close, _limit_reached

cdef class WebSocketConnection(FlowControl):
    cdef readonly object profile
    cdef readonly object receiver
    cdef public object release
    cdef public double ping_interval
    cdef public double ping_timeout
    cdef public double deadline
    cdef public str peer
    cdef public str route
    cdef readonly double opened
    cdef readonly double active
    cdef WebSocketEngine _engine
    cdef readonly DeflateCodec codec
    cdef uint64_t _shared_message_bytes, _shared_wire_bytes
    cdef readonly bint is_client
    cdef bint _held, _receiving, _advancing, _reading_paused, _heard, _asked, _pinged, _in_wheel
    cdef int _state
    cdef int _failed_code
    cdef str _failed_reason
    cdef object _pending
    cdef bytearray _backlog
    cdef bytes _late_pong
    cdef object _timer

    cpdef start(self, opened=*)
    cdef _end(self)
    @cython.locals(engine=WebSocketEngine, backlog=bytearray)
    cdef _skip_to_close(self)
    cdef _keep(self, bytes data)
    cdef _pause_reading(self)
    @cython.locals(backlog=bytearray)
    cdef _continue(self)
    @cython.locals(engine=WebSocketEngine, count=int, event=int, backlog=bytearray)
    cdef _advance(self)
    @cython.locals(payload=bytes)
    cdef _pinged_by_peer(self, receiver)
    cdef _pong(self, bytes payload)
    cdef bint _is_done(self, wait) except -1
    cpdef receiver_failed(self, error)
    cpdef write_message(self, message, bint binary=*)
    @cython.locals(descriptor=int)
    cpdef int send_frame(self, bytes frame, Py_ssize_t message_bytes, double now) except -2
    cpdef send_rest(self, bytes rest)
    cpdef bint can_write(self)
    cpdef ping(self, bytes data=*)
    cdef _send(self, bytes frame)
    cdef _bound_writes(self)
    cdef _failed(self, waiter)
    @cython.locals(frame=bytes)
    cpdef start_close(self, code=*, reason=*)
    cpdef go_away(self)
    cdef _closed_by_peer(self)
    cdef _fail_for(self, error)
    cdef _fail(self, int code, str reason)
    cdef _arm(self, double seconds)
    cpdef deadline_passed(self, double now)
