/* threading.local: each thread's attributes, which only that thread sees. */
#include "moving.h"

/* As in Modules/_threadmodule.c. */
typedef struct {
    PyObject_HEAD
#if !SINCE_13
    PyObject *key; /* in the dict of a thread, for its dummy */
#endif
    PyObject *args, *kw, *weak;
    PyObject *dicts; /* by the thread's dummy: up to 3.12 by a weak reference to it, and of pairs */
} Local;

static PyObject *dict_of(Local *local, PyThreadState *thread)
{
#if SINCE_13
    if (thread->threading_local_key == NULL || local->dicts == NULL)
        return NULL;
    return PyDict_GetItemWithError(local->dicts, thread->threading_local_key);
#else
    PyObject *dummy = thread->dict ? PyDict_GetItemWithError(thread->dict, local->key) : NULL;
    PyObject *reference, *dict;
    Py_ssize_t at = 0;
    while (dummy && local->dicts && PyDict_Next(local->dicts, &at, &reference, &dict))
        if (PyWeakref_GetObject(reference) == dummy)
            return dict;
    return NULL;
#endif
}

/* local_state(local): (arguments or None, named ones or None, [(thread, attributes), ...]). */
PyObject *moving_local_state(PyObject *Py_UNUSED(self), PyObject *object)
{
    Local *local = (Local *)object;
    PyObject *list = PyList_New(0);
    PyThreadState *thread = PyInterpreterState_ThreadHead(PyInterpreterState_Get());
    for (; list != NULL && thread != NULL; thread = PyThreadState_Next(thread)) {
        PyObject *dict = dict_of(local, thread);
        if (dict == NULL)
            continue;
        PyObject *pair = Py_BuildValue("(kO)", thread->thread_id, dict);
        if (pair == NULL || PyList_Append(list, pair) < 0)
            Py_CLEAR(list);
        Py_XDECREF(pair);
    }
    PyObject *state = list == NULL || PyErr_Occurred()
                          ? NULL
                          : Py_BuildValue("(OOO)", local->args ? local->args : Py_None,
                                          local->kw ? local->kw : Py_None, list);
    Py_XDECREF(list);
    return state;
}

/* set_local_arguments(local, arguments, named): for `__init__` in threads that are yet to come. */
PyObject *moving_set_local_arguments(PyObject *Py_UNUSED(self), PyObject *args)
{
    PyObject *object, *arguments, *named;
    if (!PyArg_ParseTuple(args, "OOO", &object, &arguments, &named))
        return NULL;
    Local *local = (Local *)object;
    Py_XSETREF(local->args, arguments == Py_None ? NULL : Py_NewRef(arguments));
    Py_XSETREF(local->kw, named == Py_None ? NULL : Py_NewRef(named));
    Py_RETURN_NONE;
}

/* local_dict(type, local): the attributes for this thread, for which no `__init__` runs. */
PyObject *moving_local_dict(PyObject *Py_UNUSED(self), PyObject *args)
{
    PyTypeObject *plain; /* _thread._local: its way to look is not the program's */
    PyObject *local;
    if (!PyArg_ParseTuple(args, "O!O", &PyType_Type, &plain, &local))
        return NULL;
    PyTypeObject *type = Py_TYPE(local);
    PyObject *name = PyUnicode_InternFromString("__dict__");
    if (name == NULL)
        return NULL;
    initproc before = type->tp_init;
    type->tp_init = PyBaseObject_Type.tp_init;
    PyObject *dict = plain->tp_getattro(local, name);
    type->tp_init = before;
    Py_DECREF(name);
    return dict;
}
