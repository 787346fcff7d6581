cdef extern from *:
    """
    #ifdef _WIN32
    #define pread(descriptor, text, size, at) (errno = ENOSYS, -1)
    #else
    #include <unistd.h>
    #endif

    static PyObject *eyewall_pread(int descriptor, size_t size) {
        char text[512];
        Py_ssize_t came = pread(descriptor, text, size < sizeof text ? size : sizeof text, 0);
        return came < 0 ? PyErr_SetFromErrno(PyExc_OSError) : PyBytes_FromStringAndSize(text, came);
    }
    """
    cpdef bytes pread "eyewall_pread" (int descriptor, size_t size)
