/* Waiting for standard input with nothing in hand, shared by what reads lines and what bytes. */
#ifndef ONEOS_INPUT_H
#define ONEOS_INPUT_H

#include "streams.h"

/* Wait until a descriptor has data or ends, for `who`; -1 with an exception. */
int wait_for_data(PyObject *who, int descriptor);

/* Read standard input's buffer until so many bytes are gathered, or (-1) to its end. 0: they are;
 * 1: it has ended; 2: this is not that buffer, or it is in use; -1 with an exception. */
int gather(PyObject *who, PyObject *buffer, Py_ssize_t wanted);

Py_ssize_t read_ahead(PyObject *buffer); /* bytes that a buffer has */

int input_ready(PyObject *module);

#endif
