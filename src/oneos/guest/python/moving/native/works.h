/* Built-ins that call Python, written so that what they have done so far can be read and moved. */
#ifndef ONEOS_WORKS_H
#define ONEOS_WORKS_H

#include "moving.h"

/* What `works.py` knows of them is in the same order there. */
enum work_kind {
    WORK_SUM, WORK_ANY, WORK_ALL, WORK_EXTREME, WORK_REDUCE,
    WORK_LIST, WORK_TUPLE, WORK_SET, WORK_FROZENSET, WORK_DICT, WORK_JOIN, WORK_JOIN_BYTES,
    WORK_EXTEND, WORK_UPDATE, WORK_FEED, WORK_CONTAINS,
    WORK_SORTED, WORK_SORT, WORK_MADE, WORK_REPLACE,
    WORK_MAP, WORK_FILTER, WORK_ZIP, WORK_UNTIL, WORK_STEP,
    WORK_KINDS
};

/* What a work waits for: the next item of its callee, its result, or an operation of it. */
enum work_doing { WORK_BUSY, WORK_NEXT, WORK_CALL, WORK_COMPARE, WORK_ADD };

#define WORK_HELD 7

typedef struct Below Below;

/* One call of such a built-in: on the C stack in all but name, so nothing here outlives the call. */
typedef struct Work {
    struct Work *previous, *next; /* all that there are, of all threads, the newest first */
    Frame *frame;                 /* the Python code that called it, or called who called it */
    PyObject *self;               /* the function, class or iterator; borrowed */
    PyObject *callee;             /* whom it waits for; borrowed */
    PyObject *held[WORK_HELD];    /* its own references */
    double real, rest;
    long long number;
    long long repeated, asked; /* of a sort: comparisons noted earlier, and keys, so far */
    int flag;
    int phase;
    short kind, doing;
    PyObject **place; /* where a handle of this work lies in an iterator */
    Below *below; /* restored: where the result comes from that it was waiting for */
} Work;

/* Pooled, since after a fork the other threads' stacks are gone, and their works are still listed. */
extern Work *works_free, *works_live;
int works_more(void);

static inline Work *work_begin(int kind, PyObject *self)
{
    if (works_free == NULL && works_more() < 0)
        return NULL;
    Work *work = works_free;
    works_free = work->next;
    *work = (Work){.next = works_live, .frame = thread_frame(PyThreadState_Get()), .self = self,
                   .kind = (short)kind};
    if (works_live != NULL)
        works_live->previous = work;
    works_live = work;
    return work;
}

/* Always gives back the result, for short returns. */
static inline PyObject *work_end(Work *work, PyObject *result)
{
    if (work->previous != NULL)
        work->previous->next = work->next;
    else
        works_live = work->next;
    if (work->next != NULL)
        work->next->previous = work->previous;
    for (int at = 0; at < WORK_HELD; at++)
        Py_XDECREF(work->held[at]);
    work->next = works_free;
    works_free = work;
    return result;
}

PyObject *work_below(Work *work, PyObject *callee, int doing);

/* As tp_iternext: NULL without an exception, or with StopIteration, at the end. */
static inline PyObject *work_next(Work *work, PyObject *iterator)
{
    if (work->below != NULL)
        return work_below(work, iterator, WORK_NEXT);
    work->callee = iterator;
    work->doing = WORK_NEXT;
    PyObject *item = Py_TYPE(iterator)->tp_iternext(iterator);
    work->doing = WORK_BUSY;
    return item;
}

static inline PyObject *work_call(Work *work, PyObject *callee, PyObject *const *args, int count)
{
    if (work->below != NULL)
        return work_below(work, callee, WORK_CALL);
    work->callee = callee;
    work->doing = WORK_CALL;
    PyObject *result = PyObject_Vectorcall(callee, args, (size_t)count, NULL);
    work->doing = WORK_BUSY;
    return result;
}

int work_compare(Work *work, PyObject *left, PyObject *right, int how);
PyObject *work_add(Work *work, PyObject *left, PyObject *right);

/* After a NULL of work_next: whether it was an error; the end's own exception is taken away. */
static inline int work_failed(void)
{
    if (!PyErr_Occurred())
        return 0;
    if (!PyErr_ExceptionMatches(PyExc_StopIteration))
        return 1;
    PyErr_Clear();
    return 0;
}

/* An iterator or a key function of a work, for C code that takes an object. */
typedef struct {
    PyObject_HEAD
    Work *work; /* NULL when that has ended */
} Handle;

extern PyTypeObject HandleType;
PyObject *work_handle(Work *work);

/* What classes of Python code have in these places, whatever their methods are. */
extern getiterfunc python_iter;
extern iternextfunc python_iternext;
extern richcmpfunc python_compare;
extern ternaryfunc python_call;
extern richcmpfunc key_compare; /* of functools.cmp_to_key */

/* A second interpreter of the process, which does not move, may have another lock: its calls are the
 * originals'. */
extern PyInterpreterState *works_home;

static inline int at_home(void)
{
    return PyThreadState_Get()->interp == works_home;
}

/* Whether iterating over it may run Python code. */
static inline int runs_python(PyObject *iterable)
{
    PyTypeObject *type = Py_TYPE(iterable);
    return type->tp_iter != NULL && (type->tp_iternext != NULL || type->tp_iter == python_iter)
           && at_home();
}

/* Whether comparing it may. */
static inline int compares_python(PyObject *one)
{
    richcmpfunc compare = Py_TYPE(one)->tp_richcompare;
    return (compare == python_compare || compare == key_compare) && at_home();
}

/* Whether calling it may. */
int calls_python(PyObject *callable);

/* A module for as long as it is looked at: a program that has not loaded it does not see it. What is
 * put in place of its functions is in tables of C that all copies of the module have. */
PyObject *work_module(const char *name);

/* filling.c */
Work *work_begin_filling(int kind, PyObject *self, PyObject *container, PyObject *iterable,
                         int asks);
int work_fill(Work *work);
PyObject *work_fill_tuple(PyObject *iterator);

/* stepping.c: what the step of an iterator of itertools waits for, borrowed; NULL: nothing. */
void step_fields(Work *work, PyObject **source, PyObject **function);

/* Of a sort: it is in reverse; the program has changed the list meanwhile. */
enum { SORT_REVERSE = 1, SORT_CHANGED = 2 };

/* Each goes on with a work to its end; the work stays the caller's. */
typedef PyObject *(*Runner)(Work *work);
extern Runner runners[WORK_KINDS];
int folding_ready(void);
int filling_ready(void);
int sorting_ready(void);
int stepping_ready(void);
int constructing_ready(void);
int find_steps(void);
int replaying_ready(void);

/* Put another function in the place of a built-in's own, whose object stays as it is.
 * Answers the original, or NULL where the built-in is not as expected; it then stays. */
PyCFunction replace_function(PyObject *module, const char *name, int flags, PyCFunction by);
PyCFunction replace_method(PyTypeObject *type, const char *name, int flags, PyCFunction by);

/* rehydrating.c: run the frames from this record on; what comes of it in terms of C. */
struct Below {
    PyObject *works; /* the outermost first */
    Py_ssize_t at;   /* the next of them */
    PyObject *link;  /* what the innermost does with the frame's result */
    Py_ssize_t inner;
};
PyObject *resume_frames(Below *below);
PyObject *resume_works(Below *below);

#endif
