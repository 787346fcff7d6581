cimport cython


@cython.locals(
    start=cython.Py_ssize_t,
    size=cython.Py_ssize_t,
    last=cython.Py_ssize_t,
    at=cython.Py_ssize_t,
    to=cython.Py_ssize_t,
    byte=cython.uchar,
    high=cython.uchar,
    low=cython.uchar,
    decoded=bytearray,
)
cpdef bytes percent_decode(bytes data)
cpdef bytes form_decode(bytes data)
cpdef str form_encode(bytes data)
cpdef str path_encode(bytes data)

cdef bytes _DIGITS
cdef bytes _FORM_KEPT
cdef bytes _PATH_KEPT
cdef tuple _FORM_CODES
cdef tuple _PATH_CODES
