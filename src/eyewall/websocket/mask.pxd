cimport cython
from libc.stdint cimport uint32_t


cpdef uint32_t rotate(uint32_t key, size_t offset)

@cython.locals(
    size=Py_ssize_t, i=Py_ssize_t, whole=Py_ssize_t, left=Py_ssize_t,
    source="const unsigned char *", target="unsigned char *", out=bytearray,
    k0="unsigned char", k1="unsigned char", k2="unsigned char", k3="unsigned char",
)
cpdef bytearray xor(bytes data, Py_ssize_t start, Py_ssize_t stop, uint32_t key)

cpdef uint32_t read_key(bytes data, size_t at)
