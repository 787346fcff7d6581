import cython

from eyewall.base.clock cimport unix_time
from eyewall.http.exchange cimport Exchange
from eyewall.http.h1.head cimport Head
from eyewall.http.requestcore cimport RequestCore
from eyewall.web.dispatch cimport Dispatch
from eyewall.web.routeindex cimport Match, Route, RouteIndex

cdef object _new_request, HTTPServerRequest, DelegateApp, partial

cdef class Entry:
    cdef object _application
    cdef object _default
    cdef object _wildcard
    cdef int _form_fields
    cdef tuple _rate_limits
    cdef object _resolve
    cdef object _unmatched
    cdef object _delegate

    @cython.locals(core=RequestCore, head=Head, now=double, index=RouteIndex, match=Match)
    cpdef begin(self, Exchange exchange)
    @cython.locals(dispatch=Dispatch, route=Route)
    cpdef _serve(self, request, Match match, Exchange exchange)
