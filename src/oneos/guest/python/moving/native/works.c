/* Works: built-ins under way, as a capture reads them and as they are resumed.
 *
 * `sum(generator)` is a loop of C, whose variables nobody can read. So it, and others that call
 * Python code, are done by loops of ours where they do call Python, which keep their variables in a
 * Work. Nothing else about the built-ins changes, and where they call none the original runs.
 *
 * To resume one its loop is entered anew with the old variables. The first result that it asks for
 * comes from `below`: from the next inner work, or from the frame that it was waiting for. */
#include "works.h"

enum { CHUNK = 64 };

Work *works_free, *works_live;
Runner runners[WORK_KINDS];
PyInterpreterState *works_home;
getiterfunc python_iter;
iternextfunc python_iternext;
richcmpfunc python_compare;
ternaryfunc python_call;
richcmpfunc key_compare;

int works_more(void)
{
    Work *chunk = PyMem_RawCalloc(CHUNK, sizeof *chunk);
    if (chunk == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (int at = 0; at < CHUNK; at++) {
        chunk[at].next = works_free;
        works_free = &chunk[at];
    }
    return 0;
}

PyObject *work_below(Work *work, PyObject *callee, int doing)
{
    Below *below = work->below;
    work->below = NULL;
    work->callee = callee;
    work->doing = (short)doing;
    PyObject *result = resume_works(below);
    work->doing = WORK_BUSY;
    return result;
}

/* As PyObject_RichCompareBool for an order. */
int work_compare(Work *work, PyObject *left, PyObject *right, int how)
{
    PyObject *result;
    if (work->below != NULL) {
        result = work_below(work, left, WORK_COMPARE);
    } else {
        work->callee = left;
        work->doing = WORK_COMPARE;
        result = PyObject_RichCompare(left, right, how);
        work->doing = WORK_BUSY;
    }
    if (result == NULL)
        return -1;
    int truth = PyBool_Check(result) ? result == Py_True : PyObject_IsTrue(result);
    Py_DECREF(result);
    return truth;
}

PyObject *work_add(Work *work, PyObject *left, PyObject *right)
{
    if (work->below != NULL)
        return work_below(work, left, WORK_ADD);
    work->callee = left;
    work->doing = WORK_ADD;
    PyObject *result = PyNumber_Add(left, right);
    work->doing = WORK_BUSY;
    return result;
}

/* --- reading ---------------------------------------------------------------------------------- */
static PyObject *described(Work *work)
{
    PyObject *held = PyTuple_New(WORK_HELD);
    if (held == NULL)
        return NULL;
    int flag = work->flag;
    if (work->kind == WORK_SORT && ((PyListObject *)work->held[0])->allocated != -1)
        flag |= SORT_CHANGED;
    for (int at = 0; at < WORK_HELD; at++)
        PyTuple_SET_ITEM(held, at, Py_NewRef(work->held[at] ? work->held[at] : Nothing));
    PyObject *callee = work->callee;
    if (work->kind == WORK_STEP) {
        PyObject *function;
        step_fields(work, &callee, &function);
        Py_SETREF(PyTuple_GET_ITEM(held, 1), Py_NewRef(callee ? callee : Nothing));
        Py_SETREF(PyTuple_GET_ITEM(held, 2), Py_NewRef(function ? function : Nothing));
    }
    return Py_BuildValue("(iOiON(iLidd))", (int)work->kind, work->self ? work->self : Py_None,
                         (int)work->doing, callee ? callee : Py_None, held,
                         work->phase, work->number, flag, work->real, work->rest);
}

/* works(frame object): what stands between it and the next inner frame, the outermost first. */
PyObject *moving_works(PyObject *Py_UNUSED(self), PyObject *object)
{
    if (!PyFrame_Check(object)) {
        PyErr_SetString(PyExc_TypeError, "a frame is needed");
        return NULL;
    }
    Frame *frame = ((PyFrameObject *)object)->f_frame;
    PyObject *list = PyList_New(0);
    for (Work *work = works_live; list != NULL && work != NULL; work = work->next) {
        if (work->frame != frame)
            continue;
        PyObject *one = described(work);
        if (one == NULL || PyList_Append(list, one) < 0)
            Py_CLEAR(list);
        Py_XDECREF(one);
    }
    if (list != NULL && PyList_Reverse(list) < 0)
        Py_CLEAR(list);
    return list;
}

/* --- resuming --------------------------------------------------------------------------------- */
PyObject *resume_works(Below *below)
{
    if (below->at == PyList_GET_SIZE(below->works))
        return resume_frames(below);
    int kind, doing;
    PyObject *self, *callee, *held;
    Work *work = work_begin(0, NULL);
    if (work == NULL)
        return NULL;
    PyObject *one = PyList_GET_ITEM(below->works, below->at);
    if (!PyArg_ParseTuple(one, "iOiOO!(iLidd)", &kind, &self, &doing, &callee, &PyTuple_Type,
                          &held, &work->phase, &work->number, &work->flag, &work->real,
                          &work->rest))
        return work_end(work, NULL);
    if (kind < 0 || kind >= WORK_KINDS || PyTuple_GET_SIZE(held) != WORK_HELD) {
        PyErr_SetString(PyExc_SystemError, "an image has an unknown built-in");
        return work_end(work, NULL);
    }
    work->kind = (short)kind;
    for (int at = 0; at < WORK_HELD; at++)
        if (PyTuple_GET_ITEM(held, at) != Nothing)
            work->held[at] = Py_NewRef(PyTuple_GET_ITEM(held, at));
    Py_INCREF(self);
    work->self = self;
    /* The list keeps nothing alive that the program lets go. */
    PyList_SetItem(below->works, below->at, Py_NewRef(Py_None));
    Below next = *below;
    next.at++;
    work->below = &next;
    PyObject *result = runners[kind](work);
    work_end(work, NULL);
    Py_DECREF(self);
    return result;
}

/* --- handles ---------------------------------------------------------------------------------- */
static PyObject *handle_next(PyObject *self)
{
    Work *work = ((Handle *)self)->work;
    if (work == NULL)
        return NULL;
    if (work->place != NULL) { /* Nobody is to find it there. */
        *work->place = work->held[1];
        work->place = NULL;
    }
    PyObject *item = work_next(work, work->held[1]);
    if (work->kind == WORK_STEP)
        work->doing = WORK_NEXT;
    return item;
}

PyTypeObject HandleType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "oneos_moving.Handle",
    .tp_basicsize = sizeof(Handle),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_iter = PyObject_SelfIter,
    .tp_iternext = handle_next,
};

PyObject *work_handle(Work *work)
{
    Handle *handle = PyObject_New(Handle, &HandleType);
    if (handle != NULL)
        handle->work = work;
    return (PyObject *)handle;
}

/* --- taking the place of built-ins -------------------------------------------------------------- */
static PyCFunction replace(PyMethodDef *definition, int flags, PyCFunction by)
{
    PyCFunction original = definition->ml_meth;
    if (definition->ml_flags != flags)
        return NULL;
    definition->ml_meth = by;
    return original;
}

PyCFunction replace_function(PyObject *module, const char *name, int flags, PyCFunction by)
{
    PyObject *one = PyObject_GetAttrString(module, name);
    PyCFunction original = NULL;
    if (one != NULL && PyCFunction_CheckExact(one))
        original = replace(((PyCFunctionObject *)one)->m_ml, flags, by);
    Py_XDECREF(one);
    PyErr_Clear();
    return original;
}

PyCFunction replace_method(PyTypeObject *type, const char *name, int flags, PyCFunction by)
{
    PyObject *one = PyObject_GetAttrString((PyObject *)type, name);
    PyCFunction original = NULL;
    if (one != NULL && Py_IS_TYPE(one, &PyMethodDescr_Type))
        original = replace(((PyMethodDescrObject *)one)->d_method, flags, by);
    Py_XDECREF(one);
    PyErr_Clear();
    return original;
}

static PyObject *borrowed; /* modules that only we have loaded; they stay, unseen */

PyObject *work_module(const char *name)
{
    PyObject *loaded = PyImport_GetModuleDict();
    if (PyDict_GetItemString(loaded, name) != NULL)
        return PyImport_ImportModule(name);
    if (borrowed == NULL && (borrowed = PyDict_New()) == NULL)
        return NULL;
    PyObject *module = PyDict_GetItemString(borrowed, name);
    if (module != NULL)
        return Py_NewRef(module);
    module = PyImport_ImportModule(name);
    if (module == NULL || PyDict_SetItemString(borrowed, name, module) < 0
        || PyDict_DelItemString(loaded, name) < 0)
        Py_CLEAR(module);
    return module;
}

/* What the interpreter puts into classes of Python code cannot be named from outside of it. */
static int find_slots(void)
{
    PyObject *probe = PyObject_CallFunction((PyObject *)&PyType_Type, "s(){s:O,s:O,s:O,s:O}", "probe",
                                            "__iter__", Py_None, "__next__", Py_None, "__lt__",
                                            Py_None, "__call__", Py_None);
    PyObject *functions = work_module("_functools");
    PyObject *wrapper = functions == NULL ? NULL
                        : PyObject_CallMethod(functions, "cmp_to_key", "O", Py_None);
    Py_XDECREF(functions);
    if (probe == NULL || wrapper == NULL)
        return -1;
    python_iter = ((PyTypeObject *)probe)->tp_iter;
    python_iternext = ((PyTypeObject *)probe)->tp_iternext;
    python_compare = ((PyTypeObject *)probe)->tp_richcompare;
    python_call = ((PyTypeObject *)probe)->tp_call;
    key_compare = Py_TYPE(wrapper)->tp_richcompare;
    Py_DECREF(probe);
    Py_DECREF(wrapper);
    return 0;
}

int works_ready(void)
{
    works_home = PyInterpreterState_Get();
    if (PyType_Ready(&HandleType) < 0 || find_slots() < 0)
        return -1;
    return folding_ready() < 0 || filling_ready() < 0 || sorting_ready() < 0
               || stepping_ready() < 0 || constructing_ready() < 0 || replaying_ready() < 0
               ? -1 : 0;
}
