cimport cython


cpdef str text_of(object value)
cpdef str xhtml_escape(object value)
cpdef str escape_text(object value)

@cython.locals(
    char=cython.Py_UCS4,
    amp=cython.bint,
    lt=cython.bint,
    gt=cython.bint,
    quot=cython.bint,
    apos=cython.bint,
)
cdef str _escape(str text)

cdef Py_ssize_t _SHORT
