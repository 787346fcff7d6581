cimport cython

cdef object bisect_left


@cython.final
cdef class Histogram:
    cdef object __weakref__
    cdef public tuple bounds
    cdef public list buckets
    cdef public long long count
    cdef public double total
    cdef public double largest

    cpdef observe(self, double value)
