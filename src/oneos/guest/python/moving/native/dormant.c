/* The thread that waits for a request to capture, and costs nothing until it comes.
 *
 * It waits in poll(), outside of the interpreter, which knows nothing of it: no Python thread, no
 * signal, no trace function. At a byte it enters the interpreter and calls the function that it was
 * given. It is stopped before a fork and made anew after it in the parent, since 3.12 warns about
 * threads there; a child has none. */
#include "moving.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

/* The program's own descriptors get the lowest numbers, as if there were none of ours. */
enum { OUT_OF_THE_WAY = 100 };

static struct {
    int running;
    int request; /* a byte here asks for a capture */
    int stop[2]; /* the end of this pipe ends the thread */
    PyObject *serve;
    pthread_t thread;
} dormant = {.request = -1, .stop = {-1, -1}};

/* Nothing is thrown: what serve() has to say goes through its own descriptor. */
static int serve(int byte)
{
    PyGILState_STATE state = PyGILState_Ensure();
    PyObject *again = PyObject_CallFunction(dormant.serve, "i", byte);
    if (again == NULL)
        PyErr_WriteUnraisable(dormant.serve);
    int more = again != NULL && PyObject_IsTrue(again) == 1;
    Py_XDECREF(again);
    PyGILState_Release(state);
    return more;
}

static void *wait_for_requests(void *Py_UNUSED(nothing))
{
    struct pollfd both[2] = {
        {.fd = dormant.request, .events = POLLIN},
        {.fd = dormant.stop[0], .events = POLLIN},
    };
    for (;;) {
        unsigned char byte;
        if (poll(both, 2, -1) < 0 && errno != EINTR)
            return NULL;
        if (both[1].revents)
            return NULL;
        if (!both[0].revents)
            continue;
        ssize_t got = read(dormant.request, &byte, 1);
        if (got < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (got <= 0) {
            serve(-1); /* The other end is gone. */
            return NULL;
        }
        if (!serve(byte))
            return NULL;
    }
}

static int start(void)
{
    sigset_t all, before;
    pthread_attr_t attributes;
    if (pipe2(dormant.stop, O_CLOEXEC) < 0)
        return errno;
    for (int end = 0; end < 2; end++) {
        int aside = fcntl(dormant.stop[end], F_DUPFD_CLOEXEC, OUT_OF_THE_WAY);
        if (aside < 0)
            continue;
        close(dormant.stop[end]);
        dormant.stop[end] = aside;
    }
    /* The program's signals are for its own threads. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_attr_init(&attributes);
    int failed = pthread_create(&dormant.thread, &attributes, wait_for_requests, NULL);
    pthread_attr_destroy(&attributes);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed) {
        close(dormant.stop[0]);
        close(dormant.stop[1]);
    }
    dormant.running = !failed;
    return failed;
}

static void stop(void)
{
    close(dormant.stop[1]);
    Py_BEGIN_ALLOW_THREADS
    pthread_join(dormant.thread, NULL);
    Py_END_ALLOW_THREADS
    close(dormant.stop[0]);
    dormant.running = 0;
}

static int stopped_for_fork;

static PyObject *before_fork(PyObject *Py_UNUSED(self), PyObject *Py_UNUSED(nothing))
{
    stopped_for_fork = dormant.running;
    if (dormant.running)
        stop();
    Py_RETURN_NONE;
}

static PyObject *after_in_parent(PyObject *Py_UNUSED(self), PyObject *Py_UNUSED(nothing))
{
    if (stopped_for_fork)
        start();
    stopped_for_fork = 0;
    Py_RETURN_NONE;
}

static PyObject *after_in_child(PyObject *Py_UNUSED(self), PyObject *Py_UNUSED(nothing))
{
    /* The parent's request is not the child's. */
    if (stopped_for_fork)
        close(dormant.request);
    dormant.request = -1;
    Py_CLEAR(dormant.serve);
    stopped_for_fork = 0;
    Py_RETURN_NONE;
}

static PyMethodDef fork_methods[] = {
    {"before_fork", before_fork, METH_NOARGS, NULL},
    {"after_in_parent", after_in_parent, METH_NOARGS, NULL},
    {"after_in_child", after_in_child, METH_NOARGS, NULL},
};

static int register_fork(void)
{
    static int done;
    if (done)
        return 0;
    PyObject *module = PyImport_ImportModule("posix");
    PyObject *function = module ? PyObject_GetAttrString(module, "register_at_fork") : NULL;
    PyObject *empty = PyTuple_New(0), *named = PyDict_New();
    static const char *names[] = {"before", "after_in_parent", "after_in_child"};
    int failed = function == NULL || empty == NULL || named == NULL;
    for (int at = 0; !failed && at < 3; at++) {
        PyObject *one = PyCFunction_New(&fork_methods[at], NULL);
        failed = one == NULL || PyDict_SetItemString(named, names[at], one) < 0;
        Py_XDECREF(one);
    }
    PyObject *told = failed ? NULL : PyObject_Call(function, empty, named);
    done = told != NULL;
    Py_XDECREF(told);
    Py_XDECREF(named);
    Py_XDECREF(empty);
    Py_XDECREF(function);
    Py_XDECREF(module);
    return done ? 0 : -1;
}

/* listen(descriptor, serve): wait there for a byte, then call serve(byte); again while it is true.
 * Raises OSError where no thread can be made. */
PyObject *moving_listen(PyObject *Py_UNUSED(self), PyObject *args)
{
    int request;
    PyObject *function;
    if (!PyArg_ParseTuple(args, "iO", &request, &function))
        return NULL;
    if (dormant.running) {
        PyErr_SetString(PyExc_RuntimeError, "somebody waits for requests already");
        return NULL;
    }
    if (register_fork() < 0)
        return NULL;
    dormant.request = request;
    Py_XSETREF(dormant.serve, Py_NewRef(function));
    int failed = start();
    if (failed) {
        errno = failed;
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    Py_RETURN_NONE;
}

/* stop_listening(): no requests are answered any more. */
PyObject *moving_stop_listening(PyObject *Py_UNUSED(self), PyObject *Py_UNUSED(nothing))
{
    if (dormant.running)
        stop();
    Py_RETURN_NONE;
}

/* own_descriptors(): those of the thread that waits, which are not the program's. */
PyObject *moving_own_descriptors(PyObject *Py_UNUSED(self), PyObject *Py_UNUSED(nothing))
{
    if (!dormant.running)
        return PyTuple_New(0);
    return Py_BuildValue("(iii)", dormant.request, dormant.stop[0], dormant.stop[1]);
}
