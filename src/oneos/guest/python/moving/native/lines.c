/* Standard input by lines, so that a program can move while it waits for one.
 *
 * TextIOWrapper keeps the beginning of a line in variables of C while it waits for the rest. This
 * one keeps all in the object and waits with nothing in hand: the call can begin again elsewhere.
 * Everything but lines is left to it. */
#include "moving.h"
#include "streams.h"
#include <errno.h>
#include <poll.h>

/* A line that is longer is left to TextIOWrapper: here each piece is joined with all before it. */
enum { LONG = 1 << 20 };

static PyTypeObject *base;
static PyTypeObject *reader;
static PyObject *waiting; /* borrowed; which of them waits right now */

static int is_buffered(Text *text)
{
    PyTypeObject *type = Py_TYPE(text->buffer);
    if (strcmp(type->tp_name, "_io.BufferedReader") != 0)
        return 0;
    Buffered *one = (Buffered *)text->buffer;
    return one->buffer && one->read_end != -1 && one->read_end > one->at;
}

/* Wait until there is input, or its end. */
static int wait_for_input(Text *text)
{
    if (is_buffered(text))
        return 0;
    PyObject *number = PyObject_CallMethod(text->buffer, "fileno", NULL);
    if (number == NULL)
        return -1;
    struct pollfd input = {.fd = (int)PyLong_AsLong(number), .events = POLLIN};
    Py_DECREF(number);
    if (PyErr_Occurred())
        return -1;
    for (;;) {
        waiting = (PyObject *)text;
        int ready, failed;
        Py_BEGIN_ALLOW_THREADS
        ready = poll(&input, 1, -1);
        failed = errno;
        Py_END_ALLOW_THREADS
        if (is_standing()) {
            /* What has come is for whoever goes on with the image, here or elsewhere. */
            wait_here();
            waiting = NULL;
            continue;
        }
        waiting = NULL;
        if (ready > 0)
            return 0;
        if (ready < 0 && failed != EINTR) {
            errno = failed;
            PyErr_SetFromErrno(PyExc_OSError);
            return -1;
        }
        if (PyErr_CheckSignals() < 0)
            return -1;
    }
}

/* Read and decode once more; 1 at the end of input, -1 for an error. */
static int read_more(Text *text)
{
    if (wait_for_input(text) < 0)
        return -1;
    PyObject *piece = PyObject_CallMethod(text->buffer, "read1", "n", text->chunk_size);
    if (piece == NULL)
        return -1;
    if (!PyBytes_Check(piece)) {
        Py_DECREF(piece);
        PyErr_SetString(PyExc_TypeError, "read1() should have returned bytes");
        return -1;
    }
    int ends = PyBytes_GET_SIZE(piece) == 0;
    PyObject *more = PyObject_CallMethod(text->decoder, "decode", "OO", piece,
                                         ends ? Py_True : Py_False);
    Py_DECREF(piece);
    if (more == NULL)
        return -1;
    PyObject *whole = more;
    if (text->ahead && text->ahead_used < PyUnicode_GET_LENGTH(text->ahead)) {
        PyObject *left = PyUnicode_Substring(text->ahead, text->ahead_used,
                                             PyUnicode_GET_LENGTH(text->ahead));
        whole = left ? PyUnicode_Concat(left, more) : NULL;
        Py_XDECREF(left);
        Py_DECREF(more);
        if (whole == NULL)
            return -1;
    }
    Py_XSETREF(text->ahead, whole);
    text->ahead_used = 0;
    return ends;
}

static PyObject *take(Text *text, Py_ssize_t end)
{
    PyObject *line = PyUnicode_Substring(text->ahead, text->ahead_used, end);
    if (line == NULL)
        return NULL;
    text->ahead_used = end;
    if (end == PyUnicode_GET_LENGTH(text->ahead)) {
        Py_CLEAR(text->ahead);
        text->ahead_used = 0;
    }
    Py_CLEAR(text->snapshot);
    text->telling = 0;
    return line;
}

/* The next line; NULL without an exception at the end. *left: it is TextIOWrapper's to read on. */
static PyObject *next_line(Text *text, int *left)
{
    *left = 0;
    if (text->ok <= 0 || text->detached || !text->decoder || !text->readtranslate ||
        !text->has_read1) {
        *left = 1;
        return NULL;
    }
    Py_ssize_t looked = text->ahead_used;
    for (;;) {
        Py_ssize_t length = text->ahead ? PyUnicode_GET_LENGTH(text->ahead) : 0;
        if (looked < length) {
            Py_ssize_t at = PyUnicode_FindChar(text->ahead, '\n', looked, length, 1);
            if (at == -2)
                return NULL;
            if (at >= 0)
                return take(text, at + 1);
        }
        if (length - text->ahead_used > LONG) {
            *left = 1;
            return NULL;
        }
        looked = length - text->ahead_used;
        int ended = read_more(text);
        if (ended < 0)
            return NULL;
        if (ended) {
            length = text->ahead ? PyUnicode_GET_LENGTH(text->ahead) : 0;
            return length ? take(text, length) : NULL;
        }
    }
}

static PyObject *iterate(PyObject *self)
{
    int left;
    PyObject *line = next_line((Text *)self, &left);
    return left ? base->tp_iternext(self) : line;
}

static PyObject *readline(PyObject *self, PyObject *args)
{
    if (PyTuple_GET_SIZE(args) == 0) {
        int left;
        PyObject *line = next_line((Text *)self, &left);
        if (line || PyErr_Occurred())
            return line;
        if (!left)
            return PyUnicode_FromString("");
    }
    PyObject *plain = PyObject_GetAttrString((PyObject *)base, "readline");
    PyObject *mine = plain ? PyTuple_Pack(1, self) : NULL;
    PyObject *whole = mine ? PySequence_Concat(mine, args) : NULL;
    PyObject *line = whole ? PyObject_Call(plain, whole, NULL) : NULL;
    Py_XDECREF(whole);
    Py_XDECREF(mine);
    Py_XDECREF(plain);
    return line;
}

static PyMethodDef methods[] = {
    {"readline", readline, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_iternext, iterate},
    {Py_tp_methods, methods},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "_io.TextIOWrapper",
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .slots = slots,
};

/* LineReader: the type. */
int lines_ready(PyObject *module)
{
    PyObject *io = PyImport_ImportModule("_io");
    base = io ? (PyTypeObject *)PyObject_GetAttrString(io, "TextIOWrapper") : NULL;
    Py_XDECREF(io);
    if (base == NULL)
        return -1;
    reader = (PyTypeObject *)PyType_FromSpecWithBases(&spec, (PyObject *)base);
    if (reader == NULL)
        return -1;
    return PyModule_AddObjectRef(module, "LineReader", (PyObject *)reader);
}

/* waits_for_line(object): whether it waits for input right now, with nothing in hand. */
PyObject *moving_waits_for_line(PyObject *Py_UNUSED(self), PyObject *object)
{
    return PyBool_FromLong(object == waiting && waiting != NULL);
}
