/* Containers made of what an iterator gives: list(generator), "".join(generator), and the like.
 *
 * The work is the original's, of which it is known that it may stop between any two items and go on
 * with the rest: its container is in a Work meanwhile. What fills a container that the program has
 * already, as list.extend does, needs no Work before it moves: `works.py` knows those. */
#include "works.h"
#include <string.h>
#if SINCE_13
#include "internal/pycore_setobject.h"
#endif

static PyCFunction extend; /* list.extend */
static PyCFunction join_original, join_bytes_original;
static PyObject *join_self, *join_bytes_self;
static vectorcallfunc list_original, tuple_original, set_original, frozenset_original,
    dict_original;

/* held: 0 the container, 1 the iterator, 2 what else there is to know. */
static int add_all(Work *work, PyObject *from)
{
    PyObject *into = work->held[0];
    switch (work->kind) {
    case WORK_SET:
    case WORK_FROZENSET:
    case WORK_UPDATE:
        return _PySet_Update(into, from);
    case WORK_DICT:
        return PyDict_MergeFromSeq2(into, from, 1);
    case WORK_MADE:
    case WORK_FEED: { /* A callable that takes the container and an iterator. */
        PyObject *done = into != NULL
                             ? PyObject_CallFunctionObjArgs(work->held[2], into, from, NULL)
                             : PyObject_CallOneArg(work->held[2], from);
        Py_XDECREF(done);
        return done ? 0 : -1;
    }
    default: {
        PyObject *done = extend(into, from);
        Py_XDECREF(done);
        return done ? 0 : -1;
    }
    }
}

/* The container is filled; where the work is resumed its first item comes from below. */
int work_fill(Work *work)
{
    PyObject *iterator = work->held[1];
    if (work->below == NULL && Py_TYPE(iterator)->tp_iternext != NULL && work->flag == 0) {
        work->callee = iterator;
        work->doing = WORK_NEXT;
        int failed = add_all(work, iterator);
        work->doing = WORK_BUSY;
        return failed;
    }
    PyObject *handle = work_handle(work);
    int failed = handle ? add_all(work, handle) : -1;
    if (handle != NULL)
        ((Handle *)handle)->work = NULL;
    Py_XDECREF(handle);
    return failed;
}

/* The list's items as a tuple; the list, which nobody else has, loses them. */
static PyObject *made_tuple(PyObject *list)
{
    Py_ssize_t count = PyList_GET_SIZE(list);
    PyObject *tuple = PyTuple_New(count);
    if (tuple == NULL || count == 0)
        return tuple;
    memcpy(((PyTupleObject *)tuple)->ob_item, ((PyListObject *)list)->ob_item,
           (size_t)count * sizeof(PyObject *));
    Py_SET_SIZE(list, 0);
    return tuple;
}

static PyObject *run_filling(Work *work)
{
    if (work_fill(work) < 0)
        return NULL;
    switch (work->kind) {
    case WORK_TUPLE:
        return made_tuple(work->held[0]);
    case WORK_FROZENSET: /* It is laid out as the set that it was until here. */
        Py_SET_TYPE(work->held[0], &PyFrozenSet_Type);
        return Py_NewRef(work->held[0]);
    case WORK_JOIN:
        return join_original(work->held[2], work->held[0]);
    case WORK_JOIN_BYTES:
        return join_bytes_original(work->held[2], work->held[0]);
    case WORK_EXTEND:
    case WORK_UPDATE:
    case WORK_FEED:
        Py_RETURN_NONE;
    default:
        return Py_NewRef(work->held[0]);
    }
}

/* item in iterator: held: 1 the iterator, 2 the item. */
static PyObject *run_contains(Work *work)
{
    PyObject *item;
    while ((item = work_next(work, work->held[1])) != NULL) {
        int same = PyObject_RichCompareBool(item, work->held[2], Py_EQ);
        Py_DECREF(item);
        if (same)
            return same < 0 ? NULL : Py_NewRef(Py_True);
    }
    return work_failed() ? NULL : Py_NewRef(Py_False);
}

/* Begin one; `asks`: the original asks an iterable for its length. The container is taken over. */
Work *work_begin_filling(int kind, PyObject *self, PyObject *container, PyObject *iterable,
                         int asks)
{
    PyObject *iterator = NULL;
    if (container != NULL && iterable != NULL)
        iterator = PyObject_GetIter(iterable);
    int apart = iterator != NULL && iterator != iterable && asks;
    if (apart && PyObject_LengthHint(iterable, 8) < 0)
        Py_CLEAR(iterator);
    Work *work = NULL;
    if (container != NULL && (iterator != NULL || iterable == NULL))
        work = work_begin(kind, self);
    if (work == NULL) {
        Py_XDECREF(iterator);
        Py_XDECREF(container);
        return NULL;
    }
    work->held[0] = container;
    work->held[1] = iterator;
    work->flag = apart; /* Its length was asked for. */
    return work;
}

static PyObject *filled(Work *work)
{
    return work ? work_end(work, run_filling(work)) : NULL;
}

/* The list of what will be a tuple. */
PyObject *work_fill_tuple(PyObject *iterator)
{
    PyObject *list = PyList_New(0);
    Work *work = list ? work_begin(WORK_TUPLE, (PyObject *)&PyTuple_Type) : NULL;
    if (work == NULL) {
        Py_XDECREF(list);
        return NULL;
    }
    work->held[0] = list;
    work->held[1] = Py_NewRef(iterator);
    int failed = work_fill(work);
    return work_end(work, failed ? NULL : Py_NewRef(work->held[0]));
}

static inline int fits(size_t flags, PyObject *names, PyObject *const *args)
{
    return PyVectorcall_NARGS(flags) == 1 && names == NULL && runs_python(args[0]);
}

static PyObject *list_here(PyObject *type, PyObject *const *args, size_t flags, PyObject *names)
{
    if (type != (PyObject *)&PyList_Type || !fits(flags, names, args))
        return list_original(type, args, flags, names);
    return filled(work_begin_filling(WORK_LIST, type, PyList_New(0), args[0], 1));
}

static PyObject *tuple_here(PyObject *type, PyObject *const *args, size_t flags, PyObject *names)
{
    if (type != (PyObject *)&PyTuple_Type || !fits(flags, names, args))
        return tuple_original(type, args, flags, names);
    return filled(work_begin_filling(WORK_TUPLE, type, PyList_New(0), args[0], 1));
}

static PyObject *set_here(PyObject *type, PyObject *const *args, size_t flags, PyObject *names)
{
    if (type != (PyObject *)&PySet_Type || !fits(flags, names, args) || PyAnySet_Check(args[0]))
        return set_original(type, args, flags, names);
    return filled(work_begin_filling(WORK_SET, type, PySet_New(NULL), args[0], 0));
}

static PyObject *frozenset_here(PyObject *type, PyObject *const *args, size_t flags,
                                PyObject *names)
{
    if (type != (PyObject *)&PyFrozenSet_Type || !fits(flags, names, args)
        || PyAnySet_Check(args[0]))
        return frozenset_original(type, args, flags, names);
    return filled(work_begin_filling(WORK_FROZENSET, type, PySet_New(NULL), args[0], 0));
}

static PyObject *dict_here(PyObject *type, PyObject *const *args, size_t flags, PyObject *names)
{
    /* Only iterators, which are no mappings. */
    if (type != (PyObject *)&PyDict_Type || !fits(flags, names, args)
        || Py_TYPE(args[0])->tp_iternext == NULL
        || PyType_HasFeature(Py_TYPE(args[0]), Py_TPFLAGS_HEAPTYPE))
        return dict_original(type, args, flags, names);
    return filled(work_begin_filling(WORK_DICT, type, PyDict_New(), args[0], 0));
}

static PyObject *joined(int kind, PyObject *self, PyObject *separator, PyObject *iterable)
{
    Work *work = work_begin_filling(kind, self, PyList_New(0), iterable, 0);
    if (work == NULL) {
        if (PyErr_ExceptionMatches(PyExc_TypeError))
            PyErr_SetString(PyExc_TypeError, "can only join an iterable");
        return NULL;
    }
    work->held[2] = Py_NewRef(separator);
    return work_end(work, run_filling(work));
}

static PyObject *join_here(PyObject *separator, PyObject *iterable)
{
    return runs_python(iterable)
               ? joined(WORK_JOIN, join_self, separator, iterable)
               : join_original(separator, iterable);
}

static PyObject *join_bytes_here(PyObject *separator, PyObject *iterable)
{
    return runs_python(iterable)
               ? joined(WORK_JOIN_BYTES, join_bytes_self, separator, iterable)
               : join_bytes_original(separator, iterable);
}

static vectorcallfunc replace_call(PyTypeObject *type, vectorcallfunc by)
{
    vectorcallfunc original = type->tp_vectorcall;
    if (original != NULL)
        type->tp_vectorcall = by;
    return original;
}

int filling_ready(void)
{
    PyObject *method = PyObject_GetAttrString((PyObject *)&PyList_Type, "extend");
    if (method == NULL)
        return -1;
    PyMethodDef *definition = ((PyMethodDescrObject *)method)->d_method;
    extend = definition->ml_meth;
    int expected = definition->ml_flags == METH_O;
    Py_DECREF(method);
    for (int kind = WORK_LIST; kind <= WORK_FEED; kind++)
        runners[kind] = run_filling;
    runners[WORK_MADE] = run_filling;
    runners[WORK_CONTAINS] = run_contains;
    if (!expected)
        return 0;
    join_self = PyObject_GetAttrString((PyObject *)&PyUnicode_Type, "join");
    join_bytes_self = PyObject_GetAttrString((PyObject *)&PyBytes_Type, "join");
    if (join_self == NULL || join_bytes_self == NULL)
        return -1;
    join_original = replace_method(&PyUnicode_Type, "join", METH_O, join_here);
    join_bytes_original = replace_method(&PyBytes_Type, "join", METH_O, join_bytes_here);
    list_original = replace_call(&PyList_Type, list_here);
    tuple_original = replace_call(&PyTuple_Type, tuple_here);
    set_original = replace_call(&PySet_Type, set_here);
    frozenset_original = replace_call(&PyFrozenSet_Type, frozenset_here);
    dict_original = replace_call(&PyDict_Type, dict_here);
    return 0;
}
