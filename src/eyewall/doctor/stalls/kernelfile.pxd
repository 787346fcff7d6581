cdef extern from *:
    """
    #include <errno.h>
    #include <stdlib.h>
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

    static double eyewall_second_number(int descriptor) {
        char text[101], *second, *end;
        double number = 0.0;
        Py_ssize_t came = pread(descriptor, text, sizeof text - 1, 0);
        if (came < 0) {
            PyErr_SetFromErrno(PyExc_OSError);
            return -1.0;
        }
        text[came] = 0;
        (void) strtoull(text, &second, 10);
        number = (double)strtoull(second, &end, 10);
        if (second == text || end == second) {
            PyErr_SetString(PyExc_ValueError, "there is no second number");
            return -1.0;
        }
        return number;
    }
    """
    cpdef bytes pread "eyewall_pread" (int descriptor, size_t size)
    cpdef double second_number "eyewall_second_number" (int descriptor) except? -1.0
