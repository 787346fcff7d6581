cimport cython


cdef class DateCache:
    cdef object __weakref__
    cdef double _begin
    cdef double _end
    cdef str _text
    cdef bytes _octets

    cpdef str text(self, double now)
    cpdef bytes octets(self, double now)
    cdef int _turn(self, double now) except -1


cpdef str http_date(double now)
cpdef bytes http_date_bytes(double now)
cdef DateCache _cache
