/* Reading frames without touching them: nothing here changes the program. */
#include "moving.h"

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
