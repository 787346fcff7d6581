cdef extern from *:
    """
    static PyObject *eyewall_listener = NULL;
    static PyInterpreterState *eyewall_interpreter = NULL;

    static int eyewall_audit(const char *event, PyObject *arguments, void *data) {
        PyObject *done;
        if (event[0] == 'o' ? strcmp(event, "open") : event[0] != 's' || (strcmp(event, "socket.__new__")
            && strcmp(event, "sqlite3.connect") && strcmp(event, "subprocess.Popen")))
            return 0;
        /* Such a hook is the whole process's, and outlives the interpreter. */
        if (arguments == NULL || !PyTuple_Check(arguments) || !Py_IsInitialized()
            || PyInterpreterState_Get() != eyewall_interpreter)
            return 0;
        done = PyObject_CallFunction(eyewall_listener, "sO", event, arguments);
        if (done == NULL)
            return -1;
        Py_DECREF(done);
        return 0;
    }

    static int eyewall_hear(PyObject *listener) {
        int first = eyewall_listener == NULL;
        eyewall_interpreter = PyInterpreterState_Get();
        Py_XSETREF(eyewall_listener, Py_NewRef(listener));
        return first ? PySys_AddAuditHook(eyewall_audit, NULL) : 0;
    }
    """
    cpdef int hear "eyewall_hear" (object listener) except -1
