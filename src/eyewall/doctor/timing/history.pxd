cdef class History:
    cdef object __weakref__
    cdef object _wall
    cdef object _memory
    cdef object _requests
    cdef object _numbers
    cdef int _size
    cdef long _count
    cdef double _lag
    cdef double _ran
    cdef double _passed
    cdef object _before

    cpdef note(self, double lag, double ran, double passed)
