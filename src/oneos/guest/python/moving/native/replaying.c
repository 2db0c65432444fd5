/* Pattern.sub with a function of the program.
 *
 * What the function has given is noted; to go on, the original is called anew, and is given what was
 * noted instead of a call, up to the match that the function was called with. The original keeps
 * the same texts for its result. */
#include "works.h"

typedef PyObject *(*Method)(PyObject *, PyTypeObject *, PyObject *const *, Py_ssize_t, PyObject *);

static Method originals[2];

/* held: 0 the pattern, 1 the arguments, 2 the function, 3 what it gave; number: results repeated so
 * far; flag: which method. */
static PyObject *replayed(PyObject *self, PyObject *match)
{
    Work *work = ((Handle *)self)->work;
    if (work == NULL)
        return NULL;
    if (work->number < PyList_GET_SIZE(work->held[3]))
        return Py_NewRef(PyList_GET_ITEM(work->held[3], work->number++));
    PyObject *result = work_call(work, work->held[2], &match, 1);
    if (result != NULL && PyList_Append(work->held[3], result) < 0)
        Py_CLEAR(result);
    work->number++;
    return result;
}

static PyMethodDef replayed_definition = {"replayed", replayed, METH_O, NULL};

static PyObject *run_replaying(Work *work)
{
    PyObject *handle = work_handle(work);
    PyObject *callable = handle ? PyCFunction_New(&replayed_definition, handle) : NULL;
    PyObject *result = NULL;
    Py_ssize_t count = PyTuple_GET_SIZE(work->held[1]);
    work->number = 0;
    if (callable != NULL && count >= 1 && count <= 3) {
        PyObject *args[3] = {callable};
        for (Py_ssize_t at = 1; at < count; at++)
            args[at] = PyTuple_GET_ITEM(work->held[1], at);
        result = originals[work->flag & 1](work->held[0], Py_TYPE(work->held[0]), args,
                                                  count, NULL);
    }
    if (handle != NULL)
        ((Handle *)handle)->work = NULL;
    Py_XDECREF(callable);
    Py_XDECREF(handle);
    return result;
}

static PyObject *replace_here(int which, PyObject *pattern, PyTypeObject *type,
                              PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    if (names != NULL || count < 2 || count > 3 || !calls_python(args[0]))
        return originals[which](pattern, type, args, count, names);
    Work *work = work_begin(WORK_REPLACE, NULL);
    if (work == NULL)
        return NULL;
    work->flag = which;
    work->held[0] = Py_NewRef(pattern);
    work->held[1] = PyTuple_New(count);
    work->held[2] = Py_NewRef(args[0]);
    work->held[3] = PyList_New(0);
    if (work->held[1] == NULL || work->held[3] == NULL)
        return work_end(work, NULL);
    for (Py_ssize_t at = 0; at < count; at++)
        PyTuple_SET_ITEM(work->held[1], at, Py_NewRef(args[at]));
    return work_end(work, run_replaying(work));
}

static PyObject *sub_here(PyObject *pattern, PyTypeObject *type, PyObject *const *args,
                          Py_ssize_t count, PyObject *names)
{
    return replace_here(0, pattern, type, args, count, names);
}

static PyObject *subn_here(PyObject *pattern, PyTypeObject *type, PyObject *const *args,
                           Py_ssize_t count, PyObject *names)
{
    return replace_here(1, pattern, type, args, count, names);
}

/* The type of patterns, without loading `re`, which a program may never need. */
static PyTypeObject *pattern_type(void)
{
    PyObject *module = work_module("_sre");
    PyObject *code = module ? Py_BuildValue("[i]", 1) : NULL; /* SUCCESS */
    PyObject *table = code ? PyDict_New() : NULL;
    PyObject *names = table ? PyTuple_New(0) : NULL;
    PyObject *one = names ? PyObject_CallMethod(module, "compile", "siOiOO", "", 0, code, 0, table,
                                                names)
                          : NULL;
    PyTypeObject *type = one ? (PyTypeObject *)Py_NewRef((PyObject *)Py_TYPE(one)) : NULL;
    Py_XDECREF(one);
    Py_XDECREF(names);
    Py_XDECREF(table);
    Py_XDECREF(code);
    Py_XDECREF(module);
    return type;
}

int replaying_ready(void)
{
    static const char *const names[] = {"sub", "subn"};
    static PyObject *(*const by[])(PyObject *, PyTypeObject *, PyObject *const *, Py_ssize_t,
                                   PyObject *) = {sub_here, subn_here};
    PyTypeObject *type = pattern_type();
    if (type == NULL)
        return -1;
    runners[WORK_REPLACE] = run_replaying;
    for (int at = 0; at < 2; at++)
        originals[at] = (Method)(void (*)(void))replace_method(
            type, names[at], METH_METHOD | METH_FASTCALL | METH_KEYWORDS,
            (PyCFunction)(void (*)(void))by[at]);
    Py_DECREF(type);
    return 0;
}
