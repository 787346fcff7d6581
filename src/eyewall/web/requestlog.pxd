import cython

cdef object _request_end, access_log
cdef dict _levels
cdef str _FILE

cdef class RequestLog:
    cdef public dict settings
    cdef object __weakref__
