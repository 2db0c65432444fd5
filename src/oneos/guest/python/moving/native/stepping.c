/* Iterators of C that call Python for an item: map, filter, zip, enumerate, and those of itertools.
 *
 * At rest they are the interpreter's own. Most keep all they have in themselves while they wait for
 * an item of their source: such a step is begun anew, with an iterator in the source's place that
 * has that item first. map, filter and zip may have had some of what they need by then; so while an
 * image is asked for, and only then, steps of ours take their place. */
#include "works.h"
#include <string.h>

typedef struct {
    PyObject_HEAD
    PyObject *iterators, *function;
#if SINCE_14
    int strict;
#endif
} Map;

typedef struct {
    PyObject_HEAD
    PyObject *function, *iterator;
} Filter;

typedef struct {
    PyObject_HEAD
    Py_ssize_t count;
    PyObject *iterators, *result;
    int strict;
} Zip;

typedef struct {
    PyObject_HEAD
    PyObject *function, *last;
} Until;

static iternextfunc map_original, filter_original, zip_original;

/* --- what may call Python ----------------------------------------------------------------------- */
enum { STEPS_MAX = 10, CALLABLES_MAX = 16 };

static struct Step {
    PyTypeObject *type;
    Py_ssize_t source, other, function; /* where in the object; 0: it has none */
} steps[STEPS_MAX];
static PyObject *callables[CALLABLES_MAX]; /* ours */
static ternaryfunc partial_call, cache_call, key_call;

int calls_python(PyObject *callable)
{
    PyTypeObject *type = Py_TYPE(callable);
    if (type == &PyFunction_Type || type == &PyMethod_Type)
        return at_home();
    if (type == &PyCFunction_Type || PyType_Check(callable)) {
        if (PyType_Check(callable)
            && PyType_HasFeature((PyTypeObject *)callable, Py_TPFLAGS_HEAPTYPE))
            return at_home();
        for (int at = 0; at < CALLABLES_MAX && callables[at] != NULL; at++)
            if (callable == callables[at])
                return at_home();
        return 0;
    }
    ternaryfunc call = type->tp_call;
    return call != NULL && (call == python_call || call == partial_call || call == cache_call
                            || call == key_call)
           && at_home();
}

/* --- map: held: the items for the call; phase: how many there are, -1 when it is called ---------- */
static PyObject *run_map(Work *work)
{
    Map *map = (Map *)work->self;
    int count = (int)PyTuple_GET_SIZE(map->iterators);
    for (; work->phase >= 0 && work->phase < count; work->phase++) {
        int at = work->phase;
        work->held[at] = work_next(work, PyTuple_GET_ITEM(map->iterators, at));
        if (work->held[at] == NULL)
            return NULL;
    }
    work->phase = -1;
    return work_call(work, map->function, work->held, count);
}

static int odd_map(Map *map)
{
#if SINCE_14
    if (map->strict)
        return 1;
#endif
    return PyTuple_GET_SIZE(map->iterators) > WORK_HELD;
}

static PyObject *map_here(PyObject *self)
{
    if (odd_map((Map *)self) || !at_home())
        return map_original(self);
    Work *work = work_begin(WORK_MAP, self);
    return work ? work_end(work, run_map(work)) : NULL;
}

/* --- filter: held: 0 an item; phase: 1 when its function is called with it ----------------------- */
static PyObject *run_filter(Work *work)
{
    Filter *filter = (Filter *)work->self;
    int plain = filter->function == Py_None || filter->function == (PyObject *)&PyBool_Type;
    for (;;) {
        if (work->phase == 0) {
            work->held[0] = work_next(work, filter->iterator);
            if (work->held[0] == NULL)
                return NULL;
            work->phase = 1;
        }
        PyObject *good = plain ? Py_NewRef(work->held[0])
                               : work_call(work, filter->function, work->held, 1);
        int truth = good ? PyObject_IsTrue(good) : -1;
        Py_XDECREF(good);
        if (truth < 0)
            return NULL;
        if (truth)
            return Py_NewRef(work->held[0]);
        Py_CLEAR(work->held[0]);
        work->phase = 0;
    }
}

static PyObject *filter_here(PyObject *self)
{
    if (!at_home())
        return filter_original(self);
    Work *work = work_begin(WORK_FILTER, self);
    return work ? work_end(work, run_filter(work)) : NULL;
}

/* --- zip: held: the items; phase: how many there are --------------------------------------------- */
static PyObject *run_zip(Work *work)
{
    Zip *zip = (Zip *)work->self;
    for (; work->phase < zip->count; work->phase++) {
        int at = work->phase;
        work->held[at] = work_next(work, PyTuple_GET_ITEM(zip->iterators, at));
        if (work->held[at] == NULL)
            return NULL;
    }
    PyObject *result = PyTuple_New(zip->count);
    for (int at = 0; result != NULL && at < zip->count; at++) {
        PyTuple_SET_ITEM(result, at, work->held[at]);
        work->held[at] = NULL;
    }
    return result;
}

static int odd_zip(Zip *zip)
{
    return zip->count > WORK_HELD || zip->count == 0 || zip->strict;
}

static PyObject *zip_here(PyObject *self)
{
    if (odd_zip((Zip *)self) || !at_home())
        return zip_original(self);
    Work *work = work_begin(WORK_ZIP, self);
    return work ? work_end(work, run_zip(work)) : NULL;
}

/* --- iter(function, last): held: none -------------------------------------------------------------- */
static PyObject *run_until_last(Work *work)
{
    Until *until = (Until *)work->self;
    if (until->function == NULL || until->last == NULL)
        return NULL;
    PyObject *last = Py_NewRef(until->last);
    PyObject *item = work_call(work, until->function, NULL, 0);
    int same = item ? PyObject_RichCompareBool(last, item, Py_EQ) : 0;
    Py_DECREF(last);
    if (item != NULL && same == 0)
        return item;
    Py_XDECREF(item);
    if (same > 0 || (item == NULL && !work_failed())) { /* It gives no more. */
        Py_CLEAR(until->function);
        Py_CLEAR(until->last);
    }
    return NULL;
}

/* --- tuple(generator), of which the interpreter has an instruction that asks no type ------------- */
/* Whether the instruction under way is that one; it is then one that asks the type from now on. */
static int makes_tuple(void)
{
    Frame *frame = thread_frame(PyThreadState_Get());
    if (frame == NULL || owned_by_c(frame) || !at_home())
        return 0;
#if SINCE_13
    if (frame->instr_ptr->op.code != CALL_TUPLE_1)
        return 0;
#elif SINCE_12
    if (frame->prev_instr->op.code != CALL_NO_KW_TUPLE_1)
        return 0;
#else
    if (_Py_OPCODE(*frame->prev_instr) != PRECALL_NO_KW_TUPLE_1)
        return 0;
#endif
    /* Whatever asks for an iterator while a work is under way is inside of the tuple's. */
    for (Work *work = works_live; work != NULL; work = work->next)
        if (work->frame == frame)
            return 0;
#if SINCE_13
    frame->instr_ptr->op.code = CALL_BUILTIN_CLASS;
#elif SINCE_12
    frame->prev_instr->op.code = CALL_BUILTIN_CLASS;
#else
    _Py_SET_OPCODE(*frame->prev_instr, PRECALL_BUILTIN_CLASS);
#endif
    return 1;
}

static PyObject *iter_here(PyObject *self)
{
    if (!makes_tuple())
        return Py_NewRef(self);
    PyObject *list = work_fill_tuple(self);
    PyObject *iterator = list ? PyObject_GetIter(list) : NULL;
    Py_XDECREF(list);
    return iterator;
}

/* --- the others: held: 1 the source that it waits for; flag: which step it is ------------------- */
static inline PyObject **field(PyObject *self, Py_ssize_t offset)
{
    return (PyObject **)((char *)self + offset);
}

static PyObject *run_step(Work *work)
{
    struct Step *step = &steps[work->flag];
    PyObject **place = NULL;
    if (work->flag < 0 || work->flag >= STEPS_MAX || step->source == 0 || work->held[1] == NULL) {
        PyErr_SetString(PyExc_SystemError, "an image has an unknown iterator");
        return NULL;
    }
    if (work->phase == 1) /* Its function was called, whose result is the item. */
        return work_below(work, *field(work->self, step->function), WORK_CALL);
    if (*field(work->self, step->source) == work->held[1])
        place = field(work->self, step->source);
    else if (step->other && *field(work->self, step->other) == work->held[1])
        place = field(work->self, step->other);
    PyObject *handle = place ? work_handle(work) : NULL;
    if (handle == NULL) {
        if (place == NULL)
            PyErr_SetString(PyExc_SystemError, "an iterator has another source");
        return NULL;
    }
    PyObject *source = *place;
    *place = handle;
    work->place = place;
    PyObject *item = step->type->tp_iternext(work->self);
    if (work->place != NULL) /* It did not ask. */
        *work->place = source;
    ((Handle *)handle)->work = NULL;
    Py_DECREF(handle);
    return item;
}

void step_fields(Work *work, PyObject **source, PyObject **function)
{
    struct Step *step = &steps[work->flag];
    *source = step->other ? *field(work->self, step->other) : NULL;
    if (*source == NULL)
        *source = *field(work->self, step->source);
    *function = step->function ? *field(work->self, step->function) : NULL;
}

/* Find where an iterator keeps its source: the one place that has what it was made with. */
static Py_ssize_t find_field(PyObject *of, PyObject *value)
{
    Py_ssize_t found = 0;
    for (Py_ssize_t at = sizeof(PyObject); of && at < Py_TYPE(of)->tp_basicsize; at += sizeof(void *))
        if (*field(of, at) == value)
            found = found ? -1 : at;
    return found > 0 ? found : 0;
}

/* Of the modules that the program has now: their types may be others than those of an earlier copy. */
int find_steps(void)
{
    /* How each is made: i the iterator, f a function, 1 a number. */
    static const char *const made[STEPS_MAX][2] = {
        {"enumerate", "i"},   {"islice", "i1"},  {"takewhile", "fi"}, {"dropwhile", "fi"},
        {"filterfalse", "fi"}, {"starmap", "fi"}, {"accumulate", "i"}, {"cycle", "i"},
        {"pairwise", "i"},     {"chain", "i"},
    };
    PyObject *tools = work_module("itertools");
    PyObject *chain = tools ? PyObject_GetAttrString(tools, "chain") : NULL;
    Py_XDECREF(chain);
    if (chain == NULL || chain == (PyObject *)steps[STEPS_MAX - 1].type) {
        Py_XDECREF(tools);
        return chain ? 0 : -1;
    }
    PyObject *iterator = work_handle(NULL), *one = PyLong_FromLong(1);
    PyObject *function = PyObject_GetAttrString(tools, "chain");
    if (iterator == NULL || function == NULL || one == NULL)
        return -1;
    for (int at = 0; at < STEPS_MAX; at++) {
        PyObject *type = at ? PyObject_GetAttrString(tools, made[at][0])
                            : Py_NewRef((PyObject *)&PyEnum_Type);
        PyObject *sample;
        const char *how = made[at][1];
        int is_chain = strcmp(made[at][0], "chain") == 0;
        if (type == NULL)
            return -1;
        if (is_chain)
            sample = PyObject_CallMethod(type, "from_iterable", "O", iterator);
        else if (how[0] == 'f')
            sample = PyObject_CallFunctionObjArgs(type, function, iterator, NULL);
        else
            sample = PyObject_CallFunctionObjArgs(type, iterator, how[1] ? one : NULL, NULL);
        if (sample == NULL)
            return -1;
        struct Step *step = &steps[at];
        if (((PyTypeObject *)type)->tp_iter == PyObject_SelfIter)
            ((PyTypeObject *)type)->tp_iter = iter_here;
        Py_XSETREF(step->type, (PyTypeObject *)type);
        step->source = find_field(sample, iterator);
        if (is_chain && step->source)
            step->other = step->source + (Py_ssize_t)sizeof(void *);
        if (strcmp(made[at][0], "starmap") == 0)
            step->function = find_field(sample, function);
        Py_DECREF(sample);
    }
    Py_DECREF(iterator);
    Py_DECREF(function);
    Py_DECREF(one);
    Py_DECREF(tools);
    return 0;
}

/* iterator(object): (the kind of its work, its number there, what it calls, its sources); None for one
 * whose steps are not known. */
PyObject *moving_iterator(PyObject *Py_UNUSED(self), PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    if (type == &PyMap_Type && !odd_map((Map *)object))
        return Py_BuildValue("(iiOO)", WORK_MAP, 0, ((Map *)object)->function,
                             ((Map *)object)->iterators);
    if (type == &PyZip_Type && !odd_zip((Zip *)object))
        return Py_BuildValue("(iiOO)", WORK_ZIP, 0, Py_None, ((Zip *)object)->iterators);
    if (type == &PyFilter_Type)
        return Py_BuildValue("(iiO(O))", WORK_FILTER, 0, ((Filter *)object)->function,
                             ((Filter *)object)->iterator);
    if (type == &PyCallIter_Type && ((Until *)object)->function != NULL)
        return Py_BuildValue("(iiO())", WORK_UNTIL, 0, ((Until *)object)->function);
    for (int at = 0; at < STEPS_MAX; at++) {
        if (type != steps[at].type || steps[at].source == 0)
            continue;
        PyObject *source, *function;
        step_fields(&(Work){.self = object, .flag = at}, &source, &function);
        return Py_BuildValue("(iiO(O))", WORK_STEP, at, function ? function : Py_None,
                             source ? source : Py_None);
    }
    Py_RETURN_NONE;
}

/* watch(on): map, filter and zip note what they have, as long as an image is asked for. */
PyObject *moving_watch(PyObject *Py_UNUSED(self), PyObject *on)
{
    int watched = PyObject_IsTrue(on);
    if (watched < 0 || (watched && find_steps() < 0))
        return NULL;
    PyMap_Type.tp_iternext = watched ? map_here : map_original;
    PyFilter_Type.tp_iternext = watched ? filter_here : filter_original;
    PyZip_Type.tp_iternext = watched ? zip_here : zip_original;
    Py_RETURN_NONE;
}

static ternaryfunc call_of(PyObject *module, const char *name)
{
    PyObject *type = PyObject_GetAttrString(module, name);
    ternaryfunc call = type && PyType_Check(type) ? ((PyTypeObject *)type)->tp_call : NULL;
    Py_XDECREF(type);
    return call;
}

int stepping_ready(void)
{
    PyObject *builtins = PyImport_ImportModule("builtins");
    PyObject *functions = work_module("_functools");
    PyObject *key = functions ? PyObject_CallMethod(functions, "cmp_to_key", "O", Py_None) : NULL;
    if (builtins == NULL || key == NULL)
        return -1;
    static const char *const names[] = {"sum", "any", "all", "min", "max", "sorted", "list",
                                        "tuple", "set", "frozenset", "dict"};
    for (size_t at = 0; at < sizeof names / sizeof *names; at++)
        callables[at] = PyObject_GetAttrString(builtins, names[at]);
    partial_call = call_of(functions, "partial");
    cache_call = call_of(functions, "_lru_cache_wrapper");
    key_call = Py_TYPE(key)->tp_call;
    Py_DECREF(builtins);
    Py_DECREF(functions);
    Py_DECREF(key);
    if (partial_call == NULL || cache_call == NULL)
        return -1;
    runners[WORK_MAP] = run_map;
    runners[WORK_FILTER] = run_filter;
    runners[WORK_ZIP] = run_zip;
    runners[WORK_UNTIL] = run_until_last;
    runners[WORK_STEP] = run_step;
    map_original = PyMap_Type.tp_iternext;
    filter_original = PyFilter_Type.tp_iternext;
    zip_original = PyZip_Type.tp_iternext;
    PyTypeObject *plain[] = {&PyGen_Type, &PyMap_Type, &PyFilter_Type, &PyZip_Type};
    for (size_t at = 0; at < sizeof plain / sizeof *plain; at++)
        plain[at]->tp_iter = iter_here;
    return find_steps();
}
