import cython

from eyewall.base.clock cimport unix_time
from eyewall.base.jsonencoder cimport json_encode
from eyewall.http.requestcore cimport RequestCore
from eyewall.http.exchange cimport Exchange
from eyewall.web.accounting cimport Account
from eyewall.web.response cimport Encoded, encode_fields, encode_headers

cdef object utf8, lookup, done_future, matches_any, _sha1, _small_sha1, responses
cdef object default_headers, HTTPHeaders, ResponseStartLine
cdef Py_ssize_t _SMALL
cdef dict _spellings
cdef str _JSON
cdef dict _etags, _etag_lines
cdef Py_ssize_t _ETAGS_KEPT
cdef object _DEFAULT_NAMES, _STANDING
cdef tuple _CONTENT_FIELDS

cdef class Reply:
    cdef object __weakref__
    cdef public object application
    cdef public object request
    cdef public object path_args
    cdef public object path_kwargs
    cdef public dict _fields
    cdef str _etag
    cdef public object _header_object
    cdef public list _write_buffer
    cdef public dict _new_cookies
    cdef public int _status_code
    cdef public str _reason
    cdef public bint _headers_written
    cdef public bint _finished
    cdef public bint _auto_finish
    cdef public bint _in_error
    cdef public object _body_done
    cdef public object _transforms
    cdef public object _tasks
    cdef public Account _account
    cdef public RequestCore _counted
    cdef public double _queued
    cdef public object _steps

    cdef _note(self)
    cdef bint _is_get(self) except -1
    @cython.locals(core=RequestCore)
    cdef object _method(self)
    @cython.locals(core=RequestCore)
    cdef object _connection(self)
    cdef Encoded _encode(self)
    @cython.locals(exchange=Exchange, encoded=Encoded, code=int, length=Py_ssize_t, bodiless=bint, block=bytes)
    cdef _send_whole(self, bytes body)
    @cython.locals(exchange=Exchange, encoded=Encoded)
    cdef _send_first(self, bytes chunk)
    cdef _start_elsewhere(self, connection, bytes chunk)
    @cython.locals(core=RequestCore)
    cdef _find_request_header(self, bytes name)

@cython.locals(char=cython.Py_UCS4)
cdef bint _has_control(str text) except -1

cdef str _remember_etag(bytes body)
@cython.locals(line=bytes)
cdef bytes _etag_line(str etag)
