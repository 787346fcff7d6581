import cython

cdef object heapify, heappop, heappush, ref, app_log, clock_of
cdef double EARLY
cdef Py_ssize_t _LITTER


cdef class Alarm:
    cdef readonly Alarms alarms
    cdef readonly double at
    cdef public object call
    cdef public object subject

    cpdef clear(self)


cdef class Alarms:
    cdef object __weakref__
    cdef object _loop
    cdef object _clock
    cdef public list _heap
    cdef Py_ssize_t _cleared
    cdef list _armed

    cpdef Alarm set(self, double at, object call, object subject=*)
    cpdef litter(self)
    cdef _arm(self, double at)
    @cython.locals(alarm=Alarm, due=double)
    cpdef _on_timer(self)
