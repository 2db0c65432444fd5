/* Writing the heap: every object that can be reached, each once, breadth first.
 *
 * The built-in kinds and plain instances are written here; of any other object describe(), which is
 * heap.py, says how to make it again. Nothing is changed, and no code of the program runs. */
#include "heap.h"

typedef struct {
    PyObject **objects; /* by number; those up to `written` have been written */
    Py_ssize_t count, room, written;
    Table numbers, special, plans;
    struct Plan {
        int plain;
        Py_ssize_t members, *offsets;
    } *plan;
    Py_ssize_t plan_count;
    PyObject *describe, *is_plain, *specials, *kept, *buffers;
    uint8_t *bytes;
    size_t used, size;
} Writer;

static int reserve(Writer *w, size_t more)
{
    if (w->used + more <= w->size)
        return 0;
    size_t size = w->size * 2 + more;
    uint8_t *bytes = PyMem_RawRealloc(w->bytes, size);
    if (bytes == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    w->bytes = bytes;
    w->size = size;
    return 0;
}

static int put_letter(Writer *w, int letter)
{
    if (reserve(w, 1) < 0)
        return -1;
    w->bytes[w->used++] = (uint8_t)letter;
    return 0;
}

static int put_number(Writer *w, uint64_t number)
{
    if (reserve(w, 10) < 0)
        return -1;
    for (; number >= 0x80; number >>= 7)
        w->bytes[w->used++] = (uint8_t)(number | 0x80);
    w->bytes[w->used++] = (uint8_t)number;
    return 0;
}

static int put_bytes(Writer *w, int letter, const void *bytes, Py_ssize_t length)
{
    if (put_letter(w, letter) < 0 || put_number(w, (uint64_t)length) < 0
        || reserve(w, (size_t)length) < 0)
        return -1;
    memcpy(w->bytes + w->used, bytes, (size_t)length);
    w->used += (size_t)length;
    return 0;
}

/* The number of an object, which is written later if it is new. */
static int put_object(Writer *w, PyObject *object)
{
    Py_ssize_t number = table_get(&w->numbers, object);
    if (number < 0) {
        if (w->count == w->room) {
            size_t room = (size_t)w->room * 2;
            PyObject **objects = PyMem_RawRealloc(w->objects, room * sizeof(PyObject *));
            if (objects == NULL) {
                PyErr_NoMemory();
                return -1;
            }
            w->objects = objects;
            w->room = (Py_ssize_t)room;
        }
        number = w->count++;
        w->objects[number] = object;
        if (table_put(&w->numbers, object, number) < 0)
            return -1;
    }
    return put_number(w, (uint64_t)number);
}

static int put_pair(void *w, PyObject *key, PyObject *value)
{
    return put_object(w, key) < 0 ? -1 : put_object(w, value);
}

static int put_int(Writer *w, PyObject *object)
{
    int overflow;
    int64_t value = PyLong_AsLongLongAndOverflow(object, &overflow);
    if (!overflow && value >= -(INT64_C(1) << 61) && value < INT64_C(1) << 61) {
        uint64_t zigzag = ((uint64_t)value << 1) ^ (uint64_t)(value >> 63);
        return put_letter(w, 'i') < 0 ? -1 : put_number(w, zigzag);
    }
    size_t bits = _PyLong_NumBits(object);
    PyObject *keywords = Py_BuildValue("{sO}", "signed", Py_True);
    PyObject *method = PyObject_GetAttrString(object, "to_bytes");
    PyObject *args = Py_BuildValue("(ns)", (Py_ssize_t)(bits / 8 + 1), "little");
    PyObject *raw = keywords && method && args ? PyObject_Call(method, args, keywords) : NULL;
    int failed = raw == NULL
                 || put_bytes(w, 'L', PyBytes_AS_STRING(raw), PyBytes_GET_SIZE(raw)) < 0;
    Py_XDECREF(keywords);
    Py_XDECREF(method);
    Py_XDECREF(args);
    Py_XDECREF(raw);
    return failed ? -1 : 0;
}

static int put_str(Writer *w, PyObject *object)
{
    int interned = PyUnicode_CHECK_INTERNED(object) != 0;
    if (PyUnicode_IS_COMPACT_ASCII(object))
        return put_bytes(w, interned ? 'S' : 's', PyUnicode_1BYTE_DATA(object),
                         PyUnicode_GET_LENGTH(object));
    PyObject *raw = PyUnicode_AsEncodedString(object, "utf-8", "surrogatepass");
    if (raw == NULL)
        return -1;
    int failed = put_bytes(w, interned ? 'U' : 'u', PyBytes_AS_STRING(raw), PyBytes_GET_SIZE(raw));
    Py_DECREF(raw);
    return failed;
}

static int put_buffer(Writer *w, int letter, PyObject *object, const char *bytes, Py_ssize_t length)
{
    if (length < BUFFER_BYTES_MIN)
        return put_bytes(w, letter, bytes, length);
    if (PyList_Append(w->buffers, object) < 0 || put_letter(w, letter - 32) < 0)
        return -1;
    return put_number(w, (uint64_t)PyList_GET_SIZE(w->buffers) - 1);
}

static int put_items(Writer *w, int letter, PyObject **items, Py_ssize_t count)
{
    if (put_letter(w, letter) < 0 || put_number(w, (uint64_t)count) < 0)
        return -1;
    for (Py_ssize_t at = 0; at < count; at++)
        if (put_object(w, items[at]) < 0)
            return -1;
    return 0;
}

static int put_dict(Writer *w, PyObject *dict, PyObject *module)
{
    Py_ssize_t count = PyDict_GET_SIZE(dict) * 2 + (module != NULL);
    if (put_letter(w, module ? 'm' : '{') < 0 || put_number(w, (uint64_t)count) < 0)
        return -1;
    if (module && put_object(w, module) < 0)
        return -1;
    Py_ssize_t at = 0;
    PyObject *key, *value;
    while (PyDict_Next(dict, &at, &key, &value))
        if (put_pair(w, key, value) < 0)
            return -1;
    return 0;
}

/* Whether an object has the same hash in every process that was given the same seed. */
static int hashes_alike(PyObject *key, int depth)
{
    if (PyUnicode_CheckExact(key) || PyBytes_CheckExact(key) || PyLong_CheckExact(key)
        || PyFloat_CheckExact(key) || PyBool_Check(key))
        return 1;
    if (!PyTuple_CheckExact(key) || depth == 0)
        return 0;
    for (Py_ssize_t at = 0; at < PyTuple_GET_SIZE(key); at++)
        if (!hashes_alike(PyTuple_GET_ITEM(key, at), depth - 1))
            return 0;
    return 1;
}

/* A set's order depends on all that was ever in it: where the hashes stay, so does the table. */
static int put_set(Writer *w, PyObject *object)
{
    PySetObject *set = (PySetObject *)object;
    Py_ssize_t dummies = 0, places = set->mask + 1;
    int exact = 1;
    for (Py_ssize_t at = 0; at < places; at++) {
        PyObject *key = set->table[at].key;
        if (key && set->table[at].hash == -1)
            dummies++;
        else if (key)
            exact = exact && hashes_alike(key, 4);
    }
    if (put_letter(w, '<') < 0 || put_number(w, PyFrozenSet_CheckExact(object)) < 0
        || put_number(w, (uint64_t)exact) < 0 || put_number(w, (uint64_t)places) < 0
        || put_number(w, (uint64_t)set->used) < 0)
        return -1;
    for (Py_ssize_t at = 0; at < places; at++)
        if (set->table[at].key && set->table[at].hash != -1
            && put_object(w, set->table[at].key) < 0)
            return -1;
    for (Py_ssize_t at = 0; at < places; at++)
        if (set->table[at].key && set->table[at].hash != -1 && put_number(w, (uint64_t)at) < 0)
            return -1;
    if (put_number(w, (uint64_t)dummies) < 0)
        return -1;
    for (Py_ssize_t at = 0; at < places; at++)
        if (set->table[at].key && set->table[at].hash == -1 && put_number(w, (uint64_t)at) < 0)
            return -1;
    return 0;
}

static struct Plan *plan_for(Writer *w, PyTypeObject *type)
{
    Py_ssize_t known = table_get(&w->plans, type);
    if (known >= 0)
        return &w->plan[known];
    size_t size = (size_t)(w->plan_count + 1) * sizeof(struct Plan);
    struct Plan *plans = PyMem_RawRealloc(w->plan, size);
    if (plans == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    w->plan = plans;
    struct Plan *plan = &plans[w->plan_count];
    memset(plan, 0, sizeof *plan);
    if (type->tp_flags & Py_TPFLAGS_HEAPTYPE) {
        PyObject *plain = PyObject_CallOneArg(w->is_plain, (PyObject *)type);
        plan->plain = plain ? PyObject_IsTrue(plain) : -1;
        Py_XDECREF(plain);
        if (plan->plain < 0)
            return NULL;
    }
    if (plan->plain) {
        plan->offsets = member_offsets(type, &plan->members);
        if (plan->offsets == NULL)
            return NULL;
    }
    if (table_put(&w->plans, type, w->plan_count) < 0)
        return NULL;
    w->plan_count++;
    return plan;
}

static int count_pair(void *count, PyObject *Py_UNUSED(key), PyObject *Py_UNUSED(value))
{
    ++*(Py_ssize_t *)count;
    return 0;
}

static int put_instance(Writer *w, PyObject *object, const struct Plan *plan)
{
    int pairs;
    Py_ssize_t attributes = 0;
    PyObject *dict = instance_dict(object, &pairs);
    if (pairs)
        instance_pairs(object, count_pair, &attributes);
    int kind = dict ? AS_DICT : attributes ? AS_PAIRS : NO_ATTRIBUTES;
    Py_ssize_t count = 1 + plan->members + (dict ? 1 : attributes * 2);
    if (put_letter(w, 'o') < 0 || put_number(w, (uint64_t)kind) < 0
        || put_number(w, (uint64_t)plan->members) < 0 || put_number(w, (uint64_t)count) < 0
        || put_object(w, (PyObject *)Py_TYPE(object)) < 0)
        return -1;
    for (Py_ssize_t at = 0; at < plan->members; at++) {
        PyObject *member = *(PyObject **)((char *)object + plan->offsets[at]);
        if (put_object(w, member ? member : Nothing) < 0)
            return -1;
    }
    if (dict)
        return put_object(w, dict);
    return kind == AS_PAIRS ? instance_pairs(object, put_pair, w) : 0;
}

/* A description: (function or its name, arguments, deep), with (function, argument) to fill it. */
static int put_description(Writer *w, PyObject *object, PyObject *description)
{
    PyObject *function, *arguments, *filler = NULL, *state = NULL;
    int deep;
    if (PyModule_Check(description)) /* The names of a module whose content moves. */
        return put_dict(w, object, description);
    if (!PyTuple_Check(description)
        || !PyArg_ParseTuple(description, "OO!i|OO", &function, &PyTuple_Type, &arguments, &deep,
                             &filler, &state))
        return -1;
    Py_ssize_t count = PyTuple_GET_SIZE(arguments) + 1 + (filler ? 2 : 0);
    if (put_letter(w, '@') < 0 || put_number(w, (uint64_t)deep) < 0
        || put_number(w, filler != NULL) < 0 || put_number(w, (uint64_t)count) < 0
        || put_object(w, function) < 0)
        return -1;
    for (Py_ssize_t at = 0; at < PyTuple_GET_SIZE(arguments); at++)
        if (put_object(w, PyTuple_GET_ITEM(arguments, at)) < 0)
            return -1;
    return filler == NULL ? 0 : put_pair(w, filler, state);
}

/* Memory that numpy, say, hands over as it is; it comes back as bytes or a bytearray. */
static int put_memory(Writer *w, PyObject *object)
{
    const Py_buffer *view = PyPickleBuffer_GetBuffer(object);
    if (view == NULL)
        return -1;
    return put_buffer(w, view->readonly ? 'b' : 'y', object, view->buf, view->len);
}

static int put_other(Writer *w, PyObject *object)
{
    if (PyPickleBuffer_Check(object))
        return put_memory(w, object);
    struct Plan *plan = plan_for(w, Py_TYPE(object));
    if (plan == NULL)
        return -1;
    if (plan->plain)
        return put_instance(w, object, plan);
    PyObject *description = PyObject_CallOneArg(w->describe, object);
    if (description == NULL)
        return -1;
    /* It holds the objects that were made for it, whose addresses are numbered now. */
    int failed = PyList_Append(w->kept, description) < 0
                 || put_description(w, object, description) < 0;
    Py_DECREF(description);
    return failed ? -1 : 0;
}

static int put_record(Writer *w, PyObject *object)
{
    Py_ssize_t special = table_get(&w->special, object);
    if (special >= 0)
        return put_description(w, object,
                               PyTuple_GET_ITEM(PyList_GET_ITEM(w->specials, special), 1));
    if (object == Py_None)
        return put_letter(w, 'N');
    if (PyUnicode_CheckExact(object))
        return put_str(w, object);
    if (PyBool_Check(object))
        return put_letter(w, object == Py_True ? 'T' : 'F');
    if (PyLong_CheckExact(object))
        return put_int(w, object);
    if (PyTuple_CheckExact(object))
        return put_items(w, '(', ((PyTupleObject *)object)->ob_item, PyTuple_GET_SIZE(object));
    if (PyList_CheckExact(object))
        return put_items(w, '[', ((PyListObject *)object)->ob_item, PyList_GET_SIZE(object));
    if (PyDict_CheckExact(object))
        return put_dict(w, object, NULL);
    if (PyFloat_CheckExact(object)) {
        if (put_letter(w, 'd') < 0 || reserve(w, 8) < 0)
            return -1;
        w->used += 8;
        return PyFloat_Pack8(PyFloat_AS_DOUBLE(object), (char *)w->bytes + w->used - 8, 1);
    }
    if (PyBytes_CheckExact(object))
        return put_buffer(w, 'b', object, PyBytes_AS_STRING(object), PyBytes_GET_SIZE(object));
    if (PySet_CheckExact(object) || PyFrozenSet_CheckExact(object))
        return put_set(w, object);
    if (PyCell_Check(object)) {
        PyObject *value = PyCell_GET(object);
        return put_items(w, 'C', &value, value ? 1 : 0);
    }
    if (PyByteArray_CheckExact(object))
        return put_buffer(w, 'y', object, PyByteArray_AS_STRING(object),
                          PyByteArray_GET_SIZE(object));
    if (PyComplex_CheckExact(object)) {
        if (put_letter(w, 'c') < 0 || reserve(w, 16) < 0)
            return -1;
        w->used += 16;
        char *to = (char *)w->bytes + w->used;
        return PyFloat_Pack8(PyComplex_RealAsDouble(object), to - 16, 1) < 0
                   ? -1 : PyFloat_Pack8(PyComplex_ImagAsDouble(object), to - 8, 1);
    }
    if (object == Py_Ellipsis)
        return put_letter(w, 'E');
    if (object == Py_NotImplemented)
        return put_letter(w, 'I');
    if (object == Nothing)
        return put_letter(w, '0');
    return put_other(w, object);
}

static int write_all(Writer *w, PyObject *root)
{
    for (Py_ssize_t at = 0; at < PyList_GET_SIZE(w->specials); at++) {
        PyObject *pair = PyList_GET_ITEM(w->specials, at);
        if (table_put(&w->special, PyTuple_GET_ITEM(pair, 0), at) < 0)
            return -1;
    }
    if (put_object(w, root) < 0)
        return -1;
    w->used = 0; /* Only its number was wanted. */
    for (; w->written < w->count; w->written++)
        if (put_record(w, w->objects[w->written]) < 0)
            return -1;
    return 0;
}

/* encode(root, describe, is_plain, specials): (bytes, buffers, count of objects).
 * specials: [(object, description)], objects that are described before they are looked at. */
PyObject *moving_encode(PyObject *Py_UNUSED(self), PyObject *args)
{
    Writer w = {.room = 1024, .size = 65536};
    PyObject *root, *result = NULL;
    if (!PyArg_ParseTuple(args, "OOOO!", &root, &w.describe, &w.is_plain, &PyList_Type,
                          &w.specials))
        return NULL;
    w.objects = PyMem_RawMalloc((size_t)w.room * sizeof(PyObject *));
    w.bytes = PyMem_RawMalloc(w.size);
    w.kept = PyList_New(0);
    w.buffers = PyList_New(0);
    if (w.objects == NULL || w.bytes == NULL)
        PyErr_NoMemory();
    else if (w.kept && w.buffers && table_init(&w.numbers, 4096) == 0
             && table_init(&w.special, 1024) == 0 && table_init(&w.plans, 256) == 0
             && write_all(&w, root) == 0)
        result = Py_BuildValue("(y#On)", (char *)w.bytes, (Py_ssize_t)w.used, w.buffers, w.count);
    for (Py_ssize_t at = 0; at < w.plan_count; at++)
        PyMem_RawFree(w.plan[at].offsets);
    PyMem_RawFree(w.plan);
    PyMem_RawFree(w.objects);
    PyMem_RawFree(w.bytes);
    table_free(&w.numbers);
    table_free(&w.special);
    table_free(&w.plans);
    Py_XDECREF(w.kept);
    Py_XDECREF(w.buffers);
    return result;
}
