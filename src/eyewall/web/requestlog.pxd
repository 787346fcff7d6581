import cython

from eyewall.base.probe cimport Moment

cdef object access_log
cdef Moment _request_end
cdef dict _levels
cdef str _FILE

cdef class RequestLog:
    cdef public dict settings
    cdef object __weakref__
