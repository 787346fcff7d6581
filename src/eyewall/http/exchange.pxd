import cython

from eyewall.http.h1.head cimport Head
from eyewall.net.transport cimport FlowControl

from eyewall.http.h1.writer cimport chunk_head, length_line, status_line

cdef object HTTPOutputError, StreamClosedError, sendfile, describe_exchange
cdef bytes LAST_CHUNK
cdef int _OPEN, _STARTED, _FINISHED, _DEAD
cdef int _WHOLE, _CHUNKED, _COUNTED, _UNTIL_CLOSE
cdef bytes _CLOSE, _KEEP_ALIVE, _CHUNKED_FIELD
cdef Py_ssize_t _JOIN_BYTES

cdef class Carrier(FlowControl):
    cdef public double active
    cdef public bint ending
    cdef public object on_leave
    cdef public str remote_ip
    cdef public str protocol
    cdef public object stream

    cpdef write_two(self, bytes first, bytes second)
    cpdef write_response(self, bytes data)
    cpdef finished(self, Exchange exchange)
    cpdef limit_body(self, Exchange exchange, long long size)
    cpdef limit_body_time(self, Exchange exchange, double seconds)
    cpdef hand_over(self, protocol)
    cpdef break_off(self)
    cpdef fail(self, error, Exchange exchange)
    cpdef bint must_close(self, Exchange exchange) except -1

cdef class Exchange:
    cdef object __weakref__
    cdef readonly Carrier carrier
    cdef readonly Head head
    cdef public object sink
    cdef public bint complete
    cdef public object content
    cdef public bint close_after
    cdef public bint sent_continue
    cdef public str request_id
    cdef public object body_limit
    cdef public object gate
    cdef public object route_gate
    cdef public list more_gates
    cdef public bint kept
    cdef public double entered
    cdef public double queued
    cdef readonly double began
    cdef readonly long long offset
    cdef int _state
    cdef int _framing
    cdef long long _remaining
    cdef object _on_close

    @cython.locals(carrier=Carrier, parts=list)
    cpdef respond(self, int code, str reason, bytes block, bytes body, Py_ssize_t length)
    @cython.locals(fields=bytes)
    cdef bytes _own_fields(self, bytes block)
    cdef bytes _id_field(self, bytes block)
    @cython.locals(framing_field=bytes, top=bytes)
    cpdef start(self, int code, str reason, bytes block, long long length, bytes chunk)
    cpdef write(self, chunk)
    @cython.locals(carrier=Carrier)
    cdef object _write(self, bytes top, bytes chunk)
    cdef object _gone(self)
    cpdef finish(self)
    cpdef upgrade(self, protocol, bytes block)
    cpdef break_off(self)
    cpdef die(self)
    cpdef holds(self, gate)
    cpdef place(self, gate)
    cpdef give_back(self)
