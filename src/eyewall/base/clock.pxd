cimport cython

# What `time.time` does, without a call of Python: every request asks twice and more.
cdef extern from *:
    """
    #include <time.h>
    static CYTHON_INLINE double eyewall_unix_time(void) {
    #if defined(CLOCK_REALTIME) && !defined(_WIN32)
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
    #elif PY_VERSION_HEX >= 0x030d0000
        PyTime_t now;
        (void) PyTime_TimeRaw(&now);
        return PyTime_AsSecondsDouble(now);
    #else
        return _PyTime_AsSecondsDouble(_PyTime_GetSystemClock());
    #endif
    }
    """
    cpdef double unix_time "eyewall_unix_time" () noexcept


cdef class DateCache:
    cdef object __weakref__
    cdef double _begin
    cdef double _end
    cdef str _text
    cdef bytes _octets

    cpdef str text(self, double now)
    cpdef bytes octets(self, double now)
    cdef int _turn(self, double now) except -1


cpdef str http_date(double now)
cpdef bytes http_date_bytes(double now)
cdef DateCache _cache
