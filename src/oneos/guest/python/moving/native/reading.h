/* Reading a heap: shared by decoding.c (in which order) and making.c (each kind of object). */
#ifndef ONEOS_READING_H
#define ONEOS_READING_H

#include "heap.h"

/* A record, taken apart: its letter, its numbers, and where those of its children begin. */
typedef struct {
    int letter;
    uint64_t first, second, third; /* as in heap.h, in order */
    uint64_t count;                /* children */
    size_t children;
    size_t payload, length;        /* bytes that stand in the record */
} Record;

typedef struct {
    const uint8_t *bytes;
    size_t size;
    PyObject *buffers, *helpers;
    Py_ssize_t count;
    size_t *places;    /* where each record begins */
    PyObject **made;   /* owned */
    uint8_t *states;
} Reader;

/* WHOLE: all that it refers to is filled too, but for what refers back to it. */
enum { MAKING = 1, FILLING = 2, FILLED = 4, WHOLE = 8 };

int read_number(Reader *r, size_t *at, uint64_t *number);
int read_record(Reader *r, size_t *at, Record *record); /* at: afterwards, where it ends */
Py_ssize_t read_child(Reader *r, size_t *at);           /* -1 with an exception */

int make_simple(Reader *r, Py_ssize_t number, const Record *record); /* 1: it cannot be, 0: made */
int make_dependent(Reader *r, Py_ssize_t number, const Record *record);
int fill(Reader *r, Py_ssize_t number, const Record *record); /* 1: a child is missing as yet */
int hashes_text(Reader *r, const Record *record); /* the keys are all exact strings */

#endif
