import cython

from eyewall.http.h1.content cimport ContentReader
from eyewall.http.h1.head cimport Head

cdef int _NEED_DATA, _HEAD, _DATA, _END
cdef int _READING_HEAD, _LENGTH, _CHUNKED, _UNTIL_CLOSE, _FINISHED, _DONE, _PASSED, _FAILED

cdef class H1Engine(ContentReader):
    cdef str _requested
    cdef int _informational
    cdef signed char _state

    cpdef Py_ssize_t buffered(self)
    cpdef bint idle(self)
    cpdef bint in_body(self)
    cpdef long long received(self)
    cpdef skip_content(self, long long size)
    cpdef expect(self, str method)
    cpdef start_next(self)
    @cython.locals(rest=bytes)
    cpdef bytes take_rest(self)
    @cython.locals(between=bint)
    cpdef int feed_eof(self) except -1
    @cython.locals(state=int, event=int)
    cpdef int next_event(self) except -1
    @cython.locals(head=Head)
    cdef int _frame(self) except -1
    cdef int _frame_request(self, Head head) except -1
    @cython.locals(status=int)
    cdef int _frame_response(self, Head head) except -1
