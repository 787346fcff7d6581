cdef object OrderedDict

cdef class Gate:
    cdef object __weakref__
    cdef readonly Py_ssize_t most
    cdef public Py_ssize_t queue
    cdef public double patience
    cdef readonly Py_ssize_t busy
    cdef readonly long long passed
    cdef readonly long long queued
    cdef readonly long long full
    cdef readonly long long expired
    cdef readonly long long abandoned
    cdef readonly bint measuring
    cdef list _samples
    cdef Py_ssize_t _most_samples
    cdef Py_ssize_t _peak
    cdef object _waiting

    cpdef bint enter(self) except -1
    cpdef bint wait(self, ticket, double now) except -1
    cpdef refuse(self)
    cpdef leave(self)
    cpdef observe(self, double seconds)
    cpdef allow(self, Py_ssize_t most)
    cpdef double due(self) except? -1
    cdef _serve(self)
