import cython

from eyewall.web.accounting cimport Account
from eyewall.web.segments cimport Segments

cdef dict _NO_NAMES
cdef object unquoted, AnyMatches, PathMatches
cdef int WHOLE, PATTERN, ALWAYS, ASK

cdef class Match:
    cdef readonly object target
    cdef readonly object target_kwargs
    cdef readonly object raw_args
    cdef readonly object raw_kwargs
    cdef readonly object delegate
    cdef readonly Route route

cdef class Route:
    cdef readonly int order
    cdef readonly object rule
    cdef readonly object matcher
    cdef readonly bint final
    cdef readonly int kind
    cdef readonly str text
    cdef readonly object regex
    cdef readonly Segments segments
    cdef readonly bint named
    cdef readonly Match ready
    cdef readonly str label
    cdef readonly object limit
    cdef readonly object turn_away
    cdef readonly object rate_limit
    cdef public Account account

    cpdef tuple groups(self, str path)

cdef class RouteIndex:
    cdef readonly Py_ssize_t size
    cdef list _prefixes
    cdef list _own
    cdef list _parents
    cdef list _merged
    cdef dict _whole
    cdef dict _found
    cdef Py_ssize_t _room
    cdef tuple _only

    @cython.locals(route=Route, kind=int, candidates=tuple, ready=Match, groups=tuple)
    cpdef find(self, str path, request, resolve)
    cpdef tuple candidates(self, str path)
    @cython.locals(at=Py_ssize_t, low=Py_ssize_t, high=Py_ssize_t, middle=Py_ssize_t)
    cdef Py_ssize_t _position(self, str path) except -1
    cdef tuple _chain(self, Py_ssize_t at)
    cdef bint _keep(self, Py_ssize_t size)
