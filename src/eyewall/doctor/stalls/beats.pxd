cimport cython

from eyewall.doctor.stalls.vigil cimport Vigil, monotonic, process_time


@cython.final
cdef class Beats:
    cdef object __weakref__
    cdef object _loop
    cdef object _sight
    cdef object _pulse
    cdef Vigil _vigil
    cdef double _at
    cdef double _due
    cdef double _delay
    cdef double _cpu
    cdef double _others
    cdef double _late

    cpdef note(self, double at, double due, double delay, double cpu, double others)
    cpdef forget(self)
    @cython.locals(now=double)
    cpdef _beaten(self, double used, double pause)
