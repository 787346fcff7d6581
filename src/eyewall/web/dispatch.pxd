import cython

from eyewall.base.clock cimport unix_time
from eyewall.base.probe cimport Moment
from eyewall.guard.deadlines.deadline cimport Deadline
from eyewall.http.exchange cimport Exchange
from eyewall.http.requestcore cimport RequestCore
from eyewall.loop.eager cimport start_task
from eyewall.web.accounting cimport Account, Steps, account_for
from eyewall.web.reply cimport Reply
from eyewall.web.routeindex cimport Route

cdef object _get_loop, copy_context, complete, complete_prepare, complete_rates, stream, unquoted, registry
cdef object app_log, HTTPError, RemoteProtocolError, StreamClosedError, asyncio
cdef Moment _request_begin
cdef dict _VERBS
cdef object _plain_decoding
cdef dict _running
cdef object _deadlines, _overtime, _check_rates
cdef bint _counting
cdef object SUSPENDED, _recorder
cdef object _SAFE

cdef class Dispatch:
    cdef object __weakref__
    cdef public object application
    cdef public RequestCore request
    cdef public object handler_class
    cdef public object kwargs
    cdef public object path_args
    cdef public object path_kwargs
    cdef public Route route
    cdef public object rate_limits
    cdef public Exchange exchange
    cdef public Reply handler
    cdef public object pieces
    cdef public object context
    cdef public object task
    cdef public object ready
    cdef public object body_done
    cdef public Deadline deadline
    cdef public object alarm
    cdef public object overdue
    cdef public bint abandoned
    cdef public bint in_time
    cdef public bint left
    cdef public bint streaming

    cpdef begin(self)
    cpdef data(self, bytes chunk)
    @cython.locals(handler=Reply)
    cdef _pass_on(self, bytes chunk)
    @cython.locals(pieces=list, handler=Reply)
    cpdef end(self)
    cpdef closed(self)
    @cython.locals(exchange=Exchange, steps=Steps)
    cdef _start(self, rest)
    @cython.locals(handler=Reply, account=Account, steps=Steps)
    cdef Steps _steps_of(self, rest)
    cdef bint _likened(self) noexcept
    cdef bint _count(self) except -1
    @cython.locals(queued=double)
    cdef bint _enter(self, Account account) except -1
    cpdef over(self)
    @cython.locals(handler=Reply)
    cdef _end_tasks(self)
    @cython.locals(handler=Reply)
    cpdef bint _make(self)
    @cython.locals(handler=Reply)
    cpdef _run(self)
    @cython.locals(handler=Reply)
    cpdef completed(self)
    cpdef check_rates(self)
    @cython.locals(handler=Reply)
    cpdef check(self)
    cdef _begin_time(self)
    @cython.locals(deadline=Deadline)
    cdef _check_time(self)
    cpdef call_verb(self)
    cdef _decoded(self, value, name)
    cpdef fail(self, error)
