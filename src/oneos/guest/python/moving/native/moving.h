/* What crosses the files of the extension. */
#ifndef ONEOS_MOVING_H
#define ONEOS_MOVING_H

#include "compat.h"

/* slots.c: stands for an empty slot, an unset cell, an attribute that is missing. */
extern PyObject *Nothing;
int slots_ready(PyObject *module);

/* walking.c */
PyObject *moving_frame(PyObject *self, PyObject *frame);
PyObject *moving_slots(PyObject *self, PyObject *args);
PyObject *moving_addresses(PyObject *self, PyObject *args);
PyObject *moving_handled(PyObject *self, PyObject *ident);
PyObject *moving_generator(PyObject *self, PyObject *generator);
PyThreadState *find_thread(unsigned long ident);

/* rehydrating.c */
PyObject *moving_resume(PyObject *self, PyObject *args);
PyObject *waiting_record(Frame *frame); /* borrowed, or NULL */
int fill_frame(Frame *frame, PyObject *slots, int index);

/* stopping.c */
PyObject *moving_arm(PyObject *self, PyObject *args);
PyObject *moving_parked(PyObject *self, PyObject *nothing);
PyObject *moving_disarm(PyObject *self, PyObject *nothing);
PyObject *moving_steps(PyObject *self, PyObject *args);
PyObject *moving_quiet(PyObject *self, PyObject *on);
PyObject *moving_traced(PyObject *self, PyObject *nothing);
PyObject *moving_thread_number(PyObject *self, PyObject *ident);
PyObject *moving_own_memory(PyObject *self, PyObject *nothing);
PyObject *moving_thread_count(PyObject *self, PyObject *nothing);
int arm_resumed(Frame *frame);

/* objects.c */
PyObject *moving_fill_generator(PyObject *self, PyObject *args);
PyObject *moving_set_closure(PyObject *self, PyObject *args);
PyObject *moving_new_frame(PyObject *self, PyObject *args);
PyObject *moving_is_python_class(PyObject *self, PyObject *type);
PyObject *moving_exits(PyObject *self, PyObject *nothing);
PyObject *moving_hash_seed(PyObject *self, PyObject *nothing);

/* streams.c */
PyObject *moving_text_state(PyObject *self, PyObject *stream);
PyObject *moving_set_text_state(PyObject *self, PyObject *args);
PyObject *moving_buffer_state(PyObject *self, PyObject *stream);
PyObject *moving_set_buffer_state(PyObject *self, PyObject *args);

/* lines.c */
int lines_ready(PyObject *module);
PyObject *moving_waits_for_line(PyObject *self, PyObject *object);

/* mapping.c */
PyObject *moving_map(PyObject *self, PyObject *descriptor);
PyObject *moving_unmap(PyObject *self, PyObject *args);

/* clocks.c */
PyObject *moving_shifted_clock(PyObject *self, PyObject *args);

/* iterators.c */
PyObject *moving_dict_iterator(PyObject *self, PyObject *iterator);
PyObject *moving_set_dict_iterator(PyObject *self, PyObject *args);
PyObject *moving_stand(PyObject *self, PyObject *nothing);
int is_standing(void);
void wait_here(void);
PyObject *moving_buffer_offset(PyObject *self, PyObject *args);
PyObject *moving_context(PyObject *self, PyObject *ident);

/* encoding.c, decoding.c, layout.c */
PyObject *moving_encode(PyObject *self, PyObject *args);
PyObject *moving_decode(PyObject *self, PyObject *args);
Py_ssize_t *member_offsets(PyTypeObject *type, Py_ssize_t *count); /* to be freed */

/* dormant.c */
PyObject *moving_listen(PyObject *self, PyObject *args);
PyObject *moving_own_descriptors(PyObject *self, PyObject *nothing);
PyObject *moving_stop_listening(PyObject *self, PyObject *nothing);

#endif
