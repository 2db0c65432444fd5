/* What streams have read ahead and not yet written, which they tell nobody. The self-test reads a
 * stream, and compares. */
#include "moving.h"
#include "streams.h"

static PyObject *or_none(PyObject *object)
{
    return object ? object : Py_None;
}

/* text_state(stream): its fields, in the order that set_text_state takes them; and the decoder and
 * the newline, by themselves. */
PyObject *moving_text_state(PyObject *Py_UNUSED(self), PyObject *stream)
{
    Text *text = (Text *)stream;
    return Py_BuildValue("((OniOnOdi)OO)", or_none(text->ahead), text->ahead_used,
                         (int)text->telling, or_none(text->pending), text->pending_bytes,
                         or_none(text->snapshot), text->bytes_per_character,
                         (int)text->encoding_start_of_stream, or_none(text->decoder),
                         or_none(text->readnl));
}

static void set(PyObject **field, PyObject *value)
{
    PyObject *before = *field;
    *field = value == Py_None ? NULL : Py_NewRef(value);
    Py_XDECREF(before);
}

/* set_text_state(stream, fields) */
PyObject *moving_set_text_state(PyObject *Py_UNUSED(self), PyObject *args)
{
    PyObject *stream, *ahead, *pending, *snapshot;
    Py_ssize_t used, bytes;
    int telling, at_start;
    double ratio;
    if (!PyArg_ParseTuple(args, "O(OniOnOdi)", &stream, &ahead, &used, &telling, &pending, &bytes,
                          &snapshot, &ratio, &at_start))
        return NULL;
    Text *text = (Text *)stream;
    set(&text->ahead, ahead);
    set(&text->pending, pending);
    set(&text->snapshot, snapshot);
    text->ahead_used = used;
    text->telling = (char)telling;
    text->pending_bytes = bytes;
    text->bytes_per_character = ratio;
    text->encoding_start_of_stream = (char)at_start;
    Py_RETURN_NONE;
}

/* buffer_state(stream): (bytes read ahead, bytes not written, size of its buffer). */
PyObject *moving_buffer_state(PyObject *Py_UNUSED(self), PyObject *stream)
{
    Buffered *one = (Buffered *)stream;
    const char *ahead = one->buffer, *pending = one->buffer;
    Py_ssize_t ahead_bytes = 0, pending_bytes = 0;
    if (one->buffer && one->readable && one->read_end != -1 && one->read_end > one->at) {
        ahead += one->at;
        ahead_bytes = (Py_ssize_t)(one->read_end - one->at);
    }
    if (one->buffer && one->writable && one->write_end != -1 && one->write_end > one->write_at) {
        pending += one->write_at;
        pending_bytes = (Py_ssize_t)(one->write_end - one->write_at);
        ahead_bytes = 0;
    }
    return Py_BuildValue("(y#y#n)", ahead ? ahead : "", ahead_bytes, pending ? pending : "",
                         pending_bytes, one->size);
}

/* set_buffer_state(stream, ahead, pending): of a new stream, whose raw one stands where it did. */
PyObject *moving_set_buffer_state(PyObject *Py_UNUSED(self), PyObject *args)
{
    PyObject *stream;
    const char *ahead, *pending;
    Py_ssize_t ahead_bytes, pending_bytes;
    if (!PyArg_ParseTuple(args, "Oy#y#", &stream, &ahead, &ahead_bytes, &pending, &pending_bytes))
        return NULL;
    Buffered *one = (Buffered *)stream;
    Py_ssize_t bytes = pending_bytes ? pending_bytes : ahead_bytes;
    if (bytes > one->size) {
        PyErr_SetString(PyExc_ValueError, "the image has a stream with more than its buffer");
        return NULL;
    }
    if (pending_bytes) {
        memcpy(one->buffer, pending, (size_t)pending_bytes);
        one->at = one->write_end = pending_bytes;
        one->write_at = one->raw_at = 0;
        one->read_end = -1;
    } else if (ahead_bytes) {
        memcpy(one->buffer, ahead, (size_t)ahead_bytes);
        one->at = 0;
        one->raw_at = one->read_end = ahead_bytes;
    }
    Py_RETURN_NONE;
}
