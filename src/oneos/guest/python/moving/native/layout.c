/* Where instances keep their attributes and members, in each version.
 *
 * Since 3.11 an instance has no dict object until somebody asks for it. It is not asked for here:
 * that would make a program larger and slower which is only looked at. */
#include "heap.h"
#include "internal/pycore_dict.h"
#include "internal/pycore_object.h"
#include <structmember.h>

static int pairs_of(PyObject *object, PyDictValues *values, int count, const uint8_t *order,
                    int step, int (*take)(void *, PyObject *, PyObject *), void *with)
{
    PyDictKeysObject *keys = ((PyHeapTypeObject *)Py_TYPE(object))->ht_cached_keys;
    for (int at = 0; at < count; at++) {
        int index = order[step * at];
        PyObject *value = values->values[index];
        if (value && take(with, DK_UNICODE_ENTRIES(keys)[index].me_key, value) < 0)
            return -1;
    }
    return 0;
}

#if SINCE_13
static PyDictValues *inline_values(PyObject *object)
{
    if (!(Py_TYPE(object)->tp_flags & Py_TPFLAGS_INLINE_VALUES))
        return NULL;
    PyDictValues *values = _PyObject_InlineValues(object);
    return values->valid && _PyObject_ManagedDictPointer(object)->dict == NULL ? values : NULL;
}

int instance_pairs(PyObject *object, int (*take)(void *, PyObject *, PyObject *), void *with)
{
    PyDictValues *values = inline_values(object);
    const uint8_t *order = (const uint8_t *)&values->values[values->capacity];
    return pairs_of(object, values, values->size, order, 1, take, with);
}

static PyObject *managed_dict(PyObject *object)
{
    return (PyObject *)_PyObject_ManagedDictPointer(object)->dict;
}
#else
static PyDictValues *inline_values(PyObject *object)
{
#if SINCE_12
    PyDictOrValues either = *_PyObject_DictOrValuesPointer(object);
    return _PyDictOrValues_IsValues(either) ? _PyDictOrValues_GetValues(either) : NULL;
#else
    return *_PyObject_ValuesPointer(object);
#endif
}

int instance_pairs(PyObject *object, int (*take)(void *, PyObject *, PyObject *), void *with)
{
    PyDictValues *values = inline_values(object);
    /* Before the values, backwards: the size of what lies there, the count, the order. */
    const uint8_t *before = (const uint8_t *)values;
    return pairs_of(object, values, before[-2], before - 3, -1, take, with);
}

static PyObject *managed_dict(PyObject *object)
{
#if SINCE_12
    return _PyDictOrValues_GetDict(*_PyObject_DictOrValuesPointer(object));
#else
    return *_PyObject_ManagedDictPointer(object);
#endif
}
#endif

PyObject *instance_dict(PyObject *object, int *pairs)
{
    *pairs = 0;
    PyTypeObject *type = Py_TYPE(object);
    if (type->tp_flags & Py_TPFLAGS_MANAGED_DICT) {
        if (inline_values(object) != NULL) {
            *pairs = 1;
            return NULL;
        }
        return managed_dict(object);
    }
    if (type->tp_dictoffset == 0)
        return NULL;
    PyObject **dict = _PyObject_GetDictPtr(object);
    return dict ? *dict : NULL;
}

/* own_dict(instance): the dict of its attributes, or None where it has made none. */
PyObject *moving_own_dict(PyObject *Py_UNUSED(self), PyObject *object)
{
    int pairs;
    PyObject *dict = instance_dict(object, &pairs);
    if (pairs)
        return PyObject_GenericGetDict(object, NULL);
    return Py_NewRef(dict ? dict : Py_None);
}

/* As instance.__dict__[name] = value, without making the dict object. */
int instance_set(PyObject *object, PyObject *name, PyObject *value)
{
    PyObject *found = _PyType_Lookup(Py_TYPE(object), name);
    if (found == NULL || Py_TYPE(found)->tp_descr_set == NULL)
        return PyObject_GenericSetAttr(object, name, value);
    PyObject *dict = PyObject_GenericGetDict(object, NULL);
    int failed = dict == NULL || PyDict_SetItem(dict, name, value) < 0;
    Py_XDECREF(dict);
    return failed ? -1 : 0;
}

/* The members that __slots__ made, of the type and its bases, always in the same order. */
Py_ssize_t *member_offsets(PyTypeObject *type, Py_ssize_t *count)
{
    Py_ssize_t found = 0, room = 8;
    Py_ssize_t *offsets = PyMem_RawMalloc((size_t)room * sizeof(Py_ssize_t));
    for (; offsets && type && (type->tp_flags & Py_TPFLAGS_HEAPTYPE); type = type->tp_base) {
        PyMemberDef *member = type->tp_members;
        for (Py_ssize_t at = 0; member && at < Py_SIZE(type); at++) {
            if (member[at].type != T_OBJECT_EX)
                continue;
            if (found == room) {
                room *= 2;
                Py_ssize_t *more = PyMem_RawRealloc(offsets, (size_t)room * sizeof(Py_ssize_t));
                if (more == NULL) {
                    PyMem_RawFree(offsets);
                    PyErr_NoMemory();
                    return NULL;
                }
                offsets = more;
            }
            offsets[found++] = member[at].offset;
        }
    }
    if (offsets == NULL)
        PyErr_NoMemory();
    *count = found;
    return offsets;
}
