cimport cython
from libc.stdint cimport int32_t, uint32_t, uint64_t

cdef Py_ssize_t _ENTRY_WORDS, _COMPLETION_WORDS
cdef uint32_t _LAST
cdef uint64_t _SEND, _FLAGS

cdef class SendRing:
    cdef readonly int descriptor
    cdef list _mapped
    cdef object _syscall, _mmap, _munmap
    cdef uint32_t[::1] _numbers
    cdef uint64_t[::1] _entries, _completions
    cdef Py_ssize_t _sq_head, _sq_tail, _cq_head, _cq_tail
    cdef uint32_t _cq_mask

    cdef _open(self)
    cdef _map(self, size, where)
    cdef _try(self)
    @cython.locals(rests=list, total=Py_ssize_t, first=Py_ssize_t, count=Py_ssize_t, taken=Py_ssize_t, left=Py_ssize_t)
    cpdef list send(self, list descriptors, list frames)
    @cython.locals(
        tail=uint32_t, frame=bytes, last=bytes, address=uint64_t, size=uint64_t,
        index=Py_ssize_t, at=Py_ssize_t, descriptor=uint64_t,
    )
    cdef _fill(self, list descriptors, list frames, Py_ssize_t first, Py_ssize_t count)
    cdef Py_ssize_t _enter(self, Py_ssize_t count, Py_ssize_t awaited) except -2
    @cython.locals(
        head=uint32_t, tail=uint32_t, count=Py_ssize_t, at=Py_ssize_t, index=Py_ssize_t, result=uint32_t, frame=bytes,
    )
    cdef Py_ssize_t _collect(self, list frames, list rests) except -1
    cpdef close(self)

@cython.locals(ring=SendRing, rests=list)
cpdef list send_each(list descriptors, list frames)

@cython.locals(rests=list, index=Py_ssize_t, frame=bytes, taken=Py_ssize_t)
cdef list _write_each(list descriptors, list frames)
