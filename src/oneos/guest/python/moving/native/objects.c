/* Objects whose state cannot be reached from Python: generators, closures, frames. */
#include "moving.h"
#include "internal/pycore_initconfig.h"

/* fill_generator(generator, state, slots, index, handled) */
PyObject *moving_fill_generator(PyObject *Py_UNUSED(self), PyObject *args)
{
    PyObject *object, *slots, *handled;
    int state, index;
    if (!PyArg_ParseTuple(args, "OiO!iO", &object, &state, &PyList_Type, &slots, &index, &handled))
        return NULL;
    PyGenObject *generator = (PyGenObject *)object;
    if (fill_frame(generator_frame(generator), slots, index) < 0)
        return NULL;
    generator->gi_frame_state = (int8_t)state;
    if (handled != Nothing)
        Py_XSETREF(generator->gi_exc_state.exc_value, Py_NewRef(handled));
    Py_RETURN_NONE;
}

/* set_closure(function, cells) */
PyObject *moving_set_closure(PyObject *Py_UNUSED(self), PyObject *args)
{
    PyObject *function, *cells;
    if (!PyArg_ParseTuple(args, "O!O!", &PyFunction_Type, &function, &PyTuple_Type, &cells))
        return NULL;
    Py_XSETREF(((PyFunctionObject *)function)->func_closure, Py_NewRef(cells));
    Py_RETURN_NONE;
}

/* new_frame(code, globals, locals, index): one that has ended, as tracebacks refer to. */
PyObject *moving_new_frame(PyObject *Py_UNUSED(self), PyObject *args)
{
    PyObject *code, *globals, *space;
    int index;
    if (!PyArg_ParseTuple(args, "O!O!Oi", &PyCode_Type, &code, &PyDict_Type, &globals, &space,
                          &index))
        return NULL;
    PyFrameObject *frame = PyFrame_New(PyThreadState_Get(), (PyCodeObject *)code, globals,
                                       space == Py_None ? NULL : space);
    if (frame != NULL)
        frame_set_index(frame->f_frame, index);
    return (PyObject *)frame;
}

/* is_python_class(type): whether a class statement, or type() itself, made it. */
PyObject *moving_is_python_class(PyObject *Py_UNUSED(self), PyObject *object)
{
    static destructor of_python;
    if (of_python == NULL) {
        PyObject *sample = PyObject_CallFunction((PyObject *)&PyType_Type, "s(){}", "sample");
        if (sample == NULL)
            return NULL;
        of_python = ((PyTypeObject *)sample)->tp_dealloc;
        Py_DECREF(sample);
    }
    /* C that makes a class from a specification keeps its name there. */
    return PyBool_FromLong(PyType_Check(object)
                           && ((PyTypeObject *)object)->tp_dealloc == of_python
                           && ((PyHeapTypeObject *)object)->_ht_tpname == NULL);
}

/* hash_seed(): what this interpreter was given for the hashes of strings; None: a random one. */
PyObject *moving_hash_seed(PyObject *Py_UNUSED(self), PyObject *Py_UNUSED(nothing))
{
    const PyConfig *config = &PyInterpreterState_Get()->config;
    if (!config->use_hash_seed)
        Py_RETURN_NONE;
    return PyLong_FromUnsignedLong(config->hash_seed);
}

/* exits(): what is called at the interpreter's end, as (function, arguments, named or None). */
PyObject *moving_exits(PyObject *Py_UNUSED(self), PyObject *Py_UNUSED(nothing))
{
    struct atexit_state *state = &PyInterpreterState_Get()->atexit;
#if SINCE_14
    return PyList_GetSlice(state->callbacks, 0, PY_SSIZE_T_MAX);
#else
    PyObject *list = PyList_New(0);
    for (int at = 0; list != NULL && at < state->ncallbacks; at++) {
        if (state->callbacks[at] == NULL) /* Unregistered. */
            continue;
        PyObject *named = state->callbacks[at]->kwargs;
        PyObject *one = Py_BuildValue("(OOO)", state->callbacks[at]->func,
                                      state->callbacks[at]->args, named ? named : Py_None);
        if (one == NULL || PyList_Append(list, one) < 0)
            Py_CLEAR(list);
        Py_XDECREF(one);
    }
    return list;
#endif
}
