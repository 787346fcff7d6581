import cython

from eyewall.http.exchange cimport Exchange

cdef object request_id, asyncio, _set, _reset
cdef str _prefix
cdef unsigned long long _MASK, _factor, _count

@cython.locals(number=cython.ulonglong)
cpdef str new_request_id()

cdef class IdentifyingApp:
    cdef object _app
    cdef Py_ssize_t _longest
    cdef readonly object on_close

    @cython.locals(name=str)
    cpdef begin(self, Exchange exchange)

cdef class IdentifiedSink:
    cdef object _sink
    cdef str _name

    cpdef data(self, bytes chunk)
    cpdef end(self)
    cpdef closed(self)
