/* A hash table from addresses to numbers: which object is which record. */
#include "heap.h"

int table_init(Table *table, size_t size)
{
    table->keys = PyMem_RawCalloc(size, sizeof(void *));
    table->values = PyMem_RawMalloc(size * sizeof(Py_ssize_t));
    table->size = size;
    table->used = 0;
    if (table->keys && table->values)
        return 0;
    table_free(table);
    PyErr_NoMemory();
    return -1;
}

void table_free(Table *table)
{
    PyMem_RawFree(table->keys);
    PyMem_RawFree(table->values);
    table->keys = NULL;
    table->values = NULL;
}

static size_t place(const Table *table, const void *key)
{
    /* Objects are 16 bytes apart; the multiplication spreads what remains over all bits. */
    size_t at = (size_t)(((uintptr_t)key >> 4) * UINT64_C(0x9E3779B97F4A7C15) >> 20);
    for (at &= table->size - 1; table->keys[at] && table->keys[at] != key;)
        at = (at + 1) & (table->size - 1);
    return at;
}

Py_ssize_t table_get(const Table *table, const void *key)
{
    size_t at = place(table, key);
    return table->keys[at] ? table->values[at] : -1;
}

static int grow(Table *table)
{
    Table larger;
    if (table_init(&larger, table->size * 4) < 0)
        return -1;
    for (size_t at = 0; at < table->size; at++)
        if (table->keys[at]) {
            size_t to = place(&larger, table->keys[at]);
            larger.keys[to] = table->keys[at];
            larger.values[to] = table->values[at];
        }
    larger.used = table->used;
    table_free(table);
    *table = larger;
    return 0;
}

int table_put(Table *table, const void *key, Py_ssize_t value)
{
    if (table->used * 2 >= table->size && grow(table) < 0)
        return -1;
    size_t at = place(table, key);
    if (!table->keys[at]) {
        table->keys[at] = key;
        table->used++;
    }
    table->values[at] = value;
    return 0;
}
