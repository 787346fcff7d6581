cdef class Limits:
    cdef readonly object profile
    cdef readonly Py_ssize_t head_bytes
    cdef readonly int head_fields
    cdef readonly Py_ssize_t target_bytes
    cdef readonly Py_ssize_t line_bytes
    cdef readonly bytes target_octets
    cdef readonly bint bare_lf
    cdef readonly bint repeated_content_length
    cdef readonly bint chunked_in_1_0
    cdef readonly bint missing_host
    cdef readonly int informational_responses
    cdef readonly long long body_bytes
    cdef readonly Py_ssize_t chunk_extension_bytes
    cdef readonly Py_ssize_t trailer_bytes
    cdef readonly long long unread_body_bytes
    cdef readonly int pipelined_requests
    cdef readonly double head_timeout
    cdef readonly double idle_timeout
    cdef readonly double body_min_rate
    cdef readonly double body_grace
    cdef readonly double body_timeout
    cdef readonly double linger_timeout

    cpdef line_too_long(self)
