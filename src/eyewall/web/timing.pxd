import cython

from eyewall.guard.deadlines.deadline cimport Deadline, clock_of
from eyewall.http.requestcore cimport RequestCore

cdef object stated_timeout, app_log

cdef class Timing:
    cdef public double seconds
    cdef public bint trusted
    cdef public double most
    cdef public object status
    cdef public object callback
    cdef public bint active
    cdef dict _whose

    @cython.locals(seconds=double, stated=double, by_client=bint, deadline=Deadline)
    cpdef Deadline deadline_for(self, handler_class, request, loop)
    cdef object _describe(self, double seconds, bint by_client)
