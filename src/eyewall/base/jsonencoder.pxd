import cython

cdef Py_ssize_t SIZE, DEEP, SHORT, _RESERVE, _ROOM
cdef bytes _HEX
cdef list _spare
cdef object _quoted, _repr_of_float

@cython.locals(end=Py_ssize_t, buffer=bytearray, text=str)
cpdef str json_encode(object value)
@cython.locals(number=str)
cdef Py_ssize_t _put(bytearray buffer, object value, Py_ssize_t at, Py_ssize_t depth) except -2
@cython.locals(first=cython.bint)
cdef Py_ssize_t _put_members(bytearray buffer, dict members, Py_ssize_t at, Py_ssize_t depth) except -2
@cython.locals(first=cython.bint)
cdef Py_ssize_t _put_items(bytearray buffer, items, Py_ssize_t at, Py_ssize_t depth) except -2
@cython.locals(before=cython.uint, code=cython.uint, char=cython.Py_UCS4)
cdef Py_ssize_t _put_text(bytearray buffer, str text, Py_ssize_t at) except -2
@cython.locals(letter=cython.uint)
cdef Py_ssize_t _put_escaped(bytearray buffer, cython.uint code, Py_ssize_t at) except -2
@cython.locals(octets=bytes, end=Py_ssize_t)
cdef Py_ssize_t _put_long(bytearray buffer, str text, Py_ssize_t at) except -2
@cython.locals(octet=cython.uchar)
cdef Py_ssize_t _put_word(bytearray buffer, bytes word, Py_ssize_t at) except -2
