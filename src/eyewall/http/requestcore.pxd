from eyewall.http.h1.head cimport Head

cdef object HTTPHeaders

cdef class RequestCore:
    cdef object __weakref__
    cdef public object method
    cdef public object body
    cdef public object connection
    cdef public Head _head
    cdef public object _made_headers
    cdef public int _form_fields
    cdef public double _start_time
    cdef public double _ready_time

    cpdef take(self, exchange, Head head, int form_fields, double now)
    cpdef find_header(self, bytes name)
