import cython

cdef bytes TOKEN
cdef dict _NAMES
cdef int _NAMES_MOST

cpdef str field_name(bytes raw)

cpdef bint is_token(bytes raw)

cdef class Head:
    cdef readonly str method
    cdef readonly str target
    cdef readonly str path
    cdef readonly str query
    cdef readonly str authority
    cdef readonly str host
    cdef readonly str reason
    cdef readonly int status
    cdef readonly int minor
    cdef readonly bytes block
    cdef readonly unsigned long long names
    cdef readonly long long content_length
    cdef readonly bint chunked
    cdef readonly bint body
    cdef readonly bint keep_alive
    cdef readonly bint upgrade
    cdef readonly bint expect_continue
    cdef public object trailers

    cpdef bint may_have(self, bytes name)
    cpdef object find(self, bytes name)
    cpdef list fields(self)
    @cython.locals(one=cython.ulonglong)
    cpdef rename(self, bytes old, bytes new)

@cython.locals(position=Py_ssize_t, end=Py_ssize_t, start=Py_ssize_t, name_end=Py_ssize_t,
               value_start=Py_ssize_t, value_end=Py_ssize_t, name=bytes)
cpdef list parse_block(bytes block)
