/* The layouts of Modules/_io/textio.c and bufferedio.c, the same from 3.11 to 3.13. */
#ifndef ONEOS_STREAMS_H
#define ONEOS_STREAMS_H

#include "compat.h"

typedef struct {
    PyObject_HEAD
    int ok, detached;
    Py_ssize_t chunk_size;
    PyObject *buffer, *encoding, *encoder, *decoder, *readnl, *errors;
    const char *writenl;
    char line_buffering, write_through, readuniversal, readtranslate, writetranslate, seekable;
    char has_read1, telling, finalizing;
    void *encode;
    char encoding_start_of_stream;
    PyObject *ahead;
    Py_ssize_t ahead_used;
    PyObject *pending;
    Py_ssize_t pending_bytes;
    PyObject *snapshot;
    double bytes_per_character;
} Text;

typedef struct {
    PyObject_HEAD
    PyObject *raw;
    int ok, detached, readable, writable;
    char finalizing;
    int fast_closed_checks;
    int64_t position;
    char *buffer;
    int64_t at, raw_at, read_end, write_at, write_end;
    void *lock;
    volatile unsigned long owner;
    Py_ssize_t size, mask;
} Buffered;

#endif
