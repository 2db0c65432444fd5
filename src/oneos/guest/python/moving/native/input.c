/* Standard input as bytes, so that a program can move while it waits for some.
 *
 * BufferedReader keeps what it has read for a call in variables of C while it waits for the rest.
 * This one keeps it in one place, from where it moves, and waits with nothing in hand: the call can
 * begin again elsewhere. `os.read` of standard input waits in the same way. */
#include "moving.h"
#include "input.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

enum { PIECE = 65536 };

static PyTypeObject *base;
static PyTypeObject *reader_type;

static struct {
    PyObject *reader;    /* borrowed: standard input's buffer */
    PyObject *gathered;  /* a bytearray: what a call that waits has read so far */
    PyObject *waiting;   /* borrowed: which object waits right now */
    int busy;
} input;

int wait_for_data(PyObject *who, int descriptor)
{
    struct pollfd one = {.fd = descriptor, .events = POLLIN};
    PyObject *before = input.waiting;
    int result = -1;
    if (poll(&one, 1, 0) > 0)
        return 0;
    int flags = fcntl(descriptor, F_GETFL);
    if (flags < 0 || flags & O_NONBLOCK) /* Whoever reads is told that there is nothing. */
        return 0;
    for (;;) {
        input.waiting = who;
        int ready, failed;
        Py_BEGIN_ALLOW_THREADS
        ready = poll(&one, 1, -1);
        failed = errno;
        Py_END_ALLOW_THREADS
        if (ready > 0) {
            /* Where an image is taken, or on its way, nothing is to be read any more. */
            stand_if_asked();
            result = 0;
            break;
        }
        input.waiting = before;
        if (ready < 0 && failed != EINTR) {
            errno = failed;
            PyErr_SetFromErrno(PyExc_OSError);
            break;
        }
        if (PyErr_CheckSignals() < 0)
            break;
    }
    input.waiting = before;
    return result;
}

/* waits_for_input(object): whether it waits for input right now, with nothing in hand. */
PyObject *moving_waits_for_input(PyObject *Py_UNUSED(self), PyObject *object)
{
    return PyBool_FromLong(object == input.waiting && input.waiting != NULL);
}

Py_ssize_t read_ahead(PyObject *buffer)
{
    Buffered *one = (Buffered *)buffer;
    return one->buffer && one->read_end > one->at ? (Py_ssize_t)(one->read_end - one->at) : 0;
}

static int descriptor_of(PyObject *buffer)
{
    PyObject *number = PyObject_CallMethod(buffer, "fileno", NULL);
    int descriptor = number ? (int)PyLong_AsLong(number) : -1;
    Py_XDECREF(number);
    return descriptor;
}

/* The method of BufferedReader itself. */
static PyObject *plainly(PyObject *self, const char *name, PyObject *args)
{
    PyObject *method = PyObject_GetAttrString((PyObject *)base, name);
    PyObject *mine = method ? PyTuple_Pack(1, self) : NULL;
    PyObject *all = mine ? (args ? PySequence_Concat(mine, args) : Py_NewRef(mine)) : NULL;
    PyObject *result = all ? PyObject_Call(method, all, NULL) : NULL;
    Py_XDECREF(all);
    Py_XDECREF(mine);
    Py_XDECREF(method);
    return result;
}

/* At most so many bytes, by one reading; all that is read ahead, if there is any. */
static PyObject *piece(PyObject *buffer, Py_ssize_t most)
{
    PyObject *args = Py_BuildValue("(n)", most);
    PyObject *bytes = args ? plainly(buffer, "read1", args) : NULL;
    Py_XDECREF(args);
    if (bytes && !PyBytes_Check(bytes)) {
        Py_CLEAR(bytes);
        PyErr_SetString(PyExc_TypeError, "read1() should have returned bytes");
    }
    return bytes;
}

static int append(PyObject *bytes)
{
    Py_ssize_t size = PyByteArray_GET_SIZE(input.gathered), more = PyBytes_GET_SIZE(bytes);
    if (PyByteArray_Resize(input.gathered, size + more) < 0)
        return -1;
    memcpy(PyByteArray_AS_STRING(input.gathered) + size, PyBytes_AS_STRING(bytes), (size_t)more);
    return 0;
}

static void forget(void)
{
    PyObject *type, *error, *traceback;
    PyErr_Fetch(&type, &error, &traceback);
    if (PyByteArray_Resize(input.gathered, 0) < 0)
        PyErr_Clear();
    PyErr_Restore(type, error, traceback);
}

static int usable(PyObject *buffer)
{
    Buffered *one = (Buffered *)buffer;
    return buffer == input.reader && !input.busy && one->ok > 0 && !one->detached && one->buffer;
}

int gather(PyObject *who, PyObject *buffer, Py_ssize_t wanted)
{
    if (!usable(buffer))
        return 2;
    input.busy = 1;
    int result = -1;
    for (;;) {
        Py_ssize_t ahead = read_ahead(buffer);
        if (wanted >= 0 && PyByteArray_GET_SIZE(input.gathered) + ahead >= wanted) {
            result = 0;
            break;
        }
        if (ahead == 0) {
            int descriptor = descriptor_of(buffer);
            if (PyErr_Occurred() || wait_for_data(who, descriptor) < 0)
                break;
        }
        Py_ssize_t lacking = wanted - PyByteArray_GET_SIZE(input.gathered);
        int few = ahead == 0 && wanted >= 0 && lacking < ((Buffered *)buffer)->size;
        /* A few bytes are read as many, of which the rest stays in the buffer. */
        PyObject *bytes = few ? plainly(buffer, "peek", NULL)
                              : piece(buffer, ahead ? ahead : wanted < 0 ? PIECE : lacking);
        int failed = bytes == NULL || (!few && append(bytes) < 0);
        int ended = !failed && PyBytes_GET_SIZE(bytes) == 0;
        Py_XDECREF(bytes);
        if (failed)
            break;
        if (ended) {
            result = 1;
            break;
        }
    }
    input.busy = 0;
    if (result < 0)
        forget();
    return result;
}

/* What is gathered, and so much of what is read ahead that it is `wanted` bytes. */
static PyObject *take(PyObject *buffer, Py_ssize_t wanted)
{
    Py_ssize_t have = PyByteArray_GET_SIZE(input.gathered), ahead = read_ahead(buffer);
    Py_ssize_t more = wanted - have < ahead ? wanted - have : ahead;
    PyObject *bytes = more > 0 ? piece(buffer, more) : NULL;
    int failed = more > 0 && (bytes == NULL || append(bytes) < 0);
    Py_XDECREF(bytes);
    Py_ssize_t size = PyByteArray_GET_SIZE(input.gathered);
    PyObject *all = failed ? NULL
                           : PyBytes_FromStringAndSize(PyByteArray_AS_STRING(input.gathered), size);
    forget();
    return all;
}

static PyObject *read_bytes(PyObject *self, PyObject *args)
{
    PyObject *count = Py_None;
    Py_ssize_t wanted = -1;
    if (!PyArg_ParseTuple(args, "|O", &count))
        return NULL;
    if (count != Py_None && !PyIndex_Check(count))
        return plainly(self, "read", args);
    if (count != Py_None) {
        wanted = PyNumber_AsSsize_t(count, PyExc_OverflowError);
        if (wanted == -1 && PyErr_Occurred())
            return NULL;
    }
    if (wanted < -1 || !usable(self)
        || (wanted >= 0 && !PyByteArray_GET_SIZE(input.gathered) && read_ahead(self) >= wanted))
        return plainly(self, "read", args);
    if (gather(self, self, wanted) < 0)
        return NULL;
    return take(self, wanted < 0 ? 0 : wanted);
}

/* A method that reads once, if there is nothing yet. */
static int some(PyObject *self)
{
    if (!usable(self) || read_ahead(self))
        return 0;
    int descriptor = descriptor_of(self);
    if (PyErr_Occurred())
        return -1;
    input.busy = 1;
    int failed = wait_for_data(self, descriptor);
    input.busy = 0;
    return failed;
}

static PyObject *read1(PyObject *self, PyObject *args)
{
    return some(self) < 0 ? NULL : plainly(self, "read1", args);
}

static PyObject *readinto1(PyObject *self, PyObject *args)
{
    return some(self) < 0 ? NULL : plainly(self, "readinto1", args);
}

static PyObject *peek(PyObject *self, PyObject *args)
{
    return some(self) < 0 ? NULL : plainly(self, "peek", args);
}

static PyObject *readinto(PyObject *self, PyObject *args)
{
    Py_buffer view;
    if (!usable(self))
        return plainly(self, "readinto", args);
    if (!PyArg_ParseTuple(args, "w*", &view))
        return NULL;
    PyObject *bytes = NULL;
    if (gather(self, self, view.len) >= 0)
        bytes = take(self, view.len);
    Py_ssize_t size = bytes ? PyBytes_GET_SIZE(bytes) : -1;
    if (bytes)
        memcpy(view.buf, PyBytes_AS_STRING(bytes), (size_t)size);
    Py_XDECREF(bytes);
    PyBuffer_Release(&view);
    return size < 0 ? NULL : PyLong_FromSsize_t(size);
}

/* Whether a line ends in what is read ahead. */
static int has_line(PyObject *self)
{
    Buffered *one = (Buffered *)self;
    Py_ssize_t ahead = read_ahead(self);
    return ahead && memchr(one->buffer + one->at, '\n', (size_t)ahead) != NULL;
}

static PyObject *line(PyObject *self)
{
    while (!has_line(self)) {
        Py_ssize_t ahead = read_ahead(self);
        /* All that is there, in which no line ends; then more of it, which stays in the buffer. */
        PyObject *bytes = ahead ? piece(self, ahead) : NULL;
        int failed = ahead && (bytes == NULL || append(bytes) < 0);
        Py_XDECREF(bytes);
        PyObject *more = failed || some(self) < 0 ? NULL : plainly(self, "peek", NULL);
        Py_XDECREF(more);
        if (more == NULL) {
            forget();
            return NULL;
        }
        if (read_ahead(self) == 0)
            return take(self, 0);
    }
    PyObject *rest = plainly(self, "readline", NULL);
    if (rest == NULL || PyByteArray_GET_SIZE(input.gathered) == 0)
        return rest;
    int failed = append(rest) < 0;
    Py_DECREF(rest);
    return failed ? NULL : take(self, 0);
}

static PyObject *readline(PyObject *self, PyObject *args)
{
    if (PyTuple_GET_SIZE(args) || !usable(self))
        return plainly(self, "readline", args);
    return line(self);
}

static PyObject *iterate(PyObject *self)
{
    PyObject *one = usable(self) ? line(self) : plainly(self, "readline", NULL);
    if (one && PyBytes_Check(one) && PyBytes_GET_SIZE(one) == 0)
        Py_CLEAR(one);
    return one;
}

static PyObject *readlines(PyObject *self, PyObject *args)
{
    if (PyTuple_GET_SIZE(args) || !usable(self))
        return plainly(self, "readlines", args);
    if (gather(self, self, -1) < 0)
        return NULL;
    PyObject *whole = take(self, 0);
    PyObject *list = whole ? PyList_New(0) : NULL;
    const char *at = whole ? PyBytes_AS_STRING(whole) : NULL;
    const char *end = whole ? at + PyBytes_GET_SIZE(whole) : NULL;
    while (list && at < end) {
        const char *found = memchr(at, '\n', (size_t)(end - at));
        const char *next = found ? found + 1 : end;
        PyObject *one = PyBytes_FromStringAndSize(at, next - at);
        if (one == NULL || PyList_Append(list, one) < 0)
            Py_CLEAR(list);
        Py_XDECREF(one);
        at = next;
    }
    Py_XDECREF(whole);
    return list;
}

static PyMethodDef methods[] = {
    {"read", read_bytes, METH_VARARGS, NULL},
    {"read1", read1, METH_VARARGS, NULL},
    {"readinto", readinto, METH_VARARGS, NULL},
    {"readinto1", readinto1, METH_VARARGS, NULL},
    {"readline", readline, METH_VARARGS, NULL},
    {"readlines", readlines, METH_VARARGS, NULL},
    {"peek", peek, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_iternext, iterate},
    {Py_tp_methods, methods},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "_io.BufferedReader",
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .slots = slots,
};

/* gathered(): what a call that waits has read so far. */
PyObject *moving_gathered(PyObject *Py_UNUSED(self), PyObject *Py_UNUSED(nothing))
{
    return PyBytes_FromStringAndSize(PyByteArray_AS_STRING(input.gathered),
                                     PyByteArray_GET_SIZE(input.gathered));
}

/* set_gathered(bytes) */
PyObject *moving_set_gathered(PyObject *Py_UNUSED(self), PyObject *bytes)
{
    if (!PyBytes_Check(bytes)) {
        PyErr_SetString(PyExc_TypeError, "bytes are needed");
        return NULL;
    }
    forget();
    if (append(bytes) < 0)
        return NULL;
    Py_RETURN_NONE;
}

/* --- os.read ---------------------------------------------------------------------------------- */
typedef PyObject *(*Fast)(PyObject *, PyObject *const *, Py_ssize_t);

static Fast read_plainly;
static PyObject *os_read; /* borrowed from its module, which lives as long as the process */

static PyObject *read_first(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    if (count > 0 && input.reader && PyLong_CheckExact(args[0])) {
        int overflow;
        long descriptor = PyLong_AsLongAndOverflow(args[0], &overflow);
        if (descriptor == 0 && !overflow && wait_for_data(os_read, 0) < 0)
            return NULL;
    }
    return read_plainly(module, args, count);
}

/* watch_input(reader, os.read): standard input is read so by this one, and by os.read. */
PyObject *moving_watch_input(PyObject *Py_UNUSED(self), PyObject *args)
{
    PyObject *one, *function;
    if (!PyArg_ParseTuple(args, "O!O!", reader_type, &one, &PyCFunction_Type, &function))
        return NULL;
    input.reader = one;
    /* The function stays the object that it is; only what it calls is another. */
    PyMethodDef *method = ((PyCFunctionObject *)function)->m_ml;
    if (read_plainly == NULL && method->ml_flags == METH_FASTCALL) {
        os_read = function;
        read_plainly = (Fast)(void (*)(void))method->ml_meth;
        method->ml_meth = (PyCFunction)(void (*)(void))read_first;
    }
    Py_RETURN_NONE;
}

/* ByteReader: the type. */
int input_ready(PyObject *module)
{
    PyObject *io = PyImport_ImportModule("_io");
    base = io ? (PyTypeObject *)PyObject_GetAttrString(io, "BufferedReader") : NULL;
    Py_XDECREF(io);
    input.gathered = PyByteArray_FromStringAndSize(NULL, 0);
    if (base == NULL || input.gathered == NULL)
        return -1;
    reader_type = (PyTypeObject *)PyType_FromSpecWithBases(&spec, (PyObject *)base);
    if (reader_type == NULL)
        return -1;
    return PyModule_AddObjectRef(module, "ByteReader", (PyObject *)reader_type);
}
