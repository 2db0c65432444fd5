/* Clocks that go on: a function of `time`, plus what it would have to say more here. */
#include "moving.h"

static PyObject *read_clock(PyObject *both, PyObject *Py_UNUSED(nothing))
{
    PyObject *now = PyObject_CallNoArgs(PyTuple_GET_ITEM(both, 0));
    PyObject *sum = now ? PyNumber_Add(now, PyTuple_GET_ITEM(both, 1)) : NULL;
    Py_XDECREF(now);
    return sum;
}

static PyMethodDef shifted[] = {
    {"monotonic", read_clock, METH_NOARGS, NULL},
    {"monotonic_ns", read_clock, METH_NOARGS, NULL},
    {"perf_counter", read_clock, METH_NOARGS, NULL},
    {"perf_counter_ns", read_clock, METH_NOARGS, NULL},
    {"process_time", read_clock, METH_NOARGS, NULL},
    {"process_time_ns", read_clock, METH_NOARGS, NULL},
};

/* shifted_clock(name, function, more): a function that reads the clock and adds so much. */
PyObject *moving_shifted_clock(PyObject *Py_UNUSED(self), PyObject *args)
{
    const char *name;
    PyObject *function, *more;
    if (!PyArg_ParseTuple(args, "sOO", &name, &function, &more))
        return NULL;
    for (size_t at = 0; at < sizeof shifted / sizeof *shifted; at++) {
        if (strcmp(shifted[at].ml_name, name) != 0)
            continue;
        PyObject *both = PyTuple_Pack(2, function, more);
        PyObject *module = PyUnicode_FromString("time");
        PyObject *made = both && module ? PyCFunction_NewEx(&shifted[at], both, module) : NULL;
        Py_XDECREF(both);
        Py_XDECREF(module);
        return made;
    }
    PyErr_SetString(PyExc_ValueError, "there is no such clock");
    return NULL;
}
