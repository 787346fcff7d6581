cimport cython

from eyewall.websocket.connection cimport WebSocketConnection

@cython.locals(
    sent=Py_ssize_t, skipped=Py_ssize_t, dropped=Py_ssize_t, size=Py_ssize_t,
    plain=bytes, frame=bytes, connection=WebSocketConnection, now=double, direct=list, descriptors=list, frames=list,
    descriptor=int, index=Py_ssize_t, taken=Py_ssize_t,
)
cdef tuple _send_all(list targets, prepared, bint skip_slow)
