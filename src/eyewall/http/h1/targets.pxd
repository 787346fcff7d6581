import cython

from eyewall.http.h1.head cimport Head

cdef bytes HEX_DIGITS, HOST_OCTETS
cdef tuple _SCHEMES
cdef int _LONGEST_ADDRESS

@cython.locals(position=Py_ssize_t, port=int, digit=int)
cpdef bint is_authority(bytes data, Py_ssize_t start, Py_ssize_t end) except -1

cdef bint _is_address(bytes text) except -1

@cython.locals(target=str, scheme=str, separator=str, rest=str, origin=str, cut=Py_ssize_t, found=Py_ssize_t)
cpdef parse_target(Head head)
