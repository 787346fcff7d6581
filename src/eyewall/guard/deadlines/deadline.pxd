import cython

cdef object asyncio, time

cdef class Deadline:
    cdef object __weakref__
    cdef public double at
    cdef public object clock
    cdef public object whose

    @cython.locals(left=double)
    cpdef double remaining(self)
    cpdef bint passed(self)

cpdef object clock_of(loop)
