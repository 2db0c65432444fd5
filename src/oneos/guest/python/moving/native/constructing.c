/* Containers that are made of a generator by their class: deque(generator), and subclasses of list,
 * set and dict. Their constructor fills the new object item by item, and nobody else has it yet. */
#include "works.h"

static struct Init {
    PyTypeObject *type;
    const char *method; /* that fills it as the constructor does */
    initproc original;
    PyObject *by;
} inits[4];

/* held: 0 the object, 1 the iterator, 2 the method. */
static int make(struct Init *init, PyObject *self, PyObject *args, PyObject *names,
                PyObject *iterable)
{
    PyObject *empty = PyTuple_New(0);
    PyObject *rest = empty ? PyTuple_GetSlice(args, 1, PyTuple_GET_SIZE(args)) : NULL;
    PyObject *one = rest ? PyTuple_Pack(1, empty) : NULL;
    PyObject *without = one ? PySequence_Concat(one, rest) : NULL;
    int failed = without ? init->original(self, without, names) : -1;
    Py_XDECREF(without);
    Py_XDECREF(one);
    Py_XDECREF(rest);
    Py_XDECREF(empty);
    Work *work = NULL;
    if (failed == 0)
        work = work_begin_filling(WORK_MADE, (PyObject *)Py_TYPE(self), Py_NewRef(self), iterable,
                                  init->type == &PyList_Type);
    if (work == NULL)
        return -1;
    work->held[2] = Py_NewRef(init->by);
    failed = work_fill(work);
    work_end(work, NULL);
    return failed;
}

static int init_here(struct Init *init, PyObject *self, PyObject *args, PyObject *names)
{
    Py_ssize_t count = PyTuple_GET_SIZE(args);
    PyObject *first = count > 0 ? PyTuple_GET_ITEM(args, 0) : NULL;
    int ours = first != NULL && runs_python(first);
    if (init->type == &PyDict_Type) /* Iterators are no mappings. */
        ours = ours && count == 1 && names == NULL && PyGen_CheckExact(first);
    else if (init->type == &PyList_Type || init->type == &PySet_Type)
        ours = ours && count == 1 && names == NULL && !PyAnySet_Check(first);
    return ours ? make(init, self, args, names, first) : init->original(self, args, names);
}

#define INIT(which)                                                                               \
    static int init_##which(PyObject *self, PyObject *args, PyObject *names)                      \
    {                                                                                             \
        return init_here(&inits[which], self, args, names);                                       \
    }
INIT(0)
INIT(1)
INIT(2)
INIT(3)

int constructing_ready(void)
{
    static const initproc by[] = {init_0, init_1, init_2, init_3};
    PyObject *collections = work_module("_collections");
    PyObject *deque = collections ? PyObject_GetAttrString(collections, "deque") : NULL;
    Py_XDECREF(collections);
    if (deque == NULL)
        return -1;
    inits[0] = (struct Init){.type = &PyList_Type, .method = "extend"};
    inits[1] = (struct Init){.type = &PySet_Type, .method = "update"};
    inits[2] = (struct Init){.type = &PyDict_Type, .method = "update"};
    inits[3] = (struct Init){.type = (PyTypeObject *)deque, .method = "extend"};
    for (int at = 0; at < 4; at++) {
        PyTypeObject *type = inits[at].type;
        inits[at].by = PyObject_GetAttrString((PyObject *)type, inits[at].method);
        if (inits[at].by == NULL)
            return -1;
        inits[at].original = type->tp_init;
        type->tp_init = by[at];
        /* Subclasses take it from here. */
        PyObject *wrapper = PyObject_GetAttrString((PyObject *)type, "__init__");
        if (wrapper != NULL && Py_IS_TYPE(wrapper, &PyWrapperDescr_Type)
            && ((PyWrapperDescrObject *)wrapper)->d_wrapped == (void *)inits[at].original)
            ((PyWrapperDescrObject *)wrapper)->d_wrapped = (void *)by[at];
        Py_XDECREF(wrapper);
    }
    return 0;
}
