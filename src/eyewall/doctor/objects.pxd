# What `_picked` does, without a call for each object. From when the list is there until it is gone nothing of Python
# runs: no audit hook, no other thread, no collection.
cdef extern from *:
    """
    static size_t eyewall_slot_of(PyObject **table, size_t last, PyObject *type) {
        /* Objects lie at multiples of 16. */
        size_t slot = ((size_t)type >> 4) & last;
        while (table[slot] != NULL && table[slot] != type)
            slot = (slot + 1) & last;
        return slot;
    }

    static int eyewall_pick(PyObject *get_objects, PyObject *types, PyObject *found) {
        Py_ssize_t count = PyTuple_GET_SIZE(types), at;
        size_t size = 16;
        int collects, failed;
        PyObject **table, *every;
        while (size < 4 * (size_t)count)
            size *= 2;
        table = PyMem_Calloc(size, sizeof *table);
        if (table == NULL) {
            PyErr_NoMemory();
            return -1;
        }
        for (at = 0; at < count; at++) {
            PyObject *type = PyTuple_GET_ITEM(types, at);
            table[eyewall_slot_of(table, size - 1, type)] = type;
        }
        collects = PyGC_Disable();
        every = PyObject_CallNoArgs(get_objects);
        failed = every == NULL;
        for (at = 0; !failed && at < PyList_GET_SIZE(every); at++) {
            PyObject *each = PyList_GET_ITEM(every, at);
            if (table[eyewall_slot_of(table, size - 1, (PyObject *)Py_TYPE(each))] != NULL)
                failed = PyList_Append(found, each) < 0;
        }
        Py_XDECREF(every);
        if (collects)
            PyGC_Enable();
        PyMem_Free(table);
        return failed ? -1 : 0;
    }
    """
    cpdef int pick "eyewall_pick" (object get_objects, tuple types, list found) except -1
