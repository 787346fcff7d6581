cpdef object raw_text(object value)
cpdef bytes argument_of(object value)
cpdef object result_of(object value)
cpdef bytes finish(list pieces)
