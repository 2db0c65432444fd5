/* sorted and list.sort, where they call Python code.
 *
 * First the keys are made, by a loop of ours. Then the original sorts. Where it compares keys by
 * Python code what each comparison gave is noted, a bit each: so a sort in its middle is moved as the
 * list in its old order and these notes, and sorted anew up to where it was. */
#include "works.h"
#include <string.h>

static PyCFunction sorted_original, sort_original;
static PyObject *sorted_self, *sort_self, *sort_names;

/* held: 0 the list, 1 its items, 2 the key function, 3 the keys, 4 the notes, 5 the items in their
 * old order where there are notes; number: comparisons noted; phase: keys are made, or it sorts;
 * flag: SORT_REVERSE, SORT_CHANGED. */
enum { MAKING_KEYS, SORTING };

/* --- keys whose comparisons are noted --------------------------------------------------------- */
typedef struct {
    PyObject_HEAD
    PyObject *key;
    Work *work;
} Noted;

static void noted_free(PyObject *self)
{
    Py_XDECREF(((Noted *)self)->key);
    PyObject_Free(self);
}

static inline int note(Work *work, int bit)
{
    PyObject *notes = work->held[4];
    Py_ssize_t place = (Py_ssize_t)((size_t)work->number >> 3), size = PyByteArray_GET_SIZE(notes);
    if (__builtin_expect(place >= size, 0)) {
        if (PyByteArray_Resize(notes, size * 2 + 64) < 0)
            return -1;
        memset(PyByteArray_AS_STRING(notes) + size, 0, (size_t)(size + 64));
    }
    if (bit)
        PyByteArray_AS_STRING(notes)[place] |= (char)(1 << (work->number & 7));
    work->number++;
    return 0;
}

/* The result of the real comparison, as the original has it: 1, 0, or -1 for an error. */
static inline int compare_now(Work *work, PyObject *left, PyObject *right)
{
    richcmpfunc compare = Py_TYPE(left)->tp_richcompare;
    if (work->below != NULL || Py_TYPE(left) != Py_TYPE(right) || compare == NULL)
        return work_compare(work, left, right, Py_LT);
    work->callee = left;
    work->doing = WORK_COMPARE;
    PyObject *result = compare(left, right, Py_LT);
    work->doing = WORK_BUSY;
    if (result == Py_True || result == Py_False) {
        Py_DECREF(result);
        return result == Py_True;
    }
    if (result == Py_NotImplemented) {
        Py_DECREF(result);
        return work_compare(work, left, right, Py_LT);
    }
    int truth = result ? PyObject_IsTrue(result) : -1;
    Py_XDECREF(result);
    return truth;
}

static PyObject *noted_compare(PyObject *left, PyObject *right, int how)
{
    Work *work = ((Noted *)left)->work;
    if (how != Py_LT || Py_TYPE(right) != Py_TYPE(left))
        Py_RETURN_NOTIMPLEMENTED;
    if (work->repeated < work->number) {
        long long at = work->repeated++;
        return PyBool_FromLong(PyByteArray_AS_STRING(work->held[4])[at / 8] >> at % 8 & 1);
    }
    int bit = compare_now(work, ((Noted *)left)->key, ((Noted *)right)->key);
    if (bit < 0 || note(work, bit) < 0)
        return NULL;
    work->repeated++;
    return Py_NewRef(bit ? Py_True : Py_False);
}

static PyTypeObject NotedType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "oneos_moving.Noted",
    .tp_basicsize = sizeof(Noted),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_dealloc = noted_free,
    .tp_richcompare = noted_compare,
};

/* --- the key function that the original is given ------------------------------------------------ */
static PyObject *next_key(PyObject *self, PyObject *item)
{
    Work *work = ((Handle *)self)->work;
    PyObject *key = item;
    if (work == NULL)
        return NULL;
    if (work->held[3] != NULL) {
        Py_ssize_t at = (Py_ssize_t)work->asked++;
        if (at >= PyList_GET_SIZE(work->held[3])) {
            PyErr_SetString(PyExc_SystemError, "a list has more items than keys");
            return NULL;
        }
        key = PyList_GET_ITEM(work->held[3], at);
    }
    if (work->held[4] == NULL)
        return Py_NewRef(key);
    Noted *noted = PyObject_New(Noted, &NotedType);
    if (noted != NULL) {
        noted->key = Py_NewRef(key);
        noted->work = work;
    }
    return (PyObject *)noted;
}

static PyMethodDef next_key_definition = {"next_key", next_key, METH_O, NULL};

/* --- the work ----------------------------------------------------------------------------------- */
static int make_keys(Work *work)
{
    PyObject *items = work->held[1];
    if (work->held[3] == NULL && (work->held[3] = PyList_New(0)) == NULL)
        return -1;
    PyObject *keys = work->held[3];
    for (Py_ssize_t at = PyList_GET_SIZE(keys); at < PyList_GET_SIZE(items); at++) {
        PyObject *item = PyList_GET_ITEM(items, at);
        PyObject *key = work_call(work, work->held[2], &item, 1);
        if (key == NULL)
            return -1;
        int failed = PyList_Append(keys, key);
        Py_DECREF(key);
        if (failed)
            return -1;
    }
    return 0;
}

static int begin_notes(Work *work)
{
    PyObject *first = work->held[3] ? work->held[3] : work->held[1];
    if (PyList_GET_SIZE(first) < 2 || !compares_python(PyList_GET_ITEM(first, 0)))
        return 0;
    work->held[4] = PyByteArray_FromStringAndSize(NULL, 0);
    work->held[5] = PyList_GetSlice(work->held[1], 0, PyList_GET_SIZE(work->held[1]));
    return work->held[4] && work->held[5] ? 0 : -1;
}

static int order(Work *work)
{
    PyObject *handle = work_handle(work);
    PyObject *key = handle ? PyCFunction_New(&next_key_definition, handle) : NULL;
    PyObject *result = NULL;
    work->repeated = work->asked = 0;
    if (key != NULL) {
        PyObject *args[] = {key, work->flag & SORT_REVERSE ? Py_True : Py_False};
        result = ((_PyCFunctionFastWithKeywords)(void (*)(void))sort_original)(work->held[1], args,
                                                                              0, sort_names);
    }
    if (handle != NULL)
        ((Handle *)handle)->work = NULL;
    Py_XDECREF(key);
    Py_XDECREF(handle);
    Py_XDECREF(result);
    return result ? 0 : -1;
}

/* As the original, have the list be empty meanwhile, and see whether it stays so. */
static void exchange(PyListObject *one, PyListObject *other)
{
    PyObject **items = one->ob_item;
    Py_ssize_t size = Py_SIZE(one), room = one->allocated;
    one->ob_item = other->ob_item;
    Py_SET_SIZE(one, Py_SIZE(other));
    one->allocated = other->allocated;
    other->ob_item = items;
    Py_SET_SIZE(other, size);
    other->allocated = room;
}

static PyObject *run_sort(Work *work)
{
    PyListObject *list = (PyListObject *)work->held[0];
    int failed = 0;
    if (work->below != NULL && !(work->flag & SORT_CHANGED) && Py_SIZE(list) == 0) {
        PyMem_Free(list->ob_item);
        list->ob_item = NULL;
        list->allocated = -1;
    }
    if (work->below != NULL && work->phase == SORTING)
        failed = PyList_SetSlice(work->held[1], 0, PyList_GET_SIZE(work->held[1]),
                                 work->held[5]);
    if (!failed && work->phase == MAKING_KEYS) {
        if (work->held[2] != NULL)
            failed = make_keys(work);
        failed = failed || begin_notes(work) < 0;
        work->phase = SORTING;
    }
    failed = failed || order(work) < 0;
    if (list->allocated != -1 && !failed) {
        PyErr_SetString(PyExc_ValueError, "list modified during sort");
        failed = 1;
    }
    if (list->allocated == -1)
        list->allocated = 0;
    exchange(list, (PyListObject *)work->held[1]);
    return failed ? NULL : Py_NewRef(Py_None);
}

static PyObject *sort(PyObject *list, PyObject *key, int reverse)
{
    PyObject *items = PyList_New(0);
    Work *work = items ? work_begin(WORK_SORT, sort_self) : NULL;
    if (work == NULL) {
        Py_XDECREF(items);
        return NULL;
    }
    exchange((PyListObject *)list, (PyListObject *)items);
    ((PyListObject *)list)->allocated = -1;
    work->held[0] = Py_NewRef(list);
    work->held[1] = items;
    work->held[2] = Py_XNewRef(key);
    work->flag = reverse ? SORT_REVERSE : 0;
    return work_end(work, run_sort(work));
}

/* The arguments `key` and `reverse`; whether the original is not needed for them. */
static int arguments(PyObject *const *args, PyObject *names, PyObject **key, int *reverse)
{
    *key = NULL;
    *reverse = 0;
    for (Py_ssize_t at = 0; names != NULL && at < PyTuple_GET_SIZE(names); at++) {
        PyObject *name = PyTuple_GET_ITEM(names, at);
        if (PyUnicode_CompareWithASCIIString(name, "key") == 0)
            *key = args[at];
        else if (PyUnicode_CompareWithASCIIString(name, "reverse") == 0 && PyBool_Check(args[at]))
            *reverse = args[at] == Py_True;
        else
            return 0;
    }
    if (*key == Py_None)
        *key = NULL;
    return 1;
}

/* Whether sorting a list calls Python code. */
static int sorts_python(PyObject *list, PyObject *key)
{
    if (PyList_GET_SIZE(list) == 0)
        return 0;
    return key ? calls_python(key) : compares_python(PyList_GET_ITEM(list, 0));
}

static PyObject *sort_any(PyObject *list, PyObject *key, int reverse)
{
    if (sorts_python(list, key))
        return sort(list, key, reverse);
    PyObject *args[] = {key ? key : Py_None, reverse ? Py_True : Py_False};
    return ((_PyCFunctionFastWithKeywords)(void (*)(void))sort_original)(
        list, args, 0, key || reverse ? sort_names : NULL);
}

static PyObject *sort_here(PyObject *list, PyObject *const *args, Py_ssize_t count,
                           PyObject *names)
{
    PyObject *key;
    int reverse;
    if (count == 0 && arguments(args, names, &key, &reverse) && sorts_python(list, key))
        return sort(list, key, reverse);
    return ((_PyCFunctionFastWithKeywords)(void (*)(void))sort_original)(list, args, count, names);
}

/* --- sorted: held: 0 the list, 1 the iterator, 2 the key function; phase: it is filled, or sorted - */
static PyObject *run_sorted(Work *work)
{
    if (work->phase == 0 && work_fill(work) < 0)
        return NULL;
    work->phase = 1;
    PyObject *done, *list = work->held[0];
    if (work->below != NULL) {
        done = work_below(work, list, WORK_CALL);
    } else {
        work->callee = list;
        work->doing = WORK_CALL;
        done = sort_any(list, work->held[2], (int)work->number);
        work->doing = WORK_BUSY;
    }
    Py_XDECREF(done);
    return done ? Py_NewRef(list) : NULL;
}

static PyObject *sorted_here(PyObject *module, PyObject *const *args, Py_ssize_t count,
                             PyObject *names)
{
    PyObject *key, *list;
    int reverse;
    if (count != 1 || !arguments(args + 1, names, &key, &reverse))
        return ((_PyCFunctionFastWithKeywords)(void (*)(void))sorted_original)(module, args, count,
                                                                               names);
    int runs = runs_python(args[0]);
    list = runs ? PyList_New(0) : PySequence_List(args[0]);
    if (list != NULL && !runs && !sorts_python(list, key)) {
        PyObject *done = sort_any(list, key, reverse);
        if (done == NULL)
            Py_CLEAR(list);
        Py_XDECREF(done);
        return list;
    }
    Work *work = work_begin_filling(WORK_SORTED, sorted_self, list, runs ? args[0] : NULL, 1);
    if (work == NULL)
        return NULL;
    work->held[2] = Py_XNewRef(key);
    work->number = reverse;
    work->phase = !runs;
    return work_end(work, run_sorted(work));
}

int sorting_ready(void)
{
    if (PyType_Ready(&NotedType) < 0)
        return -1;
    PyObject *builtins = PyImport_ImportModule("builtins");
    if (builtins == NULL)
        return -1;
    sorted_self = PyObject_GetAttrString(builtins, "sorted");
    sort_self = PyObject_GetAttrString((PyObject *)&PyList_Type, "sort");
    sort_names = Py_BuildValue("(ss)", "key", "reverse");
    if (sorted_self == NULL || sort_self == NULL || sort_names == NULL)
        return -1;
    int flags = METH_FASTCALL | METH_KEYWORDS;
    runners[WORK_SORT] = run_sort;
    runners[WORK_SORTED] = run_sorted;
    sort_original = replace_method(&PyList_Type, "sort", flags,
                                   (PyCFunction)(void (*)(void))sort_here);
    if (sort_original != NULL)
        sorted_original = replace_function(builtins, "sorted", flags,
                                           (PyCFunction)(void (*)(void))sorted_here);
    Py_DECREF(builtins);
    return 0;
}
