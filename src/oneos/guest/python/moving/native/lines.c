/* Standard input as text, so that a program can move while it waits for some.
 *
 * TextIOWrapper keeps the beginning of a line in variables of C while it waits for the rest. This
 * one keeps all in the object and waits with nothing in hand: the call can begin again elsewhere.
 * Everything but reading is left to it. */
#include "moving.h"
#include "input.h"

/* A line that is longer is left to TextIOWrapper: here each piece is joined with all before it. */
enum { LONG = 1 << 20 };

static PyTypeObject *base;
static PyTypeObject *buffered;
static PyTypeObject *reader;

/* Wait until there is input, or its end. */
static int wait_for_input(Text *text)
{
    if (PyObject_TypeCheck(text->buffer, buffered) && read_ahead(text->buffer))
        return 0;
    PyObject *number = PyObject_CallMethod(text->buffer, "fileno", NULL);
    int descriptor = number ? (int)PyLong_AsLong(number) : -1;
    Py_XDECREF(number);
    return PyErr_Occurred() ? -1 : wait_for_data((PyObject *)text, descriptor);
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

static int is_plain(Text *text)
{
    return text->ok > 0 && !text->detached && text->decoder && text->readtranslate
           && text->has_read1;
}

/* The next line; NULL without an exception at the end. *left: it is TextIOWrapper's to read on. */
static PyObject *next_line(Text *text, int *left)
{
    *left = 0;
    if (!is_plain(text)) {
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

/* The method of TextIOWrapper itself. */
static PyObject *plainly(PyObject *self, const char *name, PyObject *args)
{
    PyObject *method = PyObject_GetAttrString((PyObject *)base, name);
    PyObject *mine = method ? PyTuple_Pack(1, self) : NULL;
    PyObject *whole = mine ? PySequence_Concat(mine, args) : NULL;
    PyObject *result = whole ? PyObject_Call(method, whole, NULL) : NULL;
    Py_XDECREF(whole);
    Py_XDECREF(mine);
    Py_XDECREF(method);
    return result;
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
    return plainly(self, "readline", args);
}

/* So many characters, or all to the end. */
static PyObject *read_text(PyObject *self, PyObject *args)
{
    Text *text = (Text *)self;
    PyObject *count = PyTuple_GET_SIZE(args) == 1 ? PyTuple_GET_ITEM(args, 0) : Py_None;
    Py_ssize_t wanted = -1;
    if (count != Py_None && !PyIndex_Check(count))
        return plainly(self, "read", args);
    if (count != Py_None) {
        wanted = PyNumber_AsSsize_t(count, PyExc_OverflowError);
        if (wanted == -1 && PyErr_Occurred())
            return NULL;
    }
    if (!is_plain(text) || PyTuple_GET_SIZE(args) > 1)
        return plainly(self, "read", args);
    if (wanted < 0) /* The bytes wait there, until it takes all of them at once. */
        return gather(self, text->buffer, -1) < 0 ? NULL : plainly(self, "read", args);
    int ended = 0;
    while (!ended && (text->ahead ? PyUnicode_GET_LENGTH(text->ahead) : 0) - text->ahead_used
                         < wanted) {
        ended = read_more(text);
        if (ended < 0)
            return NULL;
    }
    Py_ssize_t length = text->ahead ? PyUnicode_GET_LENGTH(text->ahead) : 0;
    if (length == 0)
        return PyUnicode_FromString("");
    return take(text, wanted < length - text->ahead_used ? text->ahead_used + wanted : length);
}

static PyObject *readlines(PyObject *self, PyObject *args)
{
    Text *text = (Text *)self;
    if (PyTuple_GET_SIZE(args) || !is_plain(text))
        return plainly(self, "readlines", args);
    if (gather(self, text->buffer, -1) < 0)
        return NULL;
    PyObject *whole = plainly(self, "read", args);
    PyObject *list = whole ? PyList_New(0) : NULL;
    Py_ssize_t length = whole ? PyUnicode_GET_LENGTH(whole) : 0;
    for (Py_ssize_t at = 0; list && at < length;) {
        Py_ssize_t found = PyUnicode_FindChar(whole, '\n', at, length, 1);
        Py_ssize_t next = found < 0 ? length : found + 1;
        PyObject *one = found == -2 ? NULL : PyUnicode_Substring(whole, at, next);
        if (one == NULL || PyList_Append(list, one) < 0)
            Py_CLEAR(list);
        Py_XDECREF(one);
        at = next;
    }
    Py_XDECREF(whole);
    return list;
}

static PyMethodDef methods[] = {
    {"read", read_text, METH_VARARGS, NULL},
    {"readline", readline, METH_VARARGS, NULL},
    {"readlines", readlines, METH_VARARGS, NULL},
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
    buffered = io ? (PyTypeObject *)PyObject_GetAttrString(io, "BufferedReader") : NULL;
    Py_XDECREF(io);
    if (base == NULL || buffered == NULL)
        return -1;
    reader = (PyTypeObject *)PyType_FromSpecWithBases(&spec, (PyObject *)base);
    if (reader == NULL)
        return -1;
    return PyModule_AddObjectRef(module, "LineReader", (PyObject *)reader);
}
