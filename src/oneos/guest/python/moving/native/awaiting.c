/* Async generators, and the objects by which one step of them is awaited. */
#include "moving.h"

/* As in Objects/genobject.c: of asend, and of athrow and aclose. */
typedef struct {
    PyObject_HEAD
    PyObject *generator;
#if SINCE_14
    PyObject *value, *traceback, *instance; /* asend has the first only */
#else
    PyObject *value; /* or the arguments of athrow; NULL: aclose */
#endif
    int state;
} Awaitable;

enum { CLOSED = 2 };

static int *state_of(PyObject *object)
{
#if SINCE_14
    if (Py_TYPE(object)->tp_basicsize < (Py_ssize_t)sizeof(Awaitable))
        return (int *)&((Awaitable *)object)->traceback;
#endif
    return &((Awaitable *)object)->state;
}

/* awaitable_state(awaitable): (generator, its value or Nothing, state). */
PyObject *moving_awaitable_state(PyObject *Py_UNUSED(self), PyObject *object)
{
    Awaitable *one = (Awaitable *)object;
    return Py_BuildValue("(OOi)", one->generator, one->value ? one->value : Nothing,
                         *state_of(object));
}

/* set_awaitable_state(awaitable, state) */
PyObject *moving_set_awaitable_state(PyObject *Py_UNUSED(self), PyObject *args)
{
    PyObject *object;
    int state;
    if (!PyArg_ParseTuple(args, "Oi", &object, &state))
        return NULL;
    *state_of(object) = state;
    Py_RETURN_NONE;
}

/* end_awaitable(awaitable, exhausted): the generator has yielded to it, or has ended. */
PyObject *moving_end_awaitable(PyObject *Py_UNUSED(self), PyObject *args)
{
    PyObject *object;
    int exhausted;
    if (!PyArg_ParseTuple(args, "Op", &object, &exhausted))
        return NULL;
    PyAsyncGenObject *generator = (PyAsyncGenObject *)((Awaitable *)object)->generator;
    *state_of(object) = CLOSED;
    generator->ag_running_async = 0;
    if (exhausted)
        generator->ag_closed = 1;
    Py_RETURN_NONE;
}

/* generator_extra(generator): None for a plain one, which leaves these unset; else (its origin or what ends it, hooks known, closed, being awaited). */
PyObject *moving_generator_extra(PyObject *Py_UNUSED(self), PyObject *object)
{
    if (PyGen_CheckExact(object))
        Py_RETURN_NONE;
    PyGenObject *g = (PyGenObject *)object;
    PyObject *origin = g->gi_origin_or_finalizer;
    return Py_BuildValue("(Oiii)", origin ? origin : Nothing, (int)g->gi_hooks_inited,
                         (int)g->gi_closed, (int)g->gi_running_async);
}

/* set_generator_extra(generator, extra) */
PyObject *moving_set_generator_extra(PyObject *Py_UNUSED(self), PyObject *args)
{
    PyObject *object, *origin;
    int hooks, closed, running;
    if (!PyArg_ParseTuple(args, "O(Oiii)", &object, &origin, &hooks, &closed, &running))
        return NULL;
    PyGenObject *g = (PyGenObject *)object;
    PyObject *before = g->gi_origin_or_finalizer;
    g->gi_origin_or_finalizer = origin == Nothing ? NULL : Py_NewRef(origin);
    Py_XDECREF(before);
    g->gi_hooks_inited = (char)hooks;
    g->gi_closed = (char)closed;
    g->gi_running_async = (char)running;
    Py_RETURN_NONE;
}

/* wrapped(generator): what an async generator gives by itself, in which a value is wrapped. */
PyObject *moving_wrapped(PyObject *Py_UNUSED(self), PyObject *generator)
{
    PyObject *value = NULL;
    if (PyIter_Send(generator, Py_None, &value) != PYGEN_NEXT) {
        Py_CLEAR(value);
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_SystemError, "nothing was yielded");
    }
    return value;
}
