/* A frame's slots, whatever the version keeps in them. */
#include "moving.h"

PyObject *Nothing;

static PyObject *nothing_repr(PyObject *Py_UNUSED(self))
{
    return PyUnicode_FromString("Nothing");
}

static PyTypeObject NothingType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "oneos_moving.Nothing",
    .tp_basicsize = sizeof(PyObject),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_repr = nothing_repr,
};

/* A small integer of C on 3.14's value stack, as an object while it is on its way. */
typedef struct {
    PyObject_HEAD
    long value;
} Number;

static PyObject *number_value(PyObject *self, void *Py_UNUSED(closure))
{
    return PyLong_FromLong(((Number *)self)->value);
}

static PyObject *number_new(PyTypeObject *type, PyObject *args, PyObject *Py_UNUSED(named))
{
    long value;
    if (!PyArg_ParseTuple(args, "l", &value))
        return NULL;
    Number *number = (Number *)type->tp_alloc(type, 0);
    if (number != NULL)
        number->value = value;
    return (PyObject *)number;
}

static PyGetSetDef number_getset[] = {
    {"value", number_value, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyTypeObject NumberType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "oneos_moving.Number",
    .tp_basicsize = sizeof(Number),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_getset = number_getset,
    .tp_new = number_new,
};

#if SINCE_14
int slots_top(Frame *frame)
{
    return frame->stackpointer ? (int)(frame->stackpointer - frame->localsplus) : -1;
}

void slots_set_top(Frame *frame, int top)
{
    frame->stackpointer = frame->localsplus + top;
}

PyObject *slots_get(Frame *frame, int at)
{
    _PyStackRef reference = frame->localsplus[at];
    if (PyStackRef_IsNull(reference))
        return Py_NewRef(Nothing);
    if (PyStackRef_IsTaggedInt(reference)) {
        Number *number = PyObject_New(Number, &NumberType);
        if (number != NULL)
            number->value = (long)PyStackRef_UntagInt(reference);
        return (PyObject *)number;
    }
    return Py_NewRef(PyStackRef_AsPyObjectBorrow(reference));
}

void *slots_address(Frame *frame, int at)
{
    _PyStackRef reference = frame->localsplus[at];
    if (PyStackRef_IsNull(reference) || PyStackRef_IsTaggedInt(reference))
        return NULL;
    return PyStackRef_AsPyObjectBorrow(reference);
}

void slots_clear(Frame *frame, int at)
{
    _PyStackRef reference = frame->localsplus[at];
    frame->localsplus[at] = PyStackRef_NULL;
    PyStackRef_XCLOSE(reference);
}

void slots_put(Frame *frame, int at, PyObject *value)
{
    if (value == NULL || value == Nothing)
        frame->localsplus[at] = PyStackRef_NULL;
    else if (Py_IS_TYPE(value, &NumberType))
        frame->localsplus[at] = PyStackRef_TagInt(((Number *)value)->value);
    else
        frame->localsplus[at] = PyStackRef_FromPyObjectNew(value);
}
#else
int slots_top(Frame *frame)
{
    return frame->stacktop;
}

void slots_set_top(Frame *frame, int top)
{
    frame->stacktop = top;
}

PyObject *slots_get(Frame *frame, int at)
{
    PyObject *value = frame->localsplus[at];
    return Py_NewRef(value ? value : Nothing);
}

void *slots_address(Frame *frame, int at)
{
    return frame->localsplus[at];
}

void slots_clear(Frame *frame, int at)
{
    Py_CLEAR(frame->localsplus[at]);
}

void slots_put(Frame *frame, int at, PyObject *value)
{
    frame->localsplus[at] = value == NULL || value == Nothing ? NULL : Py_NewRef(value);
}
#endif

int slots_ready(PyObject *module)
{
    if (PyType_Ready(&NothingType) < 0 || PyType_Ready(&NumberType) < 0)
        return -1;
    Nothing = PyObject_New(PyObject, &NothingType);
    if (Nothing == NULL)
        return -1;
    if (PyModule_AddObjectRef(module, "Nothing", Nothing) < 0)
        return -1;
    return PyModule_AddObjectRef(module, "Number", (PyObject *)&NumberType);
}
