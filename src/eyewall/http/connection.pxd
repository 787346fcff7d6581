import cython

from eyewall.base.probe cimport Moment
from eyewall.http.exchange cimport Carrier, Exchange
from eyewall.http.h1.engine cimport H1Engine
from eyewall.http.h1.head cimport Head
from eyewall.http.h1.limits cimport Limits

cdef int _HEAD, _IDLE, _BODY, _HANDLER, _LINGER, _CLOSING, _OVER
cdef int _EVENT_HEAD, _EVENT_DATA, _EVENT_END
cdef double _NONE, _GONE
cdef Moment _connection_open, _connection_close
cdef bytes CONTINUE, TERSE
cdef long long _LARGE_BODY

cdef object UNANSWERED, error_response, collector, read_directly, RemoteProtocolError, BodyTooSlow, RequestTimeout, app_log, asyncio, copy_context, describe_connection

cdef class ServerConnection(Carrier):
    cdef readonly object server
    cdef readonly object app
    cdef public object admitted
    cdef public double deadline
    cdef readonly double opened
    cdef readonly long long received
    cdef readonly long long served
    cdef H1Engine _engine
    cdef Limits _limits
    cdef Exchange _exchange
    cdef object _body_wait
    cdef object _context
    cdef double _body_began
    cdef double _body_ends
    cdef double _paused_at
    cdef long long _unread_to
    cdef int _backlog
    cdef signed char _phase
    cdef signed char _advancing
    cdef signed char _resting
    cdef signed char _reading_paused

    cpdef connection_made(self, transport)
    @cython.locals(engine=H1Engine)
    cpdef data_received(self, bytes data)
    cpdef bint eof_received(self) except -1
    @cython.locals(exchange=Exchange)
    cpdef connection_lost(self, error)

    @cython.locals(engine=H1Engine, served=int, event=int)
    cpdef _advance(self)
    cdef _rest(self)
    cpdef _go_on(self)
    @cython.locals(head=Head, exchange=Exchange)
    cdef _begin_exchange(self)
    cpdef content_read(self, Py_ssize_t count)
    @cython.locals(exchange=Exchange)
    cdef bint _take_content(self, bytes data) except -1
    cdef _wait_for(self, wait)
    cdef _bound_content(self)
    @cython.locals(exchange=Exchange)
    cpdef _content_taken(self, future)
    @cython.locals(exchange=Exchange)
    cdef _end_request(self)
    cpdef write_response(self, bytes data)
    cdef _over(self, Exchange exchange)
    @cython.locals(received=cython.longlong)
    cpdef bint must_close(self, Exchange exchange) except -1
    @cython.locals(engine=H1Engine, exchange=Exchange)
    cdef _settle(self)
    cdef _set_body_deadline(self, Exchange exchange)
    cdef bint _told_to_continue(self, Exchange exchange) except -1
    @cython.locals(exchange=Exchange)
    cpdef _decided(self, ready)
    cdef _count_backlog(self, bytes data)
    cdef _pause_reading(self)
    cdef _resume_reading(self)
    cpdef reject(self, error)
    @cython.locals(current=bint)
    cpdef fail(self, error, Exchange exchange)
    @cython.locals(exchange=Exchange, answered=bint, begun=bint)
    cdef _refuse(self, bytes response)
    cdef _end_exchange(self, Exchange exchange)
    cdef _linger(self)
    cdef _close(self)
    cdef double _from_now(self, double seconds) except? -3
    @cython.locals(deadline=double, rate=double)
    cdef double _body_deadline(self) except? -3
    @cython.locals(phase=int)
    cpdef deadline_passed(self, double now)
