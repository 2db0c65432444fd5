/* Iterators of dicts and views of memory: what they do not tell about themselves. */
#include "moving.h"
#include "internal/pycore_context.h"

/* As in Objects/dictobject.c, the same from 3.11 to 3.14. */
typedef struct {
    PyObject_HEAD
    PyDictObject *dict; /* NULL at the end */
    Py_ssize_t used;    /* of the dict when the iterator was made */
    Py_ssize_t place;
    PyObject *result;
    Py_ssize_t left;
} DictIterator;

/* dict_iterator(iterator): (dict or None, items done, whether the dict has changed size). */
PyObject *moving_dict_iterator(PyObject *Py_UNUSED(self), PyObject *object)
{
    DictIterator *iterator = (DictIterator *)object;
    if (iterator->dict == NULL)
        return Py_BuildValue("(Oni)", Py_None, (Py_ssize_t)0, 0);
    int changed = iterator->used != iterator->dict->ma_used;
    Py_ssize_t done = changed ? 0 : iterator->used - iterator->left;
    return Py_BuildValue("(Oni)", (PyObject *)iterator->dict, done, changed);
}

/* set_dict_iterator(iterator, items done, changed): once its dict is filled anew, without gaps. */
PyObject *moving_set_dict_iterator(PyObject *Py_UNUSED(self), PyObject *args)
{
    PyObject *object;
    Py_ssize_t done;
    int changed;
    if (!PyArg_ParseTuple(args, "Oni", &object, &done, &changed))
        return NULL;
    DictIterator *iterator = (DictIterator *)object;
    if (iterator->dict != NULL) {
        iterator->used = changed ? -2 : iterator->dict->ma_used;
        iterator->place = done;
        iterator->left = iterator->dict->ma_used - done;
    }
    Py_RETURN_NONE;
}

/* buffer_offset(part, whole): where one memory begins within another. */
PyObject *moving_buffer_offset(PyObject *Py_UNUSED(self), PyObject *args)
{
    Py_buffer part, whole;
    if (!PyArg_ParseTuple(args, "y*y*", &part, &whole))
        return NULL;
    Py_ssize_t offset = (char *)part.buf - (char *)whole.buf;
    PyBuffer_Release(&part);
    PyBuffer_Release(&whole);
    return PyLong_FromSsize_t(offset);
}

/* context(thread): its own, outside of those that Context.run has entered; None if it made none. */
PyObject *moving_context(PyObject *Py_UNUSED(self), PyObject *ident)
{
    PyThreadState *thread = find_thread(PyLong_AsUnsignedLong(ident));
    if (PyErr_Occurred())
        return NULL;
    PyContext *context = thread ? (PyContext *)thread->context : NULL;
    while (context != NULL && context->ctx_prev != NULL)
        context = context->ctx_prev;
    return Py_NewRef(context ? (PyObject *)context : Py_None);
}
