import cython

cdef double _blocking
cdef double _quick
cdef int _untimed
cdef int _BUCKETS
cdef frozenset _METHODS
cdef double _bounds[16]
cdef dict _accounts


@cython.final
cdef class Cell:
    cdef readonly object method
    cdef readonly int status
    cdef readonly long long count
    cdef readonly double seconds
    cdef readonly double largest
    cdef long long _counts[17]


@cython.final
cdef class Account:
    # What is looked at for every request comes first: it is in one line of the cache, or two.
    cdef object _method
    cdef int _status
    cdef int _more
    cdef int _summed
    cdef public int exact
    cdef public int budget
    cdef int _at
    cdef double _like
    cdef Cell _last
    cdef object __weakref__
    cdef readonly str route
    cdef readonly str handler
    cdef long long _count
    cdef readonly double queued
    cdef readonly double receiving
    cdef double _running
    cdef readonly double blocking
    cdef readonly long long suspended
    cdef readonly double suspended_time
    cdef readonly long long measured
    cdef readonly double measured_time
    cdef readonly double measured_running
    cdef readonly double measured_blocking
    cdef dict _cells

    @cython.locals(told=Cell, number=int, at=int)
    cdef Cell _told(self, Cell cell)
    cpdef bint likens(self, method, int status) noexcept
    @cython.locals(cell=Cell, number=int)
    cdef void _sum(self) noexcept
    @cython.locals(seconds=double, work=double, before=double, cell=Cell, at=int, measured=Steps, record=object)
    cpdef note(self, method, int status, double now, double began, double ready, double queued, steps)
    cdef Cell _cell(self, method, int status)


@cython.final
cdef class Steps:
    cdef object __weakref__
    cdef readonly object inner
    cdef public object record
    cdef readonly double made
    cdef readonly double running
    cdef readonly double blocking
    cdef double _began
    cdef object _clock

    cpdef look(self, double now)
    @cython.locals(began=double)
    cdef _begin(self)
    @cython.locals(seconds=double)
    cdef _count(self, double now)


@cython.locals(account=Account)
cpdef Account account_for(route, handler_class)
