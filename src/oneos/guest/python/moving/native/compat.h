/* What differs between the minor versions of CPython, in one place: the layout of a frame, of its
 * slots and of a thread's chain of frames. All other files are the same for every version.
 *
 * The layouts are those of Include/internal of each version, which is why the extension is built
 * for one minor version, and tests itself when it is loaded (selftest.py). */
#ifndef ONEOS_COMPAT_H
#define ONEOS_COMPAT_H

#define PY_SSIZE_T_CLEAN
#define Py_BUILD_CORE 1
#include <Python.h>
#include <frameobject.h>
#include "internal/pycore_code.h"
#include "internal/pycore_frame.h"
#include "internal/pycore_function.h"
#include "internal/pycore_genobject.h"
#include "internal/pycore_interp.h"
#include "internal/pycore_pystate.h"
#include <opcode.h>

#if PY_VERSION_HEX < 0x030B0000 || PY_VERSION_HEX >= 0x030F0000
#error "moving knows CPython 3.11 to 3.14"
#endif
#ifdef Py_GIL_DISABLED
#error "moving needs an interpreter with its lock"
#endif

#define SINCE_12 (PY_VERSION_HEX >= 0x030C0000)
#define SINCE_13 (PY_VERSION_HEX >= 0x030D0000)
#define SINCE_14 (PY_VERSION_HEX >= 0x030E0000)

#if SINCE_14
#include "internal/pycore_interpframe.h"
#include "internal/pycore_stackref.h"
#endif

typedef _PyInterpreterFrame Frame;

/* --- whose frame it is ------------------------------------------------------------------------ */
#if SINCE_14
#define frame_code(f) ((PyCodeObject *)PyStackRef_AsPyObjectBorrow((f)->f_executable))
#define frame_function(f) \
    (PyStackRef_IsNull((f)->f_funcobj) ? NULL : PyStackRef_AsPyObjectBorrow((f)->f_funcobj))
#define frame_generator(f) ((PyObject *)_PyGen_GetGeneratorFromFrame(f))
#define generator_frame(g) ((Frame *)&(g)->gi_iframe)
#define owned_by_c(f) ((f)->owner >= FRAME_OWNED_BY_INTERPRETER)
#else
#if SINCE_13
#define frame_code(f) ((PyCodeObject *)(f)->f_executable)
#else
#define frame_code(f) ((f)->f_code)
#endif
#if SINCE_12
#define frame_function(f) ((PyObject *)(f)->f_funcobj)
#define owned_by_c(f) ((f)->owner == FRAME_OWNED_BY_CSTACK)
#else
#define frame_function(f) ((PyObject *)(f)->f_func)
#define owned_by_c(f) 0
#endif
#define frame_generator(f) ((PyObject *)_PyFrame_GetGenerator(f))
#define generator_frame(g) ((Frame *)(g)->gi_iframe)
#endif

/* Whether C code entered the interpreter for this frame: its result goes to C, not to a frame. */
#if SINCE_12
#define entered_from_c(f) ((f)->previous == NULL || owned_by_c((f)->previous))
#else
#define entered_from_c(f) ((f)->is_entry)
#endif

#if SINCE_13
#define thread_frame(ts) ((ts)->current_frame)
#else
#define thread_frame(ts) ((ts)->cframe->current_frame)
#endif

/* --- where it stands -------------------------------------------------------------------------- */
/* In code units. 3.11 and 3.12 keep the instruction before the next one, 3.13 the next itself. */
#if SINCE_13
#define frame_index(f) ((int)((f)->instr_ptr - _PyCode_CODE(frame_code(f))))
#define frame_set_index(f, i) ((f)->instr_ptr = _PyCode_CODE(frame_code(f)) + (i))
#else
#define frame_index(f) ((int)((f)->prev_instr - _PyCode_CODE(frame_code(f))))
#define frame_set_index(f, i) ((f)->prev_instr = _PyCode_CODE(frame_code(f)) + (i))
#endif

/* How much further a call from Python to Python continues when it returns than when it yields. */
#if SINCE_12
#define frame_return_offset(f) ((int)(f)->return_offset)
#else
#define frame_return_offset(f) 0
#endif

#if SINCE_12
#define recursion_left(ts) ((ts)->py_recursion_remaining)
#else
#define recursion_left(ts) ((ts)->recursion_remaining)
#endif

/* --- slots: locals, cells, and the value stack above them ------------------------------------- */
/* 3.14 has tagged references there, some of which are small integers (Number in slots.c). */
int slots_top(Frame *frame);               /* -1: the interpreter has it in a register */
void slots_set_top(Frame *frame, int top);
PyObject *slots_get(Frame *frame, int at); /* new reference; Nothing for an empty slot */
void *slots_address(Frame *frame, int at); /* not to be followed: it may be dead */
void slots_clear(Frame *frame, int at);
void slots_put(Frame *frame, int at, PyObject *value); /* borrowed; the slot holds nothing yet */

#endif
