/* Reading a heap: in which order its objects are made and filled.
 *
 * First all are made, each after what it cannot be made without: an instance after its class, a
 * tuple after its items, the result of a function after its arguments. Then what needs no hash is
 * filled. What is left (sets, dicts with keys of other kinds, whatever a function fills) comes after
 * all that it refers to. The order is kept on a stack of our own, so depth is only memory. */
#include "reading.h"

typedef struct {
    Py_ssize_t number;
    int whole;       /* it is to be filled too, after its children */
    uint64_t left;   /* children to look at */
    size_t at;
    Record record;
} Step;

typedef struct {
    Step *steps;
    size_t count, room;
} Stack;

static void *damaged(void)
{
    PyErr_SetString(PyExc_ValueError, "the image is damaged");
    return NULL;
}

int read_number(Reader *r, size_t *at, uint64_t *number)
{
    uint64_t value = 0;
    for (int shift = 0; *at < r->size && shift < 64; shift += 7) {
        uint8_t byte = r->bytes[(*at)++];
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *number = value;
            return 0;
        }
    }
    damaged();
    return -1;
}

Py_ssize_t read_child(Reader *r, size_t *at)
{
    uint64_t number;
    if (read_number(r, at, &number) < 0)
        return -1;
    if (number >= (uint64_t)r->count) {
        damaged();
        return -1;
    }
    return (Py_ssize_t)number;
}

static int skip_numbers(Reader *r, size_t *at, uint64_t count)
{
    for (; count > 0; count--) {
        while (*at < r->size && r->bytes[*at] >= 0x80)
            ++*at;
        if ((*at)++ >= r->size) {
            damaged();
            return -1;
        }
    }
    return 0;
}

static int read_head(Reader *r, size_t *at, Record *record)
{
    if (*at >= r->size) {
        damaged();
        return -1;
    }
    memset(record, 0, sizeof *record);
    record->letter = r->bytes[(*at)++];
    uint64_t length = 0;
    int failed = 0;
    switch (record->letter) {
    case 'N': case 'T': case 'F': case 'E': case 'I': case '0': break;
    case 'i': case 'B': case 'Y': failed = read_number(r, at, &record->first); break;
    case 'd': length = 8; break;
    case 'c': length = 16; break;
    case 's': case 'S': case 'u': case 'U': case 'b': case 'y': case 'L':
        failed = read_number(r, at, &length);
        break;
    case '(': case '[': case 'C': case '{': case 'm':
        failed = read_number(r, at, &record->count);
        break;
    case '<':
        failed = read_number(r, at, &record->first) < 0 || read_number(r, at, &record->second) < 0
                 || read_number(r, at, &record->third) < 0;
        failed = failed || read_number(r, at, &record->count) < 0;
        break;
    case 'o': case '@':
        failed = read_number(r, at, &record->first) < 0 || read_number(r, at, &record->second) < 0
                 || read_number(r, at, &record->count) < 0;
        break;
    default: failed = 1;
    }
    record->payload = record->children = *at;
    record->length = (size_t)length;
    if (failed || length > r->size - *at || record->count > r->size - *at) {
        damaged();
        return -1;
    }
    *at += (size_t)length;
    return 0;
}

int read_record(Reader *r, size_t *at, Record *record)
{
    uint64_t dummies;
    if (read_head(r, at, record) < 0 || skip_numbers(r, at, record->count) < 0)
        return -1;
    if (record->letter != '<')
        return 0;
    if (skip_numbers(r, at, record->count) < 0 || read_number(r, at, &dummies) < 0)
        return -1;
    return skip_numbers(r, at, dummies);
}

static int push(Reader *r, Stack *stack, Py_ssize_t number, int whole)
{
    if (stack->count == stack->room) {
        size_t room = stack->room ? stack->room * 2 : 256;
        Step *steps = PyMem_RawRealloc(stack->steps, room * sizeof(Step));
        if (steps == NULL) {
            PyErr_NoMemory();
            return -1;
        }
        stack->steps = steps;
        stack->room = room;
    }
    Step *step = &stack->steps[stack->count++];
    size_t at = r->places[number];
    step->number = number;
    step->whole = whole;
    if (read_head(r, &at, &step->record) < 0)
        return -1;
    step->at = step->record.children;
    step->left = step->record.count;
    if (!whole) {
        if (step->record.letter == 'o' || step->record.letter == 'm')
            step->left = 1;
        else if (step->record.letter == '@')
            step->left -= step->record.second ? 2 : 0;
    }
    r->states[number] |= whole ? FILLING : MAKING;
    return 0;
}

/* Have an object made, or made and filled, before whatever is on the stack. */
static int want(Reader *r, Stack *stack, Py_ssize_t number, int whole)
{
    if (r->made[number] == NULL) {
        if (r->states[number] & MAKING) {
            /* It contains itself: a tuple may be known before its items are. */
            size_t at = r->places[number];
            Record record;
            if (read_head(r, &at, &record) < 0)
                return -1;
            return record.letter == '(' ? make_dependent(r, number, &record) : 0;
        }
        size_t at = r->places[number];
        Record record;
        if (read_head(r, &at, &record) < 0)
            return -1;
        int made = make_simple(r, number, &record);
        if (made < 0)
            return -1;
        if (made > 0 && push(r, stack, number, 0) < 0)
            return -1;
        /* To be filled after it is made: looked at again by whoever wanted it. */
        return made > 0;
    }
    if (!whole || r->states[number] & (WHOLE | FILLING))
        return 0;
    return push(r, stack, number, 1) < 0 ? -1 : 1;
}

/* All children are there. */
static int finish(Reader *r, Step *step)
{
    if (!step->whole) {
        r->states[step->number] &= (uint8_t)~MAKING;
        if (r->made[step->number] == NULL
            && make_dependent(r, step->number, &step->record) < 0)
            return -1;
        if (step->record.letter != '(')
            return 0;
        /* At once, since functions may be called with it; unless it contains itself. */
        int missing = fill(r, step->number, &step->record);
        if (missing == 0)
            r->states[step->number] |= FILLED;
        return missing < 0 ? -1 : 0;
    }
    r->states[step->number] &= (uint8_t)~FILLING;
    int missing = r->states[step->number] & FILLED ? 0 : fill(r, step->number, &step->record);
    if (missing == 0)
        r->states[step->number] |= FILLED | WHOLE;
    return missing < 0 ? -1 : 0;
}

static int run(Reader *r, Stack *stack, Py_ssize_t number, int whole)
{
    if (want(r, stack, number, whole) < 0)
        return -1;
    while (stack->count > 0) {
        Step *step = &stack->steps[stack->count - 1];
        if (step->left == 0) {
            Step done = *step;
            stack->count--;
            if (finish(r, &done) < 0)
                return -1;
            continue;
        }
        size_t at = step->at;
        Py_ssize_t child = read_child(r, &at);
        /* The arguments of a function that looks into them have to be whole. */
        int deep = step->whole || (step->record.letter == '@' && step->record.first);
        int pushed = child < 0 ? -1 : want(r, stack, child, deep);
        if (pushed < 0)
            return -1;
        if (pushed == 0) {
            step = &stack->steps[stack->count - 1];
            step->at = at;
            step->left--;
        }
    }
    return 0;
}

static int make_all(Reader *r, Stack *stack)
{
    for (Py_ssize_t number = 0; number < r->count; number++)
        if (r->made[number] == NULL && run(r, stack, number, 0) < 0)
            return -1;
    for (Py_ssize_t number = 0; number < r->count; number++) {
        size_t at = r->places[number];
        Record record;
        if (r->states[number] & FILLED)
            continue;
        if (read_head(r, &at, &record) < 0)
            return -1;
        int later = record.letter == '<' || (record.letter == '@' && record.second)
                    || ((record.letter == '{' || record.letter == 'm') && !hashes_text(r, &record));
        if (later)
            continue;
        if (fill(r, number, &record) < 0)
            return -1;
        r->states[number] |= FILLED;
    }
    for (Py_ssize_t number = 0; number < r->count; number++)
        if (!(r->states[number] & FILLED)
            && (run(r, stack, number, 1) < 0 || !(r->states[number] & FILLED))) {
            if (!PyErr_Occurred())
                PyErr_SetString(PyExc_ValueError, "an object of the image cannot be filled");
            return -1;
        }
    return 0;
}

static int find_records(Reader *r)
{
    size_t at = 0;
    Record record;
    for (Py_ssize_t number = 0; number < r->count; number++) {
        r->places[number] = at;
        if (read_record(r, &at, &record) < 0)
            return -1;
    }
    return 0;
}

/* decode(bytes, count, buffers, helpers): the root. helpers: {name: function}. */
PyObject *moving_decode(PyObject *Py_UNUSED(self), PyObject *args)
{
    Py_buffer view;
    Reader r = {0};
    Stack stack = {0};
    PyObject *root = NULL;
    if (!PyArg_ParseTuple(args, "y*nO!O!", &view, &r.count, &PyList_Type, &r.buffers,
                          &PyDict_Type, &r.helpers))
        return NULL;
    r.bytes = view.buf;
    r.size = (size_t)view.len;
    if (r.count < 1 || r.count > view.len) {
        PyBuffer_Release(&view);
        return damaged();
    }
    r.places = PyMem_RawMalloc((size_t)r.count * sizeof(size_t));
    r.made = PyMem_RawCalloc((size_t)r.count, sizeof(PyObject *));
    r.states = PyMem_RawCalloc((size_t)r.count, 1);
    if (!r.places || !r.made || !r.states)
        PyErr_NoMemory();
    else if (find_records(&r) == 0 && make_all(&r, &stack) == 0)
        root = Py_NewRef(r.made[0]);
    for (Py_ssize_t number = 0; r.made && number < r.count; number++)
        Py_XDECREF(r.made[number]);
    PyMem_RawFree(r.places);
    PyMem_RawFree(r.made);
    PyMem_RawFree(r.states);
    PyMem_RawFree(stack.steps);
    PyBuffer_Release(&view);
    return root;
}
