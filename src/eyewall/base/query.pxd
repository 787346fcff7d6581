cimport cython

from eyewall.base.percent cimport form_decode


@cython.locals(fields=list, piece=bytes, name=bytes, equals=bytes, value=bytes, coded=cython.bint)
cpdef list parse_fields(bytes data, Py_ssize_t limit=*, bint keep_blank=*, bint strict=*)

@cython.locals(arguments=dict, values=list)
cpdef dict parse_arguments(bytes data, Py_ssize_t limit=*, bint keep_blank=*, bint strict=*)
