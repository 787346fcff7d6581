cimport cython
from libc.stdint cimport int64_t

cdef int _SMALLEST_WINDOW, _FINAL_BLOCKS
cdef bytes _TAIL
cdef object _SYNC_FLUSH, _decompressobj, _zlib_error

@cython.final
cdef class DeflateCodec:
    cdef readonly object options
    cdef readonly int deflate_bits
    cdef bint _deflate_fresh, _inflate_fresh
    cdef int _inflate_bits, _final_blocks
    cdef object _deflater, _inflater

    cpdef deflate(self, bytes payload)
    cpdef kind(self, bytes payload)
    cpdef forget_sent(self)
    @cython.locals(out=bytes)
    cpdef bytes inflate(self, data, int64_t room, bint final)
    cdef _new_inflater(self)
    @cython.locals(pieces=list, have=int64_t)
    cdef bytes _restart(self, stream, bytes out, int64_t room)

@cython.locals(head=bytes, rest=bytes)
cpdef bytes finish_deflate(stream, bytes payload)
