/* Stopping threads at the boundary of two instructions, and letting them go on.
 *
 * A trace function of C is set on a thread from outside. The interpreter calls it before its next
 * line or instruction, where the position is exact and nothing is half done; there the thread
 * waits, without the interpreter's lock, until it is let go. A thread that is inside a C function
 * comes here as soon as that returns. Nothing of this is in place while nobody captures. */
#include "moving.h"
#include "internal/pycore_runtime.h"
#include <pthread.h>

#define STOPPED_MAX 1024 /* threads that can be stopped at once */

static struct {
    unsigned long ident;
    PyObject *frame;
} stopped[STOPPED_MAX];
static int stopped_count;

/* Threads wait for another number here than the one they were stopped under. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t released = PTHREAD_COND_INITIALIZER;
static unsigned long round_number;

static unsigned long exempt; /* the thread that captures: 3.12 sets the function on all */

static long long steps_left;        /* instructions until a stop, where a test counts them */
static long long steps_taken;
static int counting;                /* every instruction counts, not only lines */
static long long steps_resumed = -1;

static int standing; /* an image is taken: who waits for input must not take it */

static int trace(PyObject *object, PyFrameObject *frame, int what, PyObject *argument);

int is_standing(void)
{
    return standing;
}

/* Wait until all threads are let go. */
void wait_here(void)
{
    /* Read with the interpreter's lock: as soon as that is free, others may let this one go. */
    unsigned long mine = round_number;
    Py_BEGIN_ALLOW_THREADS
    pthread_mutex_lock(&mutex);
    while (mine == round_number)
        pthread_cond_wait(&released, &mutex);
    pthread_mutex_unlock(&mutex);
    Py_END_ALLOW_THREADS
}

static void set_trace(PyThreadState *thread, Py_tracefunc function)
{
#if SINCE_12
    (void)thread;
    if (function == NULL)
        PyEval_SetTraceAllThreads(NULL, NULL);
    else
        PyEval_SetTraceAllThreads(function, NULL);
#else
    thread->c_tracefunc = function;
    thread->c_traceobj = NULL;
    thread->cframe->use_tracing = function || thread->c_profilefunc ? 255 : 0;
#endif
}

/* 3.11 asks each frame whether instructions are traced in it, 3.12 and later each code too. */
static void count_in(PyFrameObject *frame)
{
    if (PyObject_SetAttrString((PyObject *)frame, "f_trace_opcodes", Py_True) < 0)
        PyErr_Clear();
#if SINCE_13
    static PyObject *seen;
    PyObject *code = (PyObject *)PyFrame_GetCode(frame);
    if (seen == NULL)
        seen = PySet_New(NULL);
    if (seen != NULL && PySet_Contains(seen, code) == 0) {
        PySet_Add(seen, code);
        PyEval_SetTrace(trace, NULL);
    }
    Py_DECREF(code);
#endif
}

static int trace(PyObject *Py_UNUSED(object), PyFrameObject *frame, int what,
                 PyObject *Py_UNUSED(argument))
{
    if (PyThread_get_thread_ident() == exempt)
        return 0;
    if (what == PyTrace_CALL && counting)
        count_in(frame);
    if (counting ? what != PyTrace_OPCODE : what != PyTrace_OPCODE && what != PyTrace_LINE)
        return 0;
    if (counting) {
        steps_taken++;
        if (steps_left-- > 0)
            return 0;
    }
    if (stopped_count == STOPPED_MAX)
        return 0;
    stopped[stopped_count].ident = PyThread_get_thread_ident();
    stopped[stopped_count].frame = Py_NewRef((PyObject *)frame);
    stopped_count++;
    wait_here();
    return 0;
}

static void count_in_stack(PyThreadState *thread)
{
    PyFrameObject *frame = PyThreadState_GetFrame(thread);
    while (frame != NULL) {
        count_in(frame);
        PyFrameObject *back = PyFrame_GetBack(frame);
        Py_DECREF(frame);
        frame = back;
    }
}

/* arm(threads, steps): have each of these threads stop; after so many instructions, if not -1. */
PyObject *moving_arm(PyObject *Py_UNUSED(self), PyObject *args)
{
    PyObject *idents;
    long long steps;
    if (!PyArg_ParseTuple(args, "O!L", &PyTuple_Type, &idents, &steps))
        return NULL;
    counting = steps >= 0;
    steps_left = steps;
    exempt = PyThread_get_thread_ident();
    for (Py_ssize_t at = 0; at < PyTuple_GET_SIZE(idents); at++) {
        PyThreadState *thread = find_thread(PyLong_AsUnsignedLong(PyTuple_GET_ITEM(idents, at)));
        if (PyErr_Occurred())
            return NULL;
        if (thread == NULL)
            continue;
        if (thread->thread_id == exempt) /* A test's, which counts in its own thread. */
            exempt = 0;
        if (counting)
            count_in_stack(thread);
        if (!SINCE_12 || at == 0)
            set_trace(thread, trace);
    }
    Py_RETURN_NONE;
}

/* parked(): {thread: frame} of those that have stopped. */
PyObject *moving_parked(PyObject *Py_UNUSED(self), PyObject *Py_UNUSED(nothing))
{
    PyObject *found = PyDict_New();
    for (int at = 0; found != NULL && at < stopped_count; at++) {
        PyObject *ident = PyLong_FromUnsignedLong(stopped[at].ident);
        if (ident == NULL || PyDict_SetItem(found, ident, stopped[at].frame) < 0)
            Py_CLEAR(found);
        Py_XDECREF(ident);
    }
    return found;
}

static void let_go(void)
{
    for (int at = 0; at < stopped_count; at++)
        Py_CLEAR(stopped[at].frame);
    stopped_count = 0;
    standing = 0;
    pthread_mutex_lock(&mutex);
    round_number++;
    pthread_cond_broadcast(&released);
    pthread_mutex_unlock(&mutex);
}

static void end_tracing(void)
{
    PyThreadState *thread = PyInterpreterState_ThreadHead(PyInterpreterState_Get());
    for (; thread != NULL; thread = PyThreadState_Next(thread))
        if (thread->c_tracefunc == trace) {
            set_trace(thread, NULL);
            if (SINCE_12)
                return;
        }
}

/* disarm(): no thread stops any more, and those that have go on. */
PyObject *moving_disarm(PyObject *Py_UNUSED(self), PyObject *Py_UNUSED(nothing))
{
    end_tracing();
    let_go();
    Py_RETURN_NONE;
}

/* stand(): until `disarm`, a thread that waits for input waits on when there is some. */
PyObject *moving_stand(PyObject *Py_UNUSED(self), PyObject *Py_UNUSED(nothing))
{
    standing = 1;
    Py_RETURN_NONE;
}

/* steps(more): the instructions counted; with an argument, stopped threads do as many more. */
PyObject *moving_steps(PyObject *Py_UNUSED(self), PyObject *args)
{
    long long more = -1;
    int resumed = 0;
    if (!PyArg_ParseTuple(args, "|Lp", &more, &resumed))
        return NULL;
    if (resumed) {
        steps_resumed = more;
    } else if (more >= 0) {
        steps_left = more;
        let_go();
    }
    return PyLong_FromLongLong(steps_taken);
}

/* The frame is the innermost of a stack just restored; where a test asked for it, count in it. */
int arm_resumed(Frame *frame)
{
    if (steps_resumed < 0)
        return 0;
    PyThreadState *thread = PyThreadState_Get();
    steps_left = steps_resumed;
    steps_taken = 0;
    steps_resumed = -1;
    counting = 1;
    thread_frame(thread) = frame;
    count_in_stack(thread);
    PyEval_SetTrace(trace, NULL);
    thread_frame(thread) = frame->previous;
    return PyErr_Occurred() ? -1 : 0;
}

/* traced(): whether a thread is traced or profiled by somebody else, as under a debugger. */
PyObject *moving_traced(PyObject *Py_UNUSED(self), PyObject *Py_UNUSED(nothing))
{
    PyThreadState *thread = PyInterpreterState_ThreadHead(PyInterpreterState_Get());
    for (; thread != NULL; thread = PyThreadState_Next(thread))
        if ((thread->c_tracefunc && thread->c_tracefunc != trace) || thread->c_profilefunc)
            Py_RETURN_TRUE;
    Py_RETURN_FALSE;
}

/* quiet(on): this thread, which captures, is not traced itself. */
PyObject *moving_quiet(PyObject *Py_UNUSED(self), PyObject *on)
{
    int quiet = PyObject_IsTrue(on);
    if (quiet < 0)
        return NULL;
    if (quiet)
        PyThreadState_EnterTracing(PyThreadState_Get());
    else
        PyThreadState_LeaveTracing(PyThreadState_Get());
    Py_RETURN_NONE;
}

/* thread_number(thread): the kernel's number of it, under /proc/self/task. */
PyObject *moving_thread_number(PyObject *Py_UNUSED(self), PyObject *ident)
{
    PyThreadState *thread = find_thread(PyLong_AsUnsignedLong(ident));
    if (PyErr_Occurred())
        return NULL;
    return PyLong_FromUnsignedLong(thread ? thread->native_thread_id : 0);
}

/* own_memory(): where the interpreter's own state begins and ends, with what its lock waits on. */
PyObject *moving_own_memory(PyObject *Py_UNUSED(self), PyObject *Py_UNUSED(nothing))
{
    uintptr_t start = (uintptr_t)&_PyRuntime;
    return Py_BuildValue("(KK)", (unsigned long long)start,
                         (unsigned long long)(start + sizeof _PyRuntime));
}

/* thread_count(): with those that have no frame, since they are starting or ending. */
PyObject *moving_thread_count(PyObject *Py_UNUSED(self), PyObject *Py_UNUSED(nothing))
{
    long count = 0;
    PyThreadState *thread = PyInterpreterState_ThreadHead(PyInterpreterState_Get());
    for (; thread != NULL; thread = PyThreadState_Next(thread))
        count++;
    return PyLong_FromLong(count);
}
