import cython

from eyewall.base.clock cimport unix_time

cdef object http_date_bytes, active, HTTPOutputError, HTTPHeaders
cdef bytes _HTML_LINE
cdef dict _type_lines
cdef int _TYPE_LINES_KEPT
cdef double _second
cdef bytes _top, _html_top

cpdef bytes standing_fields(double now, bint html)
cpdef forget_defaults()

cdef class Encoded:
    cdef readonly bytes block
    cdef readonly Py_ssize_t length
    cdef readonly bint close
    cdef readonly bytes coding

@cython.locals(length=Py_ssize_t, close=bint, html=bint, text=str, block=bytes, coding=bytes, top=bytes, name=str, value=str, kind=bytes)
cpdef Encoded encode_fields(dict fields, dict cookies, bytes line)
cpdef Encoded encode_headers(headers, cookies)
cdef Py_ssize_t _stated_length(value) except -1
