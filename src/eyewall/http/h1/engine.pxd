import cython

from eyewall.http.h1.head cimport Head, parse_block

cdef int _START, _FIELDS, _LENGTH, _CHUNK_SIZE, _CHUNK_DATA, _TRAILERS, _UNTIL_CLOSE, _FINISHED, _DONE
cdef int _PASSED, _FAILED
cdef int _EOL_UNKNOWN, _EOL_CRLF, _EOL_LF
cdef bytes _TOKEN, _VALUE, _HOST, _HEX
cdef dict _METHODS
cdef int _LONGEST_METHOD, _MOST_EMPTY_LINES, _CHUNK_SIZE_DIGITS

@cython.locals(at=Py_ssize_t, octet=int, other=int)
cdef bint _same(bytes data, Py_ssize_t start, Py_ssize_t end, bytes lower)

cdef class H1Engine:
    cdef readonly object profile
    cdef bint _client
    cdef bytes _target_table
    cdef bytes _buffer
    cdef Py_ssize_t _position
    cdef Py_ssize_t _line
    cdef int _informational
    cdef str _requested
    cdef readonly bytes data
    cdef readonly Head head
    cdef int _state
    cdef int _eol
    cdef int _empty_lines
    cdef int _field_count
    cdef Py_ssize_t _head_bytes
    cdef long long _remaining
    cdef long long _body_received
    cdef Py_ssize_t _extension_bytes
    cdef bint _host_seen, _connection_seen, _upgrade_seen
    cdef int _transfer_encoding
    cdef public long long body_limit

    cdef void _begin(self)
    cpdef feed(self, bytes data)
    cpdef int feed_eof(self) except -1
    cpdef expect(self, str method)
    cpdef start_next(self)
    cpdef bytes take_rest(self)
    cpdef int next_event(self) except -1

    @cython.locals(data=bytes, end=Py_ssize_t, position=Py_ssize_t, line_end=Py_ssize_t, head=Head)
    cdef int _read_head(self) except -1
    @cython.locals(size=Py_ssize_t, space=Py_ssize_t)
    cdef _check_partial_start(self, bytes data, Py_ssize_t position, Py_ssize_t end)
    cdef _check_head_size(self, Py_ssize_t end)
    cdef Py_ssize_t _line_end(self, bytes data, Py_ssize_t start, Py_ssize_t line_feed) except -1
    @cython.locals(end=Py_ssize_t, table=bytes, position=Py_ssize_t, target_start=Py_ssize_t,
                   target_end=Py_ssize_t, mark=Py_ssize_t, raw_method=bytes, method=str)
    cdef _parse_request_line(self, Head head, bytes data, Py_ssize_t start, Py_ssize_t line_feed)
    cdef _bad_request_line(self, bytes data, Py_ssize_t start, Py_ssize_t target_end, Py_ssize_t end)
    cdef _parse_other_target(self, Head head)
    @cython.locals(end=Py_ssize_t, line=bytes, reason=bytes, octet=int)
    cdef _parse_status_line(self, Head head, bytes data, Py_ssize_t start, Py_ssize_t line_feed)
    @cython.locals(head=Head, position=Py_ssize_t, names=cython.ulonglong, octet=int, line_feed=Py_ssize_t,
                   start=Py_ssize_t, name_end=Py_ssize_t, value_start=Py_ssize_t, value_end=Py_ssize_t,
                   length=Py_ssize_t, one=cython.ulonglong)
    cdef int _parse_fields(self, bytes data, Py_ssize_t end) except -1
    cdef _bad_field_name(self, int octet, bint at_start)
    @cython.locals(name_end=Py_ssize_t)
    cdef _note_field(self, Head head, bytes data, Py_ssize_t start, Py_ssize_t length,
                         Py_ssize_t value_start, Py_ssize_t value_end)
    @cython.locals(position=Py_ssize_t)
    cdef _note_host(self, Head head, bytes data, Py_ssize_t start, Py_ssize_t end)
    cdef _note_connection(self, Head head, bytes value)
    @cython.locals(size=Py_ssize_t, length=cython.longlong, position=Py_ssize_t, digit=int)
    cdef _note_content_length(self, Head head, bytes data, Py_ssize_t start, Py_ssize_t end)
    cdef _note_transfer_encoding(self, bytes value)
    cdef int _frame(self, Head head) except -1
    cdef int _frame_response(self, Head head) except -1
    cdef _count_body(self, Py_ssize_t size)
    @cython.locals(position=Py_ssize_t, size=Py_ssize_t, data=bytes)
    cdef bytes _take(self, long long most)
    cdef int _read_length(self) except -1
    cdef int _read_until_close(self) except -1
    @cython.locals(pieces=list, piece=bytes)
    cdef int _read_chunked(self) except -1
    @cython.locals(buffer=bytes, left=Py_ssize_t)
    cdef int _end_chunk(self) except -1
    @cython.locals(buffer=bytes, end=Py_ssize_t, position=Py_ssize_t, size=cython.longlong, digits=int,
                   value=int, extension=Py_ssize_t)
    cdef int _read_chunk_size(self) except -1
    @cython.locals(buffer=bytes, position=Py_ssize_t, left=Py_ssize_t, end=Py_ssize_t, size=Py_ssize_t)
    cdef int _read_trailers(self) except -1

@cython.locals(position=Py_ssize_t, end=Py_ssize_t, start=Py_ssize_t, after_name=Py_ssize_t)
cdef bint _is_extension(bytes extension)
