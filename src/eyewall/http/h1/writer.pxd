import cython

cdef dict _LINES
cdef list _LENGTHS
cdef object HTTPOutputError, responses, quoted
cdef bytes VALUE_OCTETS

@cython.locals(entry=tuple, raw=bytes, octet=int, line=bytes)
cpdef bytes status_line(int code, str reason)
cpdef bytes length_line(long long length)
cpdef bytes chunk_head(Py_ssize_t size)
