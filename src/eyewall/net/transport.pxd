import cython

cdef object done_future
cdef object StreamClosedError
cdef Py_ssize_t JOIN_BYTES

cdef class FlowControl:
    cdef object __weakref__
    cdef readonly object profile
    cdef readonly object transport
    cdef readonly long long written
    cdef readonly bint write_paused
    cdef readonly bint lost
    cdef public double stall_deadline
    cdef long long _stall_taken
    cdef list _waiters
    cdef object _lost_error

    cpdef attach(self, transport)
    cpdef write(self, bytes data)
    cpdef write_two(self, bytes first, bytes second)
    cpdef Py_ssize_t buffered(self) except -1
    cpdef object drained(self)
    cdef object _failed(self)
    cpdef pause_writing(self)
    cpdef resume_writing(self)
    cpdef detach(self, error)
    @cython.locals(timeout=double, taken=cython.longlong)
    cpdef bint stalled(self, double now) except -1
