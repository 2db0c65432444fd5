/* Reading frames without touching them: nothing here changes the program. */
#include "moving.h"
#include "internal/pycore_runtime.h"
#include <fcntl.h>
#include <unistd.h>

/* The constructor's object, where 3.13 called `__init__` by a frame of its own kind, which is not
 * seen from Python: else None. */
static PyObject *constructed(Frame *frame)
{
#if SINCE_13
    Frame *shim = frame->previous;
    if (shim != NULL && !entered_from_c(frame) && shim->owner == FRAME_OWNED_BY_THREAD
        && _PyCode_CODE(frame_code(shim))[0].op.code == EXIT_INIT_CHECK) {
        PyObject *made = slots_address(shim, 0);
        return made ? made : Py_None;
    }
#else
    (void)frame;
#endif
    return Py_None;
}

static PyObject *or_none(PyObject *object)
{
    return object ? object : Py_None;
}

/* frame(frame object): what is known of it, in the order of frames.Facts. */
PyObject *moving_frame(PyObject *Py_UNUSED(self), PyObject *object)
{
    if (!PyFrame_Check(object)) {
        PyErr_SetString(PyExc_TypeError, "a frame is needed");
        return NULL;
    }
    Frame *frame = ((PyFrameObject *)object)->f_frame;
    PyCodeObject *code = frame_code(frame);
    PyObject *space = code->co_flags & CO_OPTIMIZED ? NULL : frame->f_locals;
    PyObject *generator = NULL;
    if (frame->owner == FRAME_OWNED_BY_GENERATOR)
        generator = frame_generator(frame);
    return Py_BuildValue("(OOOOiiiOOiO)", (PyObject *)code, or_none(frame_function(frame)),
                         frame->f_globals, or_none(space), frame_index(frame), slots_top(frame),
                         (int)entered_from_c(frame), or_none(generator),
                         or_none(waiting_record(frame)), frame_return_offset(frame),
                         constructed(frame));
}

static Frame *frame_and_count(PyObject *args, int *count)
{
    PyObject *object;
    if (!PyArg_ParseTuple(args, "O!i", &PyFrame_Type, &object, count))
        return NULL;
    return ((PyFrameObject *)object)->f_frame;
}

/* slots(frame object, count): the first slots, as objects. */
PyObject *moving_slots(PyObject *Py_UNUSED(self), PyObject *args)
{
    int count;
    Frame *frame = frame_and_count(args, &count);
    PyObject *list = frame ? PyList_New(count) : NULL;
    for (int at = 0; list != NULL && at < count; at++)
        PyList_SET_ITEM(list, at, slots_get(frame, at));
    return list;
}

/* Read a small file of the kernel's without giving the interpreter's lock back. */
static int read_held(unsigned long number, const char *name, char *text, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%lu/%s", number, name);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t count = file < 0 ? -1 : read(file, text, size - 1);
    if (file >= 0)
        close(file);
    text[count > 0 ? count : 0] = 0;
    return count > 0;
}

/* Whether a thread waits in C code, and not for the interpreter's lock: as long as the caller has
 * that, it stays there. Where the kernel does not tell more, its state alone has to do. */
static int is_in_wait(PyThreadState *thread)
{
    char text[1024];
    if (!read_held(thread->native_thread_id, "stat", text, sizeof text))
        return 0;
    char *state = strrchr(text, ')');
    if (state == NULL || strncmp(state, ") S", 3) != 0)
        return 0;
    if (!read_held(thread->native_thread_id, "syscall", text, sizeof text))
        return 1;
    unsigned long long first = 0, start = (uintptr_t)&_PyRuntime;
    long call;
    if (sscanf(text, "%ld %llx", &call, &first) != 2)
        return 0;
    /* A futex, of x86-64 or AArch64. */
    return (call != 202 && call != 98) || first < start || first >= start + sizeof _PyRuntime;
}

/* waiting_slots(frame object, count, thread, index): as `slots`, of a thread that waits in the call
 * there; None where it does not, and its operands may be gone. */
PyObject *moving_waiting_slots(PyObject *self, PyObject *args)
{
    PyFrameObject *object;
    int count, index;
    unsigned long ident;
    if (!PyArg_ParseTuple(args, "O!iki", &PyFrame_Type, &object, &count, &ident, &index))
        return NULL;
    PyThreadState *thread = find_thread(ident);
    Frame *frame = object->f_frame;
    if (thread == NULL || thread_frame(thread) != frame || frame_index(frame) != index
        || !is_in_wait(thread)) {
        PyErr_Clear();
        Py_RETURN_NONE;
    }
    PyObject *two = Py_BuildValue("(Oi)", object, count);
    PyObject *list = two ? moving_slots(self, two) : NULL;
    Py_XDECREF(two);
    return list;
}

/* addresses(frame object, count): the same as numbers. The operands of an instruction that is under
 * way may be dead already, so they are only compared with what is known to live. */
PyObject *moving_addresses(PyObject *Py_UNUSED(self), PyObject *args)
{
    int count;
    Frame *frame = frame_and_count(args, &count);
    PyObject *list = frame ? PyList_New(count) : NULL;
    for (int at = 0; list != NULL && at < count; at++)
        PyList_SET_ITEM(list, at, PyLong_FromVoidPtr(slots_address(frame, at)));
    return list;
}

PyThreadState *find_thread(unsigned long ident)
{
    PyThreadState *thread = PyInterpreterState_ThreadHead(PyInterpreterState_Get());
    while (thread != NULL && thread->thread_id != ident)
        thread = PyThreadState_Next(thread);
    return thread;
}

/* handled(thread): the exceptions being handled, one for each level, the innermost first. */
PyObject *moving_handled(PyObject *Py_UNUSED(self), PyObject *ident)
{
    PyThreadState *thread = find_thread(PyLong_AsUnsignedLong(ident));
    if (PyErr_Occurred())
        return NULL;
    PyObject *list = PyList_New(0);
    if (list == NULL || thread == NULL)
        return list;
    for (_PyErr_StackItem *item = thread->exc_info; item != NULL; item = item->previous_item)
        if (PyList_Append(list, item->exc_value ? item->exc_value : Nothing) < 0) {
            Py_DECREF(list);
            return NULL;
        }
    return list;
}

/* generator(generator, coroutine ...): (its state, the exception that it handles). */
PyObject *moving_generator(PyObject *Py_UNUSED(self), PyObject *object)
{
    PyGenObject *generator = (PyGenObject *)object;
    PyObject *handled = generator->gi_exc_state.exc_value;
    return Py_BuildValue("(iO)", (int)generator->gi_frame_state, handled ? handled : Nothing);
}
