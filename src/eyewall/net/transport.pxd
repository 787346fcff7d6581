cimport cython

from eyewall.guard.wheel cimport DeadlineWheel
from eyewall.loop.done cimport done_future


cdef int _LOOKS
cdef Py_ssize_t _FEW_WAITERS
cdef int _FILLS_A_TURN
cdef int _UNKNOWN, _NONE_TO_USE


cdef class WriteWatch:
    cdef object __weakref__
    cdef FlowControl flow
    cdef double timeout
    cdef long long taken
    cdef double moved
    cdef public double deadline

    cpdef start(self, double now)


cdef class FlowControl:
    cdef object __weakref__
    cdef readonly object loop
    cdef readonly DeadlineWheel wheel
    cdef public object transport
    cdef public bint paused
    cdef public bint closed
    cdef public object error
    cdef public long long written
    cdef public bint outside
    cdef readonly WriteWatch watch
    cdef public Py_ssize_t write_high_water
    cdef public double write_timeout
    cdef long long _turn_bytes
    cdef long long _turned
    cdef list _waiters
    cdef Py_ssize_t _crowd
    cdef int _descriptor
    cdef double _written_at
    cdef long long _emptied

    cpdef attach(self, transport)

    cpdef lost(self, error)

    cpdef write(self, data)

    cpdef bint is_plain(self) except -1

    cpdef int open_socket(self, double now) except -2

    cpdef written_past(self, Py_ssize_t count)

    cpdef hand_back(self, Py_ssize_t count)

    cpdef Py_ssize_t waiting(self)

    cpdef drained(self)

    cpdef waiter(self)

    cpdef close(self)

    cpdef abort(self, error=*)

    cpdef watch_writes(self)

    cpdef stalled(self, double timeout)

    cdef _wake(self)

    cdef _failed(self, waiter)
