cimport cython

from eyewall.guard.wheel cimport DeadlineWheel
from eyewall.loop.done cimport done_future


cdef extern from *:
    """
    #ifdef _WIN32
    static Py_ssize_t eyewall_send(int descriptor, PyObject *data) { return -1; }
    #else
    #include <sys/socket.h>
    #ifndef MSG_NOSIGNAL
    #define MSG_NOSIGNAL 0
    #endif
    static Py_ssize_t eyewall_send(int descriptor, PyObject *data) {
        return send(descriptor, PyBytes_AS_STRING(data), (size_t)PyBytes_GET_SIZE(data), MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    #endif
    """
    cpdef Py_ssize_t send "eyewall_send" (int descriptor, bytes data) noexcept


cdef int _LOOKS
cdef Py_ssize_t _FEW_WAITERS
cdef int _FILLS_A_TURN
cdef int _UNKNOWN, _NONE_TO_USE


cdef class WriteWatch:
    cdef object __weakref__
    cdef FlowControl flow
    cdef double timeout
    cdef long long taken
    cdef double moved
    cdef public double deadline

    cpdef start(self, double now)


cdef class FlowControl:
    cdef object __weakref__
    cdef readonly object loop
    cdef readonly DeadlineWheel wheel
    cdef public object transport
    cdef public bint paused
    cdef public bint closed
    cdef public object error
    cdef public long long written
    cdef public bint outside
    cdef readonly WriteWatch watch
    cdef public Py_ssize_t write_high_water
    cdef public double write_timeout
    cdef long long _turn_bytes
    cdef long long _turned
    cdef list _waiters
    cdef Py_ssize_t _crowd
    cdef int _descriptor
    cdef double _written_at
    cdef long long _emptied

    cpdef attach(self, transport)

    cpdef lost(self, error)

    cpdef write(self, data)

    @cython.locals(descriptor=int, taken=Py_ssize_t)
    cpdef write_now(self, bytes data)

    cpdef bint is_plain(self) except -1

    @cython.locals(descriptor=int)
    cpdef int open_socket(self, double now) except -2

    cdef int _free_descriptor(self) except -2

    cpdef written_past(self, Py_ssize_t count)

    cpdef hand_back(self, Py_ssize_t count)

    cpdef Py_ssize_t waiting(self)

    cpdef drained(self)

    cpdef waiter(self)

    cpdef close(self)

    cpdef abort(self, error=*)

    cpdef watch_writes(self)

    cpdef stalled(self, double timeout)

    cdef _wake(self)

    cdef _failed(self, waiter)
