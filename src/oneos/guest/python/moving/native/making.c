/* Making and filling one object of each kind that a heap has. */
#include "reading.h"

static PyObject *child(Reader *r, size_t *at)
{
    Py_ssize_t number = read_child(r, at);
    if (number < 0)
        return NULL;
    if (r->made[number] == NULL)
        PyErr_SetString(PyExc_ValueError, "an object of the image needs itself to be made");
    return r->made[number];
}

static PyObject *out_of_band(Reader *r, uint64_t number)
{
    if (number >= (uint64_t)PyList_GET_SIZE(r->buffers)) {
        PyErr_SetString(PyExc_ValueError, "the image names a buffer that it does not have");
        return NULL;
    }
    return PyList_GET_ITEM(r->buffers, (Py_ssize_t)number);
}

static PyObject *text(const char *raw, Py_ssize_t length, int interned, int ascii)
{
    PyObject *made = ascii ? PyUnicode_FromStringAndSize(raw, length)
                           : PyUnicode_DecodeUTF8(raw, length, "surrogatepass");
    if (made && interned)
        PyUnicode_InternInPlace(&made);
    return made;
}

static PyObject *integer(uint64_t zigzag)
{
    return PyLong_FromLongLong((int64_t)(zigzag >> 1) ^ -(int64_t)(zigzag & 1));
}

static PyObject *large(const char *raw, Py_ssize_t length)
{
    PyObject *method = PyObject_GetAttrString((PyObject *)&PyLong_Type, "from_bytes");
    PyObject *args = Py_BuildValue("(y#s)", raw, length, "little");
    PyObject *keywords = Py_BuildValue("{sO}", "signed", Py_True);
    PyObject *made = method && args && keywords ? PyObject_Call(method, args, keywords) : NULL;
    Py_XDECREF(method);
    Py_XDECREF(args);
    Py_XDECREF(keywords);
    return made;
}

static PyObject *bytes_of(PyObject *buffer, int array)
{
    Py_buffer view;
    if (PyObject_GetBuffer(buffer, &view, PyBUF_SIMPLE) < 0)
        return NULL;
    PyObject *made = array ? PyByteArray_FromStringAndSize(view.buf, view.len)
                           : PyBytes_FromStringAndSize(view.buf, view.len);
    PyBuffer_Release(&view);
    return made;
}

int make_simple(Reader *r, Py_ssize_t number, const Record *record)
{
    const char *raw = (const char *)r->bytes + record->payload;
    Py_ssize_t length = (Py_ssize_t)record->length;
    PyObject *made = NULL, *buffer;
    switch (record->letter) {
    case 'N': made = Py_NewRef(Py_None); break;
    case 'T': made = Py_NewRef(Py_True); break;
    case 'F': made = Py_NewRef(Py_False); break;
    case 'E': made = Py_NewRef(Py_Ellipsis); break;
    case 'I': made = Py_NewRef(Py_NotImplemented); break;
    case '0': made = Py_NewRef(Nothing); break;
    case 'i': made = integer(record->first); break;
    case 'L': made = large(raw, length); break;
    case 'd': made = PyFloat_FromDouble(PyFloat_Unpack8(raw, 1)); break;
    case 'c':
        made = PyComplex_FromDoubles(PyFloat_Unpack8(raw, 1), PyFloat_Unpack8(raw + 8, 1));
        break;
    case 's': case 'S': made = text(raw, length, record->letter == 'S', 1); break;
    case 'u': case 'U': made = text(raw, length, record->letter == 'U', 0); break;
    case 'b': made = PyBytes_FromStringAndSize(raw, length); break;
    case 'y': made = PyByteArray_FromStringAndSize(raw, length); break;
    case 'B': case 'Y':
        buffer = out_of_band(r, record->first);
        made = buffer ? bytes_of(buffer, record->letter == 'Y') : NULL;
        break;
    case '[': made = PyList_New(0); break;
    case '{': made = PyDict_New(); break;
    case 'C': made = PyCell_New(NULL); break;
    case '<': made = record->first ? PyFrozenSet_New(NULL) : PySet_New(NULL); break;
    default: return 1;
    }
    r->made[number] = made;
    return made ? 0 : -1;
}

static PyObject *function_of(Reader *r, PyObject *function)
{
    if (!PyUnicode_CheckExact(function))
        return function;
    PyObject *helper = PyDict_GetItemWithError(r->helpers, function);
    if (helper == NULL && !PyErr_Occurred())
        PyErr_Format(PyExc_ValueError, "this version cannot make what the image calls %R", function);
    return helper;
}

static PyObject *call(Reader *r, const Record *record)
{
    size_t at = record->children;
    Py_ssize_t count = (Py_ssize_t)record->count - 1 - (record->second ? 2 : 0);
    PyObject *function = child(r, &at);
    function = function ? function_of(r, function) : NULL;
    PyObject *args = function && count >= 0 ? PyTuple_New(count) : NULL;
    for (Py_ssize_t item = 0; args && item < count; item++) {
        size_t here = at;
        PyObject *value = child(r, &at);
        if (value && PyTuple_CheckExact(value) && PyTuple_GET_SIZE(value)
            && !(r->states[read_child(r, &here)] & FILLED)) {
            PyErr_SetString(PyExc_ValueError, "a tuple of the image needs itself to be made");
            value = NULL;
        }
        if (value == NULL)
            Py_CLEAR(args);
        else
            PyTuple_SET_ITEM(args, item, Py_NewRef(value));
    }
    PyObject *made = args ? PyObject_CallObject(function, args) : NULL;
    Py_XDECREF(args);
    return made;
}

static PyObject *instance(Reader *r, const Record *record)
{
    size_t at = record->children;
    PyObject *type = child(r, &at);
    if (type == NULL)
        return NULL;
    if (!PyType_Check(type)) {
        PyErr_SetString(PyExc_ValueError, "an instance of the image has no class");
        return NULL;
    }
    return ((PyTypeObject *)type)->tp_alloc((PyTypeObject *)type, 0);
}

int make_dependent(Reader *r, Py_ssize_t number, const Record *record)
{
    PyObject *made = NULL, *module;
    size_t at = record->children;
    switch (record->letter) {
    case '(': made = PyTuple_New((Py_ssize_t)record->count); break;
    case '@': made = call(r, record); break;
    case 'o': made = instance(r, record); break;
    case 'm':
        module = child(r, &at);
        made = module ? Py_XNewRef(PyModule_GetDict(module)) : NULL;
        break;
    default: PyErr_SetString(PyExc_ValueError, "the image has an object of no kind");
    }
    r->made[number] = made;
    return made ? 0 : -1;
}

static int fill_pairs(Reader *r, PyObject *dict, size_t at, uint64_t pairs)
{
    for (; pairs > 0; pairs--) {
        PyObject *key = child(r, &at), *value = child(r, &at);
        if (key == NULL || value == NULL || PyDict_SetItem(dict, key, value) < 0)
            return -1;
    }
    return 0;
}

static int fill_instance(Reader *r, PyObject *object, const Record *record)
{
    size_t at = record->children;
    Py_ssize_t members, count = (Py_ssize_t)record->count - 1;
    Py_ssize_t *offsets = member_offsets(Py_TYPE(object), &members);
    int failed = offsets == NULL || child(r, &at) == NULL;
    if (!failed && (uint64_t)members != record->second) {
        PyErr_Format(PyExc_ValueError, "the class %s has other slots here",
                     Py_TYPE(object)->tp_name);
        failed = 1;
    }
    for (Py_ssize_t member = 0; !failed && member < members; member++, count--) {
        PyObject *value = child(r, &at);
        failed = value == NULL;
        if (value && value != Nothing)
            Py_XSETREF(*(PyObject **)((char *)object + offsets[member]), Py_NewRef(value));
    }
    PyMem_RawFree(offsets);
    if (!failed && record->first == AS_DICT) {
        PyObject *dict = child(r, &at);
        return dict == NULL ? -1 : PyObject_GenericSetDict(object, dict, NULL);
    }
    for (; !failed && count > 1; count -= 2) {
        PyObject *name = child(r, &at), *value = child(r, &at);
        failed = name == NULL || value == NULL || instance_set(object, name, value) < 0;
    }
    return failed ? -1 : 0;
}

/* What a set keeps in the place of a removed element: read from a set that has one. */
static PyObject *removed(void)
{
    static PyObject *found;
    if (found == NULL) {
        PyObject *set = PySet_New(NULL);
        if (set == NULL || PySet_Add(set, Py_True) < 0 || PySet_Discard(set, Py_True) < 0)
            return NULL;
        for (Py_ssize_t at = 0; at <= ((PySetObject *)set)->mask; at++)
            if (((PySetObject *)set)->table[at].key)
                found = ((PySetObject *)set)->table[at].key;
        Py_DECREF(set);
    }
    return found;
}

static int fill_set_exactly(Reader *r, PySetObject *set, const Record *record)
{
    size_t at = record->children, place_at = record->children;
    uint64_t places = record->third, place, dummies;
    for (uint64_t item = 0; item < record->count; item++)
        if (read_child(r, &place_at) < 0)
            return -1;
    if (places < PySet_MINSIZE || (places & (places - 1)) || places > (UINT64_C(1) << 40)) {
        PyErr_SetString(PyExc_ValueError, "the image has a set of no size");
        return -1;
    }
    if (places > PySet_MINSIZE) {
        setentry *table = PyMem_Calloc(places, sizeof(setentry));
        if (table == NULL) {
            PyErr_NoMemory();
            return -1;
        }
        set->table = table;
        set->mask = (Py_ssize_t)places - 1;
    }
    for (uint64_t item = 0; item < record->count; item++) {
        PyObject *key = child(r, &at);
        Py_hash_t hash = key ? PyObject_Hash(key) : -1;
        if (hash == -1 || read_number(r, &place_at, &place) < 0 || place >= places)
            return -1;
        set->table[place].key = Py_NewRef(key);
        set->table[place].hash = hash;
        set->fill++;
        set->used++;
    }
    PyObject *dummy = removed();
    if (dummy == NULL || read_number(r, &place_at, &dummies) < 0)
        return -1;
    for (; dummies > 0; dummies--) {
        if (read_number(r, &place_at, &place) < 0 || place >= places)
            return -1;
        /* The set owns no reference to it. */
        set->table[place].key = dummy;
        set->table[place].hash = -1;
        set->fill++;
    }
    return 0;
}

static int fill_set(Reader *r, PyObject *set, const Record *record)
{
    if (record->second)
        return fill_set_exactly(r, (PySetObject *)set, record);
    size_t at = record->children;
    int failed = 0;
    /* PySet_Add takes a frozenset only as long as nobody else knows it. */
    Py_ssize_t known = Py_REFCNT(set);
    for (uint64_t item = 0; !failed && item < record->count; item++) {
        PyObject *key = child(r, &at);
        if (key == NULL || PyObject_Hash(key) == -1)
            return -1;
        Py_SET_REFCNT(set, 1);
        failed = PySet_Add(set, key) < 0;
        Py_SET_REFCNT(set, Py_REFCNT(set) - 1 + known);
    }
    return failed ? -1 : 0;
}

static int fill_call(Reader *r, PyObject *object, const Record *record)
{
    size_t at = record->children;
    for (uint64_t item = 0; item + 2 < record->count; item++)
        if (read_child(r, &at) < 0)
            return -1;
    PyObject *filler = child(r, &at), *state = child(r, &at);
    filler = filler && state ? function_of(r, filler) : NULL;
    PyObject *done = filler ? PyObject_CallFunctionObjArgs(filler, object, state, NULL) : NULL;
    Py_XDECREF(done);
    return done ? 0 : -1;
}

int hashes_text(Reader *r, const Record *record)
{
    size_t at = record->children;
    if (record->letter == 'm' && read_child(r, &at) < 0)
        return 0;
    for (uint64_t item = 0; item < record->count / 2; item++) {
        Py_ssize_t key = read_child(r, &at);
        if (key < 0 || !r->made[key] || !PyUnicode_CheckExact(r->made[key])
            || read_child(r, &at) < 0)
            return 0;
    }
    return 1;
}

int fill(Reader *r, Py_ssize_t number, const Record *record)
{
    PyObject *object = r->made[number];
    size_t at = record->children;
    for (uint64_t item = 0; item < record->count; item++) {
        Py_ssize_t one = read_child(r, &at);
        if (one < 0)
            return -1;
        if (r->made[one] == NULL)
            return 1;
    }
    at = record->children;
    switch (record->letter) {
    case '(':
        for (Py_ssize_t item = 0; item < (Py_ssize_t)record->count; item++)
            if (PyTuple_GET_ITEM(object, item) == NULL)
                PyTuple_SET_ITEM(object, item, Py_NewRef(child(r, &at)));
            else
                child(r, &at);
        return 0;
    case '[':
        for (Py_ssize_t item = 0; item < (Py_ssize_t)record->count; item++)
            if (PyList_Append(object, child(r, &at)) < 0)
                return -1;
        return 0;
    case 'C':
        return record->count ? PyCell_Set(object, child(r, &at)) : 0;
    case '{': return fill_pairs(r, object, at, record->count / 2);
    case 'm':
        child(r, &at);
        return fill_pairs(r, object, at, record->count / 2);
    case '<': return fill_set(r, object, record);
    case 'o': return fill_instance(r, object, record);
    case '@': return record->second ? fill_call(r, object, record) : 0;
    default: return 0;
    }
}
