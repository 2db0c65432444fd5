/* asyncio's futures and tasks of C: their fields, and the end of a step that was under way.
 *
 * They have fields that no attribute shows. The structures are those of Modules/_asynciomodule.c,
 * which no header has; a version whose objects have another size is refused. */
#include "moving.h"
#include "internal/pycore_context.h"
#if SINCE_13
#include "internal/pycore_tstate.h"
#endif

typedef struct {
    PyObject_HEAD
    PyObject *loop, *callback0, *context0, *callbacks;
    PyObject *exception, *exception_traceback, *result, *source, *cancel_message;
#if SINCE_13
    PyObject *cancelled_exception;
#if SINCE_14
    PyObject *awaited_by;
#endif
    int state;
#if SINCE_14
    char is_task, awaited_by_is_set;
#endif
    unsigned log_traceback : 1, blocking : 1, must_cancel : 1, log_destroy : 1;
#else
    int state, log_traceback, blocking;
    PyObject *attributes, *weak;
    PyObject *cancelled_exception;
#endif
} Future;

typedef struct {
    Future future;
#if SINCE_13
    int cancels;
#endif
    PyObject *waiter, *coroutine, *name, *context;
#if SINCE_14
    void *next, *previous;
#elif !SINCE_13
    int must_cancel, log_destroy, cancels;
#endif
} Task;

#if SINCE_13
#define task_must_cancel(t) ((t)->future.must_cancel)
#define task_log_destroy(t) ((t)->future.log_destroy)
#else
#define task_must_cancel(t) ((t)->must_cancel)
#define task_log_destroy(t) ((t)->log_destroy)
#endif

/* Both what begins a step of a task, and the callable that is given an exception for it. */
typedef struct {
    PyObject_HEAD
    PyObject *task, *argument;
} Step;

static PyObject *or_nothing(PyObject *object)
{
    return object ? object : Nothing;
}

static void set(PyObject **field, PyObject *value)
{
    PyObject *before = *field;
    *field = value == Nothing ? NULL : Py_NewRef(value);
    Py_XDECREF(before);
}

/* task_sizes(): those that objects of _asyncio must have. */
PyObject *moving_task_sizes(PyObject *Py_UNUSED(self), PyObject *Py_UNUSED(nothing))
{
    return Py_BuildValue("(nnn)", (Py_ssize_t)sizeof(Future), (Py_ssize_t)sizeof(Task),
                         (Py_ssize_t)sizeof(Step));
}

/* future_state(future): its fields, as set_future_state takes them. */
PyObject *moving_future_state(PyObject *Py_UNUSED(self), PyObject *object)
{
    Future *f = (Future *)object;
    PyObject *callbacks = f->callbacks ? PyList_GetSlice(f->callbacks, 0, PY_SSIZE_T_MAX) : NULL;
    PyObject *state =
        Py_BuildValue("(OOOOOOOOOOiii)", or_nothing(f->loop), or_nothing(f->callback0),
                      or_nothing(f->context0), or_nothing(callbacks), or_nothing(f->exception),
                      or_nothing(f->exception_traceback), or_nothing(f->result),
                      or_nothing(f->source), or_nothing(f->cancel_message),
                      or_nothing(f->cancelled_exception), f->state, (int)f->log_traceback,
                      (int)f->blocking);
    Py_XDECREF(callbacks);
    return state;
}

/* set_future_state(future, fields) */
PyObject *moving_set_future_state(PyObject *Py_UNUSED(self), PyObject *args)
{
    PyObject *object, *fields[10];
    int state, log, blocking;
    if (!PyArg_ParseTuple(args, "O(OOOOOOOOOOiii)", &object, &fields[0], &fields[1], &fields[2],
                          &fields[3], &fields[4], &fields[5], &fields[6], &fields[7], &fields[8],
                          &fields[9], &state, &log, &blocking))
        return NULL;
    Future *f = (Future *)object;
    PyObject **places[] = {&f->loop, &f->callback0, &f->context0, &f->callbacks, &f->exception,
                           &f->exception_traceback, &f->result, &f->source, &f->cancel_message,
                           &f->cancelled_exception};
    for (int at = 0; at < 10; at++)
        set(places[at], fields[at]);
    f->state = state;
    f->log_traceback = log != 0;
    f->blocking = blocking != 0;
    Py_RETURN_NONE;
}

/* task_state(task): what it has beside the fields of a future. */
PyObject *moving_task_state(PyObject *Py_UNUSED(self), PyObject *object)
{
    Task *t = (Task *)object;
    return Py_BuildValue("(OOOOiii)", or_nothing(t->waiter), or_nothing(t->coroutine),
                         or_nothing(t->name), or_nothing(t->context), (int)task_must_cancel(t),
                         (int)task_log_destroy(t), t->cancels);
}

/* set_task_state(task, fields) */
PyObject *moving_set_task_state(PyObject *Py_UNUSED(self), PyObject *args)
{
    PyObject *object, *waiter, *coroutine, *name, *context;
    int must_cancel, log_destroy, cancels;
    if (!PyArg_ParseTuple(args, "O(OOOOiii)", &object, &waiter, &coroutine, &name, &context,
                          &must_cancel, &log_destroy, &cancels))
        return NULL;
    Task *t = (Task *)object;
    set(&t->waiter, waiter);
    set(&t->coroutine, coroutine);
    set(&t->name, name);
    set(&t->context, context);
    task_must_cancel(t) = must_cancel != 0;
    task_log_destroy(t) = log_destroy != 0;
    t->cancels = cancels;
#if SINCE_14
    t->future.is_task = 1;
#endif
    Py_RETURN_NONE;
}

/* step_state(step): (task, argument). */
PyObject *moving_step_state(PyObject *Py_UNUSED(self), PyObject *object)
{
    Step *step = (Step *)object;
    return Py_BuildValue("(OO)", or_nothing(step->task), or_nothing(step->argument));
}

/* new_step(type, task, argument) */
PyObject *moving_new_step(PyObject *Py_UNUSED(self), PyObject *args)
{
    PyObject *type, *task, *argument;
    if (!PyArg_ParseTuple(args, "O!OO", &PyType_Type, &type, &task, &argument))
        return NULL;
    Step *step = PyObject_GC_New(Step, (PyTypeObject *)type);
    if (step == NULL)
        return NULL;
    step->task = Py_NewRef(task);
    step->argument = argument == Nothing ? NULL : Py_NewRef(argument);
    PyObject_GC_Track(step);
    return (PyObject *)step;
}

/* like_builtin(sample, self): the same C function, bound to another object. */
PyObject *moving_like_builtin(PyObject *Py_UNUSED(self), PyObject *args)
{
    PyObject *sample, *of;
    if (!PyArg_ParseTuple(args, "O!O", &PyCFunction_Type, &sample, &of))
        return NULL;
    return PyCFunction_New(((PyCFunctionObject *)sample)->m_ml, of);
}

/* --- the end of a step ------------------------------------------------------------------------ */
/* Stands for a task's coroutine in one call: it gives what the coroutine gave, which C has then to
 * deal with. */
typedef struct {
    PyObject_HEAD
    PyObject *value;
    Task *task;
    int how, must_cancel;
} Outcome;

static PySendResult give(PyObject *self, PyObject *Py_UNUSED(sent), PyObject **result)
{
    Outcome *one = (Outcome *)self;
    /* It was set while the step was under way, and is not for its beginning. */
    task_must_cancel(one->task) = one->must_cancel != 0;
    *result = NULL;
    if (one->how == 0) {
        PyObject *traceback = PyException_GetTraceback(one->value);
        PyErr_Restore(Py_NewRef((PyObject *)Py_TYPE(one->value)), Py_NewRef(one->value), traceback);
        return PYGEN_ERROR;
    }
    *result = Py_NewRef(one->value);
    return one->how == 1 ? PYGEN_RETURN : PYGEN_NEXT;
}

static PyAsyncMethods sending = {.am_send = give};

static PyTypeObject outcome = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "coroutine",
    .tp_basicsize = sizeof(Outcome),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_as_async = &sending,
};

/* finish_step(task, how, value, step): what C does with what the coroutine of a step has raised (0),
 * returned (1) or yielded (2). `step` is a new one of the task. */
PyObject *moving_finish_step(PyObject *Py_UNUSED(self), PyObject *args)
{
    PyObject *object, *value, *step;
    int how;
    if (!PyArg_ParseTuple(args, "OiOO", &object, &how, &value, &step)
        || PyType_Ready(&outcome) < 0)
        return NULL;
    Task *task = (Task *)object;
    Outcome *one = PyObject_New(Outcome, &outcome);
    if (one == NULL)
        return NULL;
    one->value = value;
    one->task = task;
    one->how = how;
    one->must_cancel = task_must_cancel(task);
    task_must_cancel(task) = 0;
    PyObject *coroutine = task->coroutine;
    task->coroutine = (PyObject *)one;
    PyObject *done = PyObject_CallNoArgs(step);
    if (task->coroutine == (PyObject *)one) {
        task->coroutine = coroutine;
        Py_DECREF(one);
    } else {
        Py_XDECREF(coroutine);
    }
    return done;
}

/* --- what a thread has for its loop ----------------------------------------------------------- */
/* running_loop(thread): its loop, or None. */
PyObject *moving_running_loop(PyObject *Py_UNUSED(self), PyObject *ident)
{
    PyThreadState *thread = find_thread(PyLong_AsUnsignedLong(ident));
    if (PyErr_Occurred())
        return NULL;
    PyObject *loop = NULL;
#if SINCE_13
    if (thread != NULL)
        loop = ((_PyThreadStateImpl *)thread)->asyncio_running_loop;
#else
    if (thread != NULL && thread->dict != NULL)
        loop = PyDict_GetItemString(thread->dict, "__asyncio_running_event_loop__");
    if (!SINCE_12 && loop != NULL) /* An object that has the loop right after its head. */
        loop = *(PyObject **)((char *)loop + sizeof(PyObject));
#endif
    return Py_NewRef(loop ? loop : Py_None);
}

/* async_hooks(thread): (first iteration, end, depth of origins), as sys has them of the own one. */
PyObject *moving_async_hooks(PyObject *Py_UNUSED(self), PyObject *ident)
{
    PyThreadState *thread = find_thread(PyLong_AsUnsignedLong(ident));
    if (PyErr_Occurred())
        return NULL;
    if (thread == NULL)
        return Py_BuildValue("(OOi)", Py_None, Py_None, 0);
    PyObject *first = thread->async_gen_firstiter, *end = thread->async_gen_finalizer;
    return Py_BuildValue("(OOi)", first ? first : Py_None, end ? end : Py_None,
                         thread->coroutine_origin_tracking_depth);
}
