import cython

from eyewall.http.exchange cimport Carrier, Exchange
from eyewall.http.h1.engine cimport H1Engine
from eyewall.http.h1.head cimport Head

cdef int _HEAD, _IDLE, _BODY, _HANDLER, _LINGER, _CLOSING, _OVER
cdef int _EVENT_HEAD, _EVENT_DATA, _EVENT_END
cdef double _NONE, _GONE
cdef object _connection_open, _connection_close
cdef bytes CONTINUE
from eyewall.http.h1.writer cimport status_line

cdef object responses, RemoteProtocolError, BodyTooSlow, RequestTimeout, app_log, asyncio

cdef class ServerConnection(Carrier):
    cdef readonly object server
    cdef readonly object app
    cdef readonly object profile
    cdef public double deadline
    cdef readonly long long served
    cdef H1Engine _engine
    cdef Exchange _exchange
    cdef int _phase
    cdef bint _advancing
    cdef bint _reading_paused
    cdef int _backlog
    cdef double _body_began
    cdef double _body_ends
    cdef double _paused_at
    cdef object _body_wait

    cpdef connection_made(self, transport)
    @cython.locals(engine=H1Engine)
    cpdef data_received(self, bytes data)
    cpdef bint eof_received(self) except -1
    @cython.locals(exchange=Exchange)
    cpdef connection_lost(self, error)

    @cython.locals(engine=H1Engine, served=int, event=int)
    cpdef _advance(self)
    @cython.locals(exchange=Exchange)
    cdef _begin_exchange(self, Head head)
    @cython.locals(exchange=Exchange)
    cdef _take_content(self, bytes data)
    cdef _wait_for(self, wait)
    cpdef _content_taken(self, future)
    @cython.locals(exchange=Exchange)
    cdef _end_request(self)
    cdef _over(self, Exchange exchange)
    cdef bint _unread_is_much(self, Exchange exchange) except -1
    @cython.locals(engine=H1Engine, exchange=Exchange)
    cdef _settle(self)
    cdef _count_backlog(self, bytes data)
    cdef _pause_reading(self)
    cdef _resume_reading(self)
    cpdef reject(self, error)
    cdef _fail(self, error)
    @cython.locals(exchange=Exchange, begun=bint)
    cdef _refuse(self, int status)
    cdef _end_exchange(self, Exchange exchange)
    cdef _linger(self)
    cdef _close(self)
    cdef double _from_now(self, double seconds) except? -3
    @cython.locals(deadline=double, rate=double)
    cdef double _body_deadline(self) except? -3
    @cython.locals(phase=int, deadline=double)
    cpdef deadline_passed(self, double now)
