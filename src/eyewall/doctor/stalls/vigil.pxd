cimport cython

cdef extern from *:
    """
    #include <stdint.h>
    #include <time.h>
    #ifdef __linux__
    #include <signal.h>

    static double eyewall_clock(clockid_t clock) {
        struct timespec now;
        return clock_gettime(clock, &now) == 0 ? (double)now.tv_sec + 1e-9 * (double)now.tv_nsec : -1.0;
    }
    static double eyewall_monotonic(void) { return eyewall_clock(CLOCK_MONOTONIC); }
    static double eyewall_process_time(void) { return eyewall_clock(CLOCK_PROCESS_CPUTIME_ID); }
    static struct timespec eyewall_time_of(double seconds) {
        struct timespec time = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
        return time;
    }
    static int eyewall_set_time(long timer, double seconds, double again) {
        struct itimerspec setting = {eyewall_time_of(again), eyewall_time_of(seconds)};
        return timer_settime((timer_t)(intptr_t)timer, 0, &setting, NULL);
    }
    #else
    /* Nothing is watched there, see `detector`. */
    static double eyewall_monotonic(void) { return 0.0; }
    static double eyewall_process_time(void) { return 0.0; }
    static int eyewall_set_time(long timer, double seconds, double again) { return 0; }
    #endif

    /* What has no type that Python knows is a number for it. */
    static size_t eyewall_new_lock(void) {
        void *lock = PyThread_allocate_lock();
        if (lock == NULL)
            Py_FatalError("eyewall: no memory for a lock");
        return (size_t)lock;
    }
    static int eyewall_acquire(size_t lock, double seconds) {
        PY_TIMEOUT_T microseconds = seconds > 0.0 ? (PY_TIMEOUT_T)(seconds * 1e6) + 1 : 0;
        return PyThread_acquire_lock_timed((PyThread_type_lock)lock, microseconds, 0) == PY_LOCK_ACQUIRED;
    }
    static int eyewall_release(size_t lock) {
        PyThread_release_lock((PyThread_type_lock)lock);
        return 0;
    }
    static int eyewall_free(size_t lock) {
        PyThread_free_lock((PyThread_type_lock)lock);
        return 0;
    }
    static size_t eyewall_let_go(void) { return (size_t)PyEval_SaveThread(); }
    static int eyewall_take_back(size_t state) {
        PyEval_RestoreThread((PyThreadState *)state);
        return 0;
    }
    """
    cpdef double monotonic "eyewall_monotonic" () noexcept nogil
    cpdef double process_time "eyewall_process_time" () noexcept nogil
    cpdef int set_time "eyewall_set_time" (long timer, double seconds, double again) noexcept nogil
    cpdef size_t _new_lock "eyewall_new_lock" () noexcept
    cpdef bint _acquire "eyewall_acquire" (size_t lock, double seconds) noexcept nogil
    cpdef int _release "eyewall_release" (size_t lock) noexcept
    cpdef int _free "eyewall_free" (size_t lock) noexcept
    cpdef size_t _let_go "eyewall_let_go" () noexcept
    cpdef int _take_back "eyewall_take_back" (size_t state) noexcept

cdef double _late
cdef double _slack
cdef double _soon
cdef int _some


@cython.final
cdef class Vigil:
    cdef object __weakref__
    cdef size_t _lock
    cdef bint _ended
    cdef bint _beats
    cdef double _next
    cdef long _timer
    cdef double _seconds
    cdef double _again
    cdef long _second
    cdef double _second_seconds
    cdef double _second_again
    cdef readonly double due
    cdef readonly int looks

    cpdef beaten(self, double due)
    @cython.locals(state=size_t, ended=bint)
    cpdef bint wait(self, double due)
    @cython.locals(now=double)
    cdef bint _wait(self, double due) noexcept nogil
