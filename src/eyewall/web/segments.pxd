import cython

cdef int SEGMENT, NUMBER

cdef class Segments:
    cdef readonly object regex
    cdef readonly str start
    cdef readonly list texts
    cdef readonly list kinds
    cdef readonly Py_ssize_t count

    @cython.locals(end=Py_ssize_t, at=Py_ssize_t, first=Py_ssize_t, index=Py_ssize_t, found=list, text=str, kind=int)
    cpdef tuple groups(self, str path)
    cdef _matched(self, str path)
