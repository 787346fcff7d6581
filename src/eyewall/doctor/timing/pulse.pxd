cimport cython

from eyewall.doctor.timing.history cimport History
from eyewall.guard.histogram cimport Histogram


cdef class Pulse:
    cdef object __weakref__
    cdef readonly object loop
    cdef readonly History history
    cdef readonly list listeners
    cdef readonly Histogram lags
    cdef readonly Histogram turns
    cdef readonly double busy
    cdef readonly double cpu_seconds
    cdef readonly double seconds
    cdef double _interval
    cdef object _cpu
    cdef object _later
    cdef object _call_soon
    cdef int _users
    cdef object _timer
    cdef double _due
    cdef double _beaten
    cdef double _used

    cdef _next(self, double now)
    @cython.locals(now=double, lag=double, used=double, ran=double, passed=double, share=double)
    cpdef _beat(self)
    cpdef _turned(self, double began)
