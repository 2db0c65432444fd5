/* The heap of an image: records of objects, in the order in which they were found.
 *
 * A record is a letter, its numbers, and the numbers of the objects that it refers to. Numbers are
 * LEB128. What has no references is made at once when the heap is read; the rest is made empty and
 * filled later, so no depth of the graph costs any depth of the C stack.
 *
 *   N T F E I 0     None, True, False, Ellipsis, NotImplemented, Nothing
 *   i n             int, zigzag                     L length bytes   int, little endian, signed
 *   d 8 bytes       float                           c 16 bytes       complex
 *   s S length ..   str in ASCII; S: interned       u U length ..    str in UTF-8, surrogates too
 *   b y length ..   bytes, bytearray                B Y buffer       the same out of band
 *   ( [ C count ids tuple, list, cell               { count ids      dict: key, value, ...
 *   m count ids     a module's names: the module, then key, value, ...
 *   < frozen exact size count ids, places, dummies: set or frozenset
 *   o kind members count ids: plain instance: class, members (slots), then its attributes
 *   @ deep fills count ids: function, arguments; if it fills: also a function and its argument
 */
#ifndef ONEOS_HEAP_H
#define ONEOS_HEAP_H

#include "moving.h"
#include <stdint.h>

#define BUFFER_BYTES_MIN 32768 /* what is larger goes out of band: copying it costs more */

/* How the attributes of an instance are written. */
enum { NO_ATTRIBUTES = 0, AS_DICT = 1, AS_PAIRS = 2 };

typedef struct {
    const void **keys;
    Py_ssize_t *values;
    size_t size; /* a power of two */
    size_t used;
} Table; /* addresses to numbers */

int table_init(Table *table, size_t size);
void table_free(Table *table);
Py_ssize_t table_get(const Table *table, const void *key);  /* -1: not there */
int table_put(Table *table, const void *key, Py_ssize_t value);

/* layout.c: the attributes of an instance that has no dict object yet. */
int instance_pairs(PyObject *object, int (*take)(void *, PyObject *, PyObject *), void *with);
/* The dict object of an instance, borrowed, or NULL; *pairs: it is kept as instance_pairs reads. */
PyObject *instance_dict(PyObject *object, int *pairs);
int instance_set(PyObject *object, PyObject *name, PyObject *value);

#endif
