/* sum, any, all, min, max and functools.reduce, where they may call Python code.
 *
 * Results are those of the originals to the last bit: sums of numbers of C have their own loops
 * there, and so here. Wrong arguments are left to the originals, with their messages. */
#include "works.h"
#include <math.h>

static PyCFunction sum_original, any_original, all_original, min_original, max_original,
    reduce_original;
static PyObject *sum_self, *any_self, *all_self, *min_self, *max_self;

/* --- sum: held: 1 the iterator, 2 the sum while it is an object, 3 what is being added to it;
 * flag: it was an integer until then -------------------------------------------------------------- */
enum { INTEGERS, FLOATS, OBJECTS, ADDING };

static PyObject *float_sum(Work *work)
{
    double sum = work->real;
    if (SINCE_12 && work->rest && isfinite(work->rest))
        sum += work->rest;
    return PyFloat_FromDouble(sum);
}

static int set_sum(Work *work, PyObject *sum)
{
    if (sum == NULL)
        return -1;
    int overflow = 0;
    work->phase = OBJECTS;
    if (PyLong_CheckExact(sum)) {
        long number = PyLong_AsLongAndOverflow(sum, &overflow);
        if (!overflow) {
            work->number = number;
            work->phase = INTEGERS;
        }
    } else if (PyFloat_CheckExact(sum)) {
        work->real = PyFloat_AS_DOUBLE(sum);
        work->rest = 0.0;
        work->phase = FLOATS;
    }
    if (work->phase == OBJECTS)
        Py_XSETREF(work->held[2], sum);
    else
        Py_DECREF(sum);
    return 0;
}

/* Add a number of C; 0: it is none. The originals never go back to them from objects. */
static int add_number(Work *work, PyObject *item)
{
    int overflow = 0;
    if (work->phase == INTEGERS && (PyLong_CheckExact(item) || PyBool_Check(item))) {
        long number = PyLong_AsLongAndOverflow(item, &overflow), sum;
        if (overflow || __builtin_add_overflow((long)work->number, number, &sum))
            return 0;
        work->number = sum;
        return 1;
    }
    if (work->phase == FLOATS && PyFloat_CheckExact(item)) {
        double number = PyFloat_AS_DOUBLE(item), sum = work->real + number;
#if SINCE_12
        /* Neumaier's compensation, as there. */
        if (fabs(work->real) >= fabs(number))
            work->rest += (work->real - sum) + number;
        else
            work->rest += (number - sum) + work->real;
#endif
        work->real = sum;
        return 1;
    }
    if (work->phase == FLOATS && PyLong_Check(item)) {
        long number = PyLong_AsLongAndOverflow(item, &overflow);
        if (overflow || (number == -1 && PyErr_Occurred()))
            return 0;
        work->real += (double)number;
        return 1;
    }
    return 0;
}

static PyObject *sum_of(Work *work)
{
    if (work->phase == INTEGERS)
        return PyLong_FromLong((long)work->number);
    return work->phase == FLOATS ? float_sum(work) : Py_NewRef(work->held[2]);
}

/* The next item that is no number of C; those are added. */
static PyObject *next_object(Work *work, PyObject *iterator)
{
    PyObject *item = NULL;
    if (work->below != NULL) {
        item = work_next(work, iterator);
        if (item == NULL || !add_number(work, item))
            return item;
        Py_DECREF(item);
    }
    iternextfunc next = Py_TYPE(iterator)->tp_iternext;
    work->callee = iterator;
    work->doing = WORK_NEXT;
    while ((item = next(iterator)) != NULL && add_number(work, item))
        Py_DECREF(item);
    work->doing = WORK_BUSY;
    return item;
}

/* A sum of integers may become one of floats; any other is one of objects from then on. */
static int take_sum(Work *work, PyObject *sum)
{
    Py_CLEAR(work->held[3]);
    if (work->flag && PyFloat_CheckExact(sum)) {
        Py_CLEAR(work->held[2]);
        return set_sum(work, sum);
    }
    work->phase = OBJECTS;
    Py_XSETREF(work->held[2], sum);
    return 0;
}

static PyObject *run_sum(Work *work)
{
    PyObject *iterator = work->held[1];
    for (;;) {
        if (work->phase != ADDING) {
            PyObject *item = next_object(work, iterator);
            if (item == NULL)
                break;
            work->held[3] = item;
            PyObject *before = sum_of(work);
            if (before == NULL)
                return NULL;
            Py_XSETREF(work->held[2], before);
            work->flag = work->phase == INTEGERS;
            work->phase = ADDING;
        }
        PyObject *sum = work_add(work, work->held[2], work->held[3]);
        if (sum == NULL || take_sum(work, sum) < 0)
            return NULL;
#if SINCE_14
        if (work->phase == OBJECTS && PyComplex_CheckExact(sum)) /* There it has its own loop. */
            return PyObject_CallFunctionObjArgs(sum_self, iterator, sum, NULL);
#endif
    }
    return work_failed() ? NULL : sum_of(work);
}

static PyObject *sum_here(PyObject *module, PyObject *const *args, Py_ssize_t count,
                          PyObject *names)
{
    PyObject *start = count == 2 ? args[1] : NULL;
    int named = names != NULL && PyTuple_GET_SIZE(names) > 0;
    if (named && count == 1 && PyTuple_GET_SIZE(names) == 1
        && PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(names, 0), "start") == 0) {
        start = args[1];
        named = 0;
    }
    int text = start && (PyUnicode_Check(start) || PyBytes_Check(start) || PyByteArray_Check(start)
                         || PyComplex_CheckExact(start));
    if (count < 1 || count > 2 || named || text || !runs_python(args[0]))
        return ((_PyCFunctionFastWithKeywords)(void (*)(void))sum_original)(module, args, count,
                                                                            names);
    PyObject *iterator = PyObject_GetIter(args[0]);
    if (iterator == NULL)
        return NULL;
    Work *work = work_begin(WORK_SUM, sum_self);
    if (work == NULL) {
        Py_DECREF(iterator);
        return NULL;
    }
    work->held[1] = iterator;
    if (start != NULL && set_sum(work, Py_NewRef(start)) < 0)
        return work_end(work, NULL);
    return work_end(work, run_sum(work));
}

/* --- any, all ----------------------------------------------------------------------------------- */
static PyObject *run_until(Work *work)
{
    int wanted = work->kind == WORK_ANY;
    PyObject *iterator = work->held[1], *item;
    while ((item = work_next(work, iterator)) != NULL) {
        int truth = PyObject_IsTrue(item);
        Py_DECREF(item);
        if (truth < 0)
            return NULL;
        if (truth == wanted)
            return PyBool_FromLong(wanted);
    }
    return work_failed() ? NULL : PyBool_FromLong(!wanted);
}

static PyObject *until(int kind, PyObject *self, PyObject *iterable)
{
    PyObject *iterator = PyObject_GetIter(iterable);
    if (iterator == NULL)
        return NULL;
    Work *work = work_begin(kind, self);
    if (work == NULL) {
        Py_DECREF(iterator);
        return NULL;
    }
    work->held[1] = iterator;
    return work_end(work, run_until(work));
}

static PyObject *any_here(PyObject *module, PyObject *iterable)
{
    return runs_python(iterable) ? until(WORK_ANY, any_self, iterable)
                                 : any_original(module, iterable);
}

static PyObject *all_here(PyObject *module, PyObject *iterable)
{
    return runs_python(iterable) ? until(WORK_ALL, all_self, iterable)
                                 : all_original(module, iterable);
}

/* --- min, max: held: 1 the iterator, 2 and 3 the best and its key, 4 and 5 the next, 6 the function;
 * phase: 1 the next has no key yet, 2 it has; flag: the comparison ------------------------------- */
static PyObject *run_extreme(Work *work)
{
    PyObject *key = work->held[6];
    for (;;) {
        if (work->phase == 0) {
            Py_XSETREF(work->held[4], work_next(work, work->held[1]));
            if (work->held[4] == NULL)
                break;
            work->phase = 1;
        }
        if (work->phase == 1) {
            PyObject *by = key ? work_call(work, key, &work->held[4], 1)
                               : Py_NewRef(work->held[4]);
            Py_XSETREF(work->held[5], by);
            if (by == NULL)
                return NULL;
            work->phase = 2;
        }
        int better = 1;
        if (work->held[2] != NULL)
            better = work_compare(work, work->held[5], work->held[3], work->flag);
        if (better < 0)
            return NULL;
        if (better) {
            Py_XSETREF(work->held[2], Py_NewRef(work->held[4]));
            Py_XSETREF(work->held[3], Py_NewRef(work->held[5]));
        }
        work->phase = 0;
    }
    if (work_failed())
        return NULL;
    if (work->held[2] != NULL)
        return Py_NewRef(work->held[2]);
    if (work->held[0] != NULL)
        return Py_NewRef(work->held[0]);
    PyObject *nothing = PyTuple_New(0); /* The original has the words for it. */
    PyObject *result = nothing ? PyObject_CallOneArg(work->self, nothing) : NULL;
    Py_XDECREF(nothing);
    return result;
}

/* NULL without an exception: the original is to do it. */
static PyObject *extreme(PyObject *self, int how, PyObject *const *args, Py_ssize_t count,
                         PyObject *key, PyObject *standard)
{
    if (key == Py_None)
        key = NULL;
    if (count == 0 || (count > 1 && (standard != NULL || key == NULL)))
        return NULL;
    int ours = (key && calls_python(key)) || (count == 1 && runs_python(args[0]));
    if (!ours && key == NULL && count == 1 && PyList_CheckExact(args[0]))
        ours = PyList_GET_SIZE(args[0]) > 1 && compares_python(PyList_GET_ITEM(args[0], 0));
    if (!ours)
        return NULL;
    PyObject *several = NULL;
    if (count > 1) {
        several = PyTuple_New(count);
        for (Py_ssize_t at = 0; several != NULL && at < count; at++)
            PyTuple_SET_ITEM(several, at, Py_NewRef(args[at]));
        if (several == NULL)
            return NULL;
    }
    PyObject *iterator = PyObject_GetIter(several ? several : args[0]);
    Py_XDECREF(several);
    Work *work = iterator ? work_begin(WORK_EXTREME, self) : NULL;
    if (work == NULL) {
        Py_XDECREF(iterator);
        return NULL;
    }
    work->flag = how;
    work->held[0] = Py_XNewRef(standard);
    work->held[1] = iterator;
    work->held[6] = Py_XNewRef(key);
    return work_end(work, run_extreme(work));
}

#if SINCE_13
static PyObject *extreme_here(PyObject *module, PyObject *const *args, Py_ssize_t count,
                              PyObject *names, PyObject *self, int how, PyCFunction original)
{
    PyObject *key = NULL, *standard = NULL;
    Py_ssize_t named = names ? PyTuple_GET_SIZE(names) : 0, known = 0;
    for (Py_ssize_t at = 0; at < named; at++) {
        PyObject *name = PyTuple_GET_ITEM(names, at);
        if (PyUnicode_CompareWithASCIIString(name, "key") == 0 && ++known)
            key = args[count + at];
        else if (PyUnicode_CompareWithASCIIString(name, "default") == 0 && ++known)
            standard = args[count + at];
    }
    PyObject *result = known == named ? extreme(self, how, args, count, key, standard) : NULL;
    if (result != NULL || PyErr_Occurred())
        return result;
    return ((_PyCFunctionFastWithKeywords)(void (*)(void))original)(module, args, count, names);
}
#define EXTREME(name, how)                                                                        \
    static PyObject *name##_here(PyObject *module, PyObject *const *args, Py_ssize_t count,       \
                                 PyObject *names)                                                 \
    {                                                                                             \
        return extreme_here(module, args, count, names, name##_self, how, name##_original);       \
    }
#define EXTREME_FLAGS (METH_FASTCALL | METH_KEYWORDS)
#else
static PyObject *extreme_here(PyObject *module, PyObject *args, PyObject *names, PyObject *self,
                              int how, PyCFunction original)
{
    PyObject *key = names ? PyDict_GetItemString(names, "key") : NULL;
    PyObject *standard = names ? PyDict_GetItemString(names, "default") : NULL;
    Py_ssize_t known = (key != NULL) + (standard != NULL);
    PyObject *result = NULL;
    if (known == (names ? PyDict_GET_SIZE(names) : 0))
        result = extreme(self, how, ((PyTupleObject *)args)->ob_item, PyTuple_GET_SIZE(args), key,
                         standard);
    if (result != NULL || PyErr_Occurred())
        return result;
    return ((PyCFunctionWithKeywords)(void (*)(void))original)(module, args, names);
}
#define EXTREME(name, how)                                                                        \
    static PyObject *name##_here(PyObject *module, PyObject *args, PyObject *names)               \
    {                                                                                             \
        return extreme_here(module, args, names, name##_self, how, name##_original);              \
    }
#define EXTREME_FLAGS (METH_VARARGS | METH_KEYWORDS)
#endif

EXTREME(min, Py_LT)
EXTREME(max, Py_GT)

/* --- reduce: held: 1 the iterator, 2 what there is so far, 3 the next item, 4 the function ------- */
static PyObject *run_reduce(Work *work)
{
    for (;;) {
        if (work->phase == 0) {
            Py_XSETREF(work->held[3], work_next(work, work->held[1]));
            if (work->held[3] == NULL)
                break;
            work->phase = 1;
        }
        if (work->held[2] == NULL) {
            work->held[2] = Py_NewRef(work->held[3]);
        } else {
            PyObject *result = work_call(work, work->held[4], &work->held[2], 2);
            if (result == NULL)
                return NULL;
            Py_SETREF(work->held[2], result);
        }
        Py_CLEAR(work->held[3]);
        work->phase = 0;
    }
    if (work_failed())
        return NULL;
    if (work->held[2] != NULL)
        return Py_NewRef(work->held[2]);
    PyErr_SetString(PyExc_TypeError, "reduce() of empty iterable with no initial value");
    return NULL;
}

static PyObject *reduce_here(PyObject *module, PyObject *args)
{
    PyObject *function, *iterable, *first = NULL;
    if (!PyArg_UnpackTuple(args, "reduce", 2, 3, &function, &iterable, &first))
        return NULL;
    if (!runs_python(iterable) && !calls_python(function))
        return reduce_original(module, args);
    PyObject *iterator = PyObject_GetIter(iterable);
    if (iterator == NULL) {
        if (PyErr_ExceptionMatches(PyExc_TypeError))
            PyErr_SetString(PyExc_TypeError, "reduce() arg 2 must support iteration");
        return NULL;
    }
    Work *work = work_begin(WORK_REDUCE, NULL);
    if (work == NULL) {
        Py_DECREF(iterator);
        return NULL;
    }
    work->held[1] = iterator;
    work->held[2] = Py_XNewRef(first);
    work->held[4] = Py_NewRef(function);
    return work_end(work, run_reduce(work));
}

/* --- put in place ------------------------------------------------------------------------------- */
int folding_ready(void)
{
    PyObject *builtins = PyImport_ImportModule("builtins");
    PyObject *functions = work_module("_functools");
    if (builtins == NULL || functions == NULL)
        return -1;
    struct {
        PyObject *module, **self;
        const char *name;
        PyCFunction *original, by;
        int flags;
    } all[] = {
        {builtins, &sum_self, "sum", &sum_original, (PyCFunction)(void (*)(void))sum_here,
         METH_FASTCALL | METH_KEYWORDS},
        {builtins, &any_self, "any", &any_original, any_here, METH_O},
        {builtins, &all_self, "all", &all_original, all_here, METH_O},
        {builtins, &min_self, "min", &min_original, (PyCFunction)(void (*)(void))min_here,
         EXTREME_FLAGS},
        {builtins, &max_self, "max", &max_original, (PyCFunction)(void (*)(void))max_here,
         EXTREME_FLAGS},
    };
    for (size_t at = 0; at < sizeof all / sizeof *all; at++) {
        *all[at].self = PyObject_GetAttrString(all[at].module, all[at].name);
        if (*all[at].self == NULL)
            return -1;
        *all[at].original = replace_function(all[at].module, all[at].name, all[at].flags,
                                             all[at].by);
    }
    reduce_original = replace_function(functions, "reduce", METH_VARARGS, reduce_here);
    runners[WORK_SUM] = run_sum;
    runners[WORK_ANY] = runners[WORK_ALL] = run_until;
    runners[WORK_EXTREME] = run_extreme;
    runners[WORK_REDUCE] = run_reduce;
    Py_DECREF(builtins);
    Py_DECREF(functions);
    return 0;
}
