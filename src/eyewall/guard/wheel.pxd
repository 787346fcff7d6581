cimport cython


cdef double _ROUNDING


cdef class DeadlineWheel:
    cdef object __weakref__
    cdef readonly double now
    cdef readonly double tick
    cdef readonly double max_step
    cdef object _time
    cdef object _call_later
    cdef list _slots
    cdef Py_ssize_t _size
    cdef Py_ssize_t _turn
    cdef double _base
    cdef double _expected
    cdef bint _ticking
    cdef bint _excused

    @cython.locals(slot=set)
    cpdef add(self, owner)

    @cython.locals(slot=set)
    cpdef discard(self, owner)

    cdef _start(self)

    @cython.locals(slot=set, target=set, now=double, horizon=double, none=double, deadline=double)
    cdef _look(self, set slot)

    @cython.locals(ticks=double, steps=Py_ssize_t)
    cdef Py_ssize_t _slot_for(self, double deadline) except -1
