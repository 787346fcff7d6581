cdef class Moment:
    cdef public object fire
