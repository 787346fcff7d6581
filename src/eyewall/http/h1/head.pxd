import cython

cdef dict spellings
cdef object spelling

@cython.locals(at=Py_ssize_t, octet=int, other=int)
cpdef bint same(bytes data, Py_ssize_t start, bytes lower)

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
    cdef readonly Py_ssize_t start
    cdef readonly Py_ssize_t end
    cdef readonly unsigned long long names
    cdef readonly long long content_length
    cdef readonly bint chunked
    cdef readonly bint body
    cdef readonly bint keep_alive
    cdef readonly bint upgrade
    cdef readonly bint expect_continue
    cdef public object trailers

    cpdef bint may_have(self, bytes name)
    @cython.locals(block=bytes, end=Py_ssize_t, length=Py_ssize_t, start=Py_ssize_t, position=Py_ssize_t, matches=bint)
    cpdef object find(self, bytes name)
    cpdef list fields(self)
    @cython.locals(one=cython.ulonglong)
    cpdef rename(self, bytes old, bytes new)

cdef str _value(bytes block, Py_ssize_t start, Py_ssize_t end)

@cython.locals(start=Py_ssize_t, name=str)
cpdef list parse_block(bytes block, Py_ssize_t position, Py_ssize_t end)
