/* Restoring a stack of frames: PEP 523's hook fills the frames that CPython itself makes.
 *
 * Each saved frame's function is called for real, with arguments that do not matter. Before its
 * first instruction the hook overwrites the new frame's slots and position, and calls the next
 * inner one from there. What that returns is put on the frame's stack, and the frame goes on. So
 * tracebacks, exception tables, specialisation and another capture find nothing unusual; only the
 * C stack is deeper than in a program that was never moved. */
#include "works.h"

/* A restored frame that waits for the one it called. It lives on the C stack of the hook. */
typedef struct Waiting {
    Frame *frame;
    PyObject *record;
    struct Waiting *next;
} Waiting;

static Waiting *waiting;

/* The restoration under way: one thread at a time. */
static struct {
    PyObject *records; /* the outermost first */
    PyObject *after;   /* after(boundary, how, value): what C would have done with a result */
    PyObject *ready;   /* called when all frames are there */
    PyThreadState *thread;
    Py_ssize_t next;
    int armed; /* the next frame that is made is that of record `next` */
} now;

enum how { RAISED, RETURNED, YIELDED };

PyObject *waiting_record(Frame *frame)
{
    for (Waiting *one = waiting; one != NULL; one = one->next)
        if (one->frame == frame)
            return one->record;
    return NULL;
}

int fill_frame(Frame *frame, PyObject *slots, int index)
{
    PyCodeObject *code = frame_code(frame);
    Py_ssize_t count = PyList_GET_SIZE(slots);
    if (count < code->co_nlocalsplus || count > code->co_nlocalsplus + code->co_stacksize) {
        PyErr_Format(PyExc_SystemError, "%zd slots do not fit into %U", count, code->co_qualname);
        return -1;
    }
    if (index < -1 || index > (int)Py_SIZE(code)) {
        PyErr_Format(PyExc_SystemError, "%U has no place %d", code->co_qualname, index);
        return -1;
    }
    int before = slots_top(frame);
    for (int at = 0; at < count; at++) {
        if (at < before)
            slots_clear(frame, at);
        slots_put(frame, at, PyList_GET_ITEM(slots, at));
    }
    for (int at = (int)count; at < before; at++)
        slots_clear(frame, at);
    slots_set_top(frame, (int)count);
    frame_set_index(frame, index);
    return 0;
}

static Frame *push(Frame *frame, PyObject *value)
{
    int top = slots_top(frame);
    slots_put(frame, top, value);
    slots_set_top(frame, top + 1);
    return frame;
}

static PyObject *hook(PyThreadState *thread, Frame *frame, int throwing);

static void set_hook(int on)
{
    _PyInterpreterState_SetEvalFrameFunc(PyInterpreterState_Get(),
                                         on ? hook : _PyEval_EvalFrameDefault);
}

/* Call a function with what fits its signature. */
static PyObject *call(PyObject *function, PyCodeObject *code)
{
    Py_ssize_t count = code->co_argcount, named = code->co_kwonlyargcount;
    PyObject **arguments = PyMem_Calloc((size_t)(count + named + 1), sizeof(PyObject *));
    PyObject *names = named ? PyTuple_New(named) : NULL;
    PyObject *result = NULL;
    if (arguments == NULL || (named && names == NULL))
        goto done;
    for (Py_ssize_t at = 0; at < count + named; at++)
        arguments[1 + at] = Py_None;
    PyObject *variables = PyCode_GetVarnames(code);
    for (Py_ssize_t at = 0; at < named; at++)
        PyTuple_SET_ITEM(names, at, Py_NewRef(PyTuple_GET_ITEM(variables, count + at)));
    Py_XDECREF(variables);
    size_t flags = (size_t)count | PY_VECTORCALL_ARGUMENTS_OFFSET;
    result = PyObject_Vectorcall(function, arguments + 1, flags, names);
done:
    Py_XDECREF(names);
    PyMem_Free(arguments);
    return result;
}

/* Have CPython make the frame of a record, and run it to its end. */
static enum how enter(Py_ssize_t at, PyObject **value)
{
    PyObject *record = PyList_GET_ITEM(now.records, at);
    PyObject *generator = PyObject_GetAttrString(record, "generator");
    PyObject *function = PyObject_GetAttrString(record, "function");
    PyObject *code = PyObject_GetAttrString(record, "code");
    PyObject *space = PyObject_GetAttrString(record, "space");
    PyObject *globals = PyObject_GetAttrString(record, "globals");
    PyObject *closure = PyObject_GetAttrString(record, "closure");
    enum how how = RAISED;
    *value = NULL;
    if (!generator || !function || !code || !space || !globals || !closure)
        goto done;
    now.next = at;
    now.armed = 1;
    if (generator != Py_None) {
        PySendResult sent = PyIter_Send(generator, Py_None, value);
        how = sent == PYGEN_ERROR ? RAISED : sent == PYGEN_RETURN ? RETURNED : YIELDED;
    } else {
        if (space != Py_None || function == Py_None) {
            PyObject *cells = closure == Py_None ? NULL : closure;
            *value = PyEval_EvalCodeEx(code, globals, space == Py_None ? globals : space, NULL, 0,
                                       NULL, 0, NULL, 0, NULL, cells);
        } else {
            *value = call(function, (PyCodeObject *)code);
        }
        how = *value ? RETURNED : RAISED;
    }
    now.armed = 0;
done:
    Py_XDECREF(generator);
    Py_XDECREF(function);
    Py_XDECREF(code);
    Py_XDECREF(space);
    Py_XDECREF(globals);
    Py_XDECREF(closure);
    return how;
}

/* The record's values into the frame; the record then keeps none of them alive. */
static int take_record(PyThreadState *thread, Frame *frame, PyObject *record)
{
    PyObject *slots = PyObject_GetAttrString(record, "slots");
    PyObject *index = PyObject_GetAttrString(record, "index");
    PyObject *handled = PyObject_GetAttrString(record, "handled");
    PyObject *shell = PyObject_GetAttrString(record, "frame");
    int failed = !slots || !index || !handled || !shell || !PyList_Check(slots)
                 || fill_frame(frame, slots, (int)PyLong_AsLong(index)) < 0;
    if (!failed && handled != Nothing)
        Py_XSETREF(thread->exc_info->exc_value, Py_NewRef(handled));
    if (!failed && shell != Py_None) {
        /* The program refers to this frame, by a traceback for one: that object is its own now. */
        Py_XSETREF(frame->frame_obj, (PyFrameObject *)Py_NewRef(shell));
        ((PyFrameObject *)shell)->f_frame = frame;
    }
    failed = failed || PyObject_SetAttrString(record, "handled", Nothing) < 0;
    static const char *const kept[] = {"slots", "frame", "generator", "function", "space",
                                       "closure"};
    for (size_t at = 0; !failed && at < sizeof kept / sizeof *kept; at++)
        failed = PyObject_SetAttrString(record, kept[at], Py_None) < 0;
    Py_XDECREF(slots);
    Py_XDECREF(index);
    Py_XDECREF(handled);
    Py_XDECREF(shell);
    return failed ? -1 : 0;
}

/* An exception that only passes `after` is to have no traceback of it. */
static void forget_ours(PyObject *error, PyObject *traceback)
{
    PyObject *type, *now_raised, *longer;
    PyErr_Fetch(&type, &now_raised, &longer);
    PyErr_NormalizeException(&type, &now_raised, &longer);
    if (now_raised == error) {
        Py_XSETREF(longer, Py_XNewRef(traceback));
        PyException_SetTraceback(error, longer ? longer : Py_None);
    }
    PyErr_Restore(type, now_raised, longer);
}

/* It may be what keeps an object of the program alive. */
static void forget_boundary(PyObject *record)
{
    PyObject *type, *error, *traceback;
    PyErr_Fetch(&type, &error, &traceback);
    if (PyObject_SetAttrString(record, "boundary", Py_None) < 0)
        PyErr_Clear();
    PyErr_Restore(type, error, traceback);
}

/* What `after` makes of an inner frame's result, or of its exception. */
static PyObject *finish(PyObject *boundary, enum how how, PyObject *value)
{
    PyObject *type = NULL, *error = NULL, *traceback = NULL;
    if (how == RAISED) {
        PyErr_Fetch(&type, &error, &traceback);
        PyErr_NormalizeException(&type, &error, &traceback);
        if (traceback)
            PyException_SetTraceback(error, traceback);
        value = Py_XNewRef(error);
    }
    PyObject *done = PyObject_CallFunction(now.after, "OiO", boundary, (int)how,
                                           value ? value : Py_None);
    if (done == NULL && how == RAISED)
        forget_ours(error, traceback);
    Py_XDECREF(value);
    Py_XDECREF(type);
    Py_XDECREF(error);
    Py_XDECREF(traceback);
    return done;
}

/* The result of the frames within a built-in, as its C code sees it. */
PyObject *resume_frames(Below *below)
{
    PyObject *value, *result = NULL;
    PyObject *link = Py_NewRef(below->link);
    enum how how = enter(below->inner, &value);
    PyObject *done = finish(link, how, value);
    Py_DECREF(link);
    if (done != NULL && PyTuple_Check(done) && PyTuple_GET_SIZE(done) == 3) {
        PyObject *pushed = PyTuple_GET_ITEM(done, 1);
        if (PyTuple_Check(pushed) && PyTuple_GET_SIZE(pushed) == 1)
            result = Py_NewRef(PyTuple_GET_ITEM(pushed, 0));
    }
    if (done != NULL && result == NULL)
        PyErr_SetString(PyExc_SystemError, "a built-in's callee has no result");
    Py_XDECREF(done);
    return result;
}

/* Built-ins stand between a frame and the next inner one: they go on, too. */
static enum how enter_works(PyObject *record, PyObject *works, Py_ssize_t inner, PyObject **value)
{
    PyObject *link = PyObject_GetAttrString(record, "link");
    Below below = {works, 0, link, inner};
    *value = link ? resume_works(&below) : NULL;
    Py_XDECREF(link);
    if (*value == NULL && !PyErr_Occurred())
        PyErr_SetNone(PyExc_StopIteration);
    return *value ? RETURNED : RAISED;
}

/* Do with the inner frame's result what the interpreter or C would have done; 1: it is raised. */
static int settle(Frame *frame, PyObject *record, enum how how, PyObject *value)
{
    PyObject *boundary = PyObject_GetAttrString(record, "boundary");
    if (boundary == Py_None) {
        Py_DECREF(boundary);
        if (how == RAISED)
            return 1;
        push(frame, value);
        Py_DECREF(value);
        return 0;
    }
    PyObject *done = boundary ? finish(boundary, how, value) : NULL;
    Py_XDECREF(boundary);
    forget_boundary(record);
    int pop, index;
    PyObject *pushed;
    if (done == NULL || !PyArg_ParseTuple(done, "iO!i", &pop, &PyTuple_Type, &pushed, &index)) {
        Py_XDECREF(done);
        return 1;
    }
    for (; pop > 0; pop--) {
        slots_set_top(frame, slots_top(frame) - 1);
        slots_clear(frame, slots_top(frame));
    }
    for (Py_ssize_t at = 0; at < PyTuple_GET_SIZE(pushed); at++)
        push(frame, PyTuple_GET_ITEM(pushed, at));
    frame_set_index(frame, index);
    Py_DECREF(done);
    return 0;
}

static int enter_context(PyObject *context, int leave)
{
    PyObject *type, *error, *traceback;
    if (context == NULL || context == Py_None)
        return 0;
    PyErr_Fetch(&type, &error, &traceback);
    int failed = leave ? PyContext_Exit(context) : PyContext_Enter(context);
    if (failed < 0)
        PyErr_WriteUnraisable(context);
    PyErr_Restore(type, error, traceback);
    return failed;
}

/* Wait in this frame for the inner one, and go on with what it gives. */
static PyObject *call_inner(PyThreadState *thread, Frame *frame, PyObject *record, Py_ssize_t inner)
{
    Waiting here = {frame, record, waiting};
    PyObject *value;
    /* Linked, so that the program's own look at its stack, and another capture, see this frame. */
    frame->previous = thread_frame(thread);
    thread_frame(thread) = frame;
    waiting = &here;
    recursion_left(thread)--;
    PyObject *context = PyObject_GetAttrString(record, "context");
    enter_context(context, 0);
    PyObject *works = PyObject_GetAttrString(record, "works");
    enum how how = works && PyList_Check(works) ? enter_works(record, works, inner, &value)
                                                : enter(inner, &value);
    Py_XDECREF(works);
    enter_context(context, 1);
    Py_XDECREF(context);
    recursion_left(thread)++;
    for (Waiting **one = &waiting; *one != NULL; one = &(*one)->next)
        if (*one == &here) {
            *one = here.next;
            break;
        }
    thread_frame(thread) = frame->previous;
    int raised = settle(frame, record, how, value);
    Py_DECREF(record);
    return _PyEval_EvalFrameDefault(thread, frame, raised);
}

static PyObject *hook(PyThreadState *thread, Frame *frame, int throwing)
{
    if (!now.armed || thread != now.thread)
        return _PyEval_EvalFrameDefault(thread, frame, throwing);
    Py_ssize_t me = now.next;
    PyObject *record = PyList_GET_ITEM(now.records, me);
    PyObject *code = PyObject_GetAttrString(record, "code");
    Py_XDECREF(code);
    if (code != (PyObject *)frame_code(frame))
        return _PyEval_EvalFrameDefault(thread, frame, throwing);
    now.armed = 0;
    Py_INCREF(record);
    if (take_record(thread, frame, record) < 0) {
        Py_DECREF(record);
        set_hook(0);
        return _PyEval_EvalFrameDefault(thread, frame, 1);
    }
    if (me + 1 < PyList_GET_SIZE(now.records))
        return call_inner(thread, frame, record, me + 1);
    /* The innermost: from here on the program runs as any other. */
    Py_DECREF(record);
    set_hook(0);
    Py_CLEAR(now.records);
    PyObject *ready = now.ready;
    now.ready = NULL;
    PyObject *told = PyObject_CallNoArgs(ready);
    Py_DECREF(ready);
    if (told == NULL)
        return _PyEval_EvalFrameDefault(thread, frame, 1);
    Py_DECREF(told);
    frame->previous = thread_frame(thread);
    if (arm_resumed(frame) < 0)
        return _PyEval_EvalFrameDefault(thread, frame, 1);
    return _PyEval_EvalFrameDefault(thread, frame, 0);
}

/* resume(records, after, ready): run a saved stack to its end, in this thread. The list is empty
 * afterwards. */
PyObject *moving_resume(PyObject *Py_UNUSED(self), PyObject *args)
{
    PyObject *records, *after, *ready, *value;
    if (!PyArg_ParseTuple(args, "O!OO", &PyList_Type, &records, &after, &ready))
        return NULL;
    if (find_steps() < 0)
        return NULL;
    if (now.records != NULL || PyList_GET_SIZE(records) == 0) {
        PyErr_SetString(PyExc_RuntimeError, "nothing to restore, or another is being restored");
        return NULL;
    }
    now.thread = PyThreadState_Get();
    /* Whoever called waits for the program's end, and must keep nothing of it alive until then. */
    now.records = PyList_GetSlice(records, 0, PyList_GET_SIZE(records));
    if (now.records == NULL || PyList_SetSlice(records, 0, PyList_GET_SIZE(records), NULL) < 0)
        return NULL;
    Py_XSETREF(now.after, Py_NewRef(after));
    now.ready = Py_NewRef(ready);
    set_hook(1);
    enum how how = enter(0, &value);
    if (now.records != NULL && now.thread == PyThreadState_Get()) {
        set_hook(0);
        Py_CLEAR(now.records);
        Py_CLEAR(now.ready);
    }
    return how == RAISED ? NULL : value;
}
