import cython

from eyewall.http.h1.reader cimport HeadReader

cdef bytes HEX_DIGITS, TOKEN_OCTETS, VALUE_OCTETS
cdef int NEED_DATA, DATA, END
cdef int _CHUNK_SIZE_DIGITS, _SIZE, _CONTENT, _CONTENT_END, _TRAILERS

cdef class ContentReader(HeadReader):
    cdef readonly bytes data
    cdef public long long body_limit
    cdef long long _remaining
    cdef long long _body_received
    cdef Py_ssize_t _extension_bytes
    cdef signed char _chunk

    cdef void _begin_content(self)
    @cython.locals(position=Py_ssize_t, size=Py_ssize_t, data=bytes)
    cdef bytes _take(self, long long most)
    cdef int _bound_length(self) except -1
    cdef int _read_length(self) except -1
    @cython.locals(room=cython.longlong)
    cdef int _read_until_close(self) except -1
    @cython.locals(pieces=list)
    cdef int _read_chunked(self) except -1
    @cython.locals(piece=bytes, buffer=bytes, left=Py_ssize_t)
    cdef bint _read_chunk(self, list pieces) except -1
    @cython.locals(buffer=bytes, end=Py_ssize_t, start=Py_ssize_t, line_feed=Py_ssize_t, most=Py_ssize_t,
                   position=Py_ssize_t, size=cython.longlong, extension=Py_ssize_t)
    cdef bint _read_chunk_size(self) except -1

@cython.locals(position=Py_ssize_t, end=Py_ssize_t, start=Py_ssize_t)
cdef bint _is_extension(bytes text) except -1
@cython.locals(end=Py_ssize_t)
cdef Py_ssize_t _after_space(bytes text, Py_ssize_t start) except -1
@cython.locals(end=Py_ssize_t)
cdef Py_ssize_t _after_token(bytes text, Py_ssize_t start) except -1
@cython.locals(end=Py_ssize_t, position=Py_ssize_t)
cdef Py_ssize_t _after_quoted(bytes text, Py_ssize_t start) except -1
