cimport cython
from libc.stdint cimport int64_t, uint32_t

from eyewall.websocket.mask cimport read_key, xor

cdef int _MALFORMED, _MASKED, _LENGTH, _MEDIUM, _LARGE, _SHORT_ROWS
cdef list _SHORT
cdef bytes _SHORT_ROW

@cython.locals(size=int, length=int)
cpdef int header_size(int second)

@cython.locals(length=int64_t, index=size_t)
cpdef int64_t payload_size(bytes data, size_t at)

@cython.locals(flag=int)
cpdef bytes build_header(int first, int64_t size, bint masked)

@cython.locals(size=Py_ssize_t, row=Py_ssize_t)
cpdef bytes build_frame(int first, bytes payload)

@cython.locals(size=Py_ssize_t)
cpdef bytes build_masked_frame(int first, bytes payload, bytes key)
