cdef object get_running_loop

cpdef object done_future(object loop=*)
cdef object _make(object loop)
