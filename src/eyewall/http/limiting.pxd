import cython

from eyewall.guard.limits.inflight cimport Gate
from eyewall.http.exchange cimport Exchange

cdef object RequestLimit, Future, ensure_future, copy_context, partial
cdef object _REFUSED

cdef class LimitedApp:
    cdef object _app
    cdef object _limit
    cdef Gate _gate
    cdef frozenset _paths
    cdef tuple _folders
    cdef readonly object on_close
    cdef readonly tuple exempt

    @cython.locals(gate=Gate, path=str)
    cpdef begin(self, Exchange exchange)

cpdef wait_or_refuse(limit, Exchange exchange, begin, bint routed)
cpdef refuse(limit, Exchange exchange)
cpdef bint is_below(str path, tuple names) except -1
