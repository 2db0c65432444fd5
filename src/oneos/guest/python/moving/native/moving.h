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
PyObject *moving_waiting_slots(PyObject *self, PyObject *args);
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
PyObject *moving_wakeup(PyObject *self, PyObject *nothing);
PyObject *moving_thread_number(PyObject *self, PyObject *ident);
PyObject *moving_own_memory(PyObject *self, PyObject *nothing);
PyObject *moving_thread_count(PyObject *self, PyObject *nothing);
int arm_resumed(Frame *frame);
void stand_if_asked(void);

/* objects.c */
PyObject *moving_fill_generator(PyObject *self, PyObject *args);
PyObject *moving_set_closure(PyObject *self, PyObject *args);
PyObject *moving_new_frame(PyObject *self, PyObject *args);
PyObject *moving_is_python_class(PyObject *self, PyObject *type);
PyObject *moving_exits(PyObject *self, PyObject *nothing);
PyObject *moving_hash_seed(PyObject *self, PyObject *nothing);

/* tasks.c */
PyObject *moving_task_sizes(PyObject *self, PyObject *nothing);
PyObject *moving_future_state(PyObject *self, PyObject *future);
PyObject *moving_set_future_state(PyObject *self, PyObject *args);
PyObject *moving_task_state(PyObject *self, PyObject *task);
PyObject *moving_set_task_state(PyObject *self, PyObject *args);
PyObject *moving_step_state(PyObject *self, PyObject *step);
PyObject *moving_new_step(PyObject *self, PyObject *args);
PyObject *moving_like_builtin(PyObject *self, PyObject *args);
PyObject *moving_finish_step(PyObject *self, PyObject *args);
PyObject *moving_running_loop(PyObject *self, PyObject *ident);
PyObject *moving_async_hooks(PyObject *self, PyObject *ident);

/* awaiting.c */
PyObject *moving_awaitable_state(PyObject *self, PyObject *awaitable);
PyObject *moving_set_awaitable_state(PyObject *self, PyObject *args);
PyObject *moving_end_awaitable(PyObject *self, PyObject *args);
PyObject *moving_generator_extra(PyObject *self, PyObject *generator);
PyObject *moving_set_generator_extra(PyObject *self, PyObject *args);
PyObject *moving_wrapped(PyObject *self, PyObject *generator);

/* locals.c */
PyObject *moving_local_state(PyObject *self, PyObject *local);
PyObject *moving_set_local_arguments(PyObject *self, PyObject *args);
PyObject *moving_local_dict(PyObject *self, PyObject *args);

/* streams.c */
PyObject *moving_text_state(PyObject *self, PyObject *stream);
PyObject *moving_set_text_state(PyObject *self, PyObject *args);
PyObject *moving_buffer_state(PyObject *self, PyObject *stream);
PyObject *moving_set_buffer_state(PyObject *self, PyObject *args);

/* lines.c */
int lines_ready(PyObject *module);

/* input.c */
PyObject *moving_waits_for_input(PyObject *self, PyObject *object);
PyObject *moving_gathered(PyObject *self, PyObject *nothing);
PyObject *moving_set_gathered(PyObject *self, PyObject *bytes);
PyObject *moving_watch_input(PyObject *self, PyObject *args);

/* mapping.c */
PyObject *moving_map(PyObject *self, PyObject *descriptor);
PyObject *moving_unmap(PyObject *self, PyObject *args);

/* clocks.c */
PyObject *moving_shifted_clock(PyObject *self, PyObject *args);

/* iterators.c */
PyObject *moving_dict_iterator(PyObject *self, PyObject *iterator);
PyObject *moving_set_dict_iterator(PyObject *self, PyObject *args);
PyObject *moving_buffer_offset(PyObject *self, PyObject *args);
PyObject *moving_context(PyObject *self, PyObject *ident);

/* works.c: built-ins that call Python code */
int works_ready(void);
PyObject *moving_works(PyObject *self, PyObject *frame);
PyObject *moving_iterator(PyObject *self, PyObject *object); /* stepping.c */
PyObject *moving_watch(PyObject *self, PyObject *on);

/* encoding.c, decoding.c, layout.c */
PyObject *moving_encode(PyObject *self, PyObject *args);
PyObject *moving_decode(PyObject *self, PyObject *args);
PyObject *moving_own_dict(PyObject *self, PyObject *object);
Py_ssize_t *member_offsets(PyTypeObject *type, Py_ssize_t *count); /* to be freed */

/* dormant.c */
PyObject *moving_listen(PyObject *self, PyObject *args);
PyObject *moving_own_descriptors(PyObject *self, PyObject *nothing);
PyObject *moving_stop_listening(PyObject *self, PyObject *nothing);

#endif
