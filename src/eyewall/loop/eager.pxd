cimport cython

cdef object _get_running_loop, Task
cdef dict _current_tasks
cdef object _leave_task, _enter_task
cdef bint _NATIVE
cdef object _EAGER_FACTORY
cdef object _STEP


@cython.final
cdef class Starter:
    cdef dict _namespace
    cdef object _hook, _step, _context
    cdef list _more
    cdef object __weakref__

    @cython.locals(namespace=dict)
    cpdef object start(self, object coro, object loop, object context, object name)

    @cython.locals(caught=list)
    cdef tuple _hand_on(self, object loop, object task)


@cython.locals(starter=Starter)
cpdef object start_task(object coro, object loop, object context=*, object name=*)
cdef object _trim(object task)
cdef object _restore(dict namespace, object before)
cdef object _run(object step, object context, object loop)
cdef bint _is_entered(object context) except -1
