import cython

from eyewall.http.h1.head cimport Head, parse_block, same
from eyewall.http.h1.limits cimport Limits
from eyewall.http.h1.targets cimport is_authority, parse_target

cdef bytes _TOKEN, _VALUE
cdef Py_ssize_t _SMALL
cdef int _LONGEST_METHOD, _EOL_UNKNOWN, _EOL_CRLF, _EOL_LF, _MOST_EMPTY_LINES, _LENGTH_DIGITS
cdef dict _METHODS
cdef str _GET
cdef object _NO_TRAILERS

cdef class HeadReader:
    cdef readonly Limits limits
    cdef readonly Head head
    cdef bytes _buffer
    cdef Py_ssize_t _position
    cdef Py_ssize_t _line
    cdef Py_ssize_t _searched
    cdef Py_ssize_t _head_bytes
    cdef int _field_count
    cdef signed char _eol
    cdef signed char _empty_lines
    cdef signed char _client
    cdef signed char _in_fields
    cdef signed char _trailing
    cdef signed char _host_seen
    cdef signed char _connection_seen
    cdef signed char _upgrade_seen
    cdef signed char _transfer_encoding

    cdef void _begin_head(self)
    @cython.locals(head=Head)
    cdef Head _head(self)
    @cython.locals(position=Py_ssize_t)
    cpdef feed(self, bytes data)
    @cython.locals(floor=Py_ssize_t, position=Py_ssize_t)
    cdef Py_ssize_t _complete(self, bytes data, Py_ssize_t end)
    cdef int _end_line(self, int eol) except -1
    @cython.locals(data=bytes, end=Py_ssize_t, room=Py_ssize_t, full=bint, complete=Py_ssize_t, start=Py_ssize_t,
                   position=Py_ssize_t, head=Head)
    cdef bint _read_head(self) except -1
    @cython.locals(position=Py_ssize_t)
    cdef _skip_empty_lines(self, bytes data, Py_ssize_t end)
    cdef _check_partial_line(self, bytes data, Py_ssize_t start, Py_ssize_t end)
    @cython.locals(position=Py_ssize_t, size=Py_ssize_t, target=Py_ssize_t, mark=Py_ssize_t, table=bytes, eol=int,
                   raw_method=bytes)
    cdef Py_ssize_t _parse_request_line(self, Head head, bytes data, Py_ssize_t start) except -1
    cdef _bad_request_line(self, bytes data, Py_ssize_t start)
    @cython.locals(end=Py_ssize_t, line=bytes, reason=bytes, octet=int)
    cdef Py_ssize_t _parse_status_line(self, Head head, bytes data, Py_ssize_t start) except -1
    # Unsigned, because an index that can't be negative need not be asked whether it is.
    @cython.locals(head=Head, position=size_t, names=cython.ulonglong, octet=int, start=size_t,
                   value_start=size_t, value_end=size_t, length=size_t, one=cython.ulonglong)
    cdef Py_ssize_t _parse_fields(self, bytes data, size_t end) except -2
    cdef _bad_field_name(self, int octet, bint at_start)
    cdef int _note_field(self, Head head, bytes data, Py_ssize_t start, Py_ssize_t length,
                         Py_ssize_t value_start, Py_ssize_t value_end) except -1
    cdef _note_host(self, Head head, bytes data, Py_ssize_t start, Py_ssize_t end)
    cdef _note_connection(self, Head head, bytes value)
    cdef _note_option(self, Head head, bytes option)
    cdef _note_content_length(self, Head head, bytes value)
    cdef _note_transfer_encoding(self, bytes value)
    cdef _check_trailer(self, bytes name)
    @cython.locals(data=bytes, end=Py_ssize_t, room=Py_ssize_t, full=bint, complete=Py_ssize_t, position=Py_ssize_t,
                   head=Head)
    cdef bint _read_trailers(self) except -1
