/* The extension module: what Python sees of it. */
#include "moving.h"
#include "input.h"

static PyMethodDef methods[] = {
    {"addresses", moving_addresses, METH_VARARGS, NULL},
    {"arm", moving_arm, METH_VARARGS, NULL},
    {"async_hooks", moving_async_hooks, METH_O, NULL},
    {"awaitable_state", moving_awaitable_state, METH_O, NULL},
    {"buffer_offset", moving_buffer_offset, METH_VARARGS, NULL},
    {"buffer_state", moving_buffer_state, METH_O, NULL},
    {"context", moving_context, METH_O, NULL},
    {"decode", moving_decode, METH_VARARGS, NULL},
    {"dict_iterator", moving_dict_iterator, METH_O, NULL},
    {"disarm", moving_disarm, METH_NOARGS, NULL},
    {"encode", moving_encode, METH_VARARGS, NULL},
    {"end_awaitable", moving_end_awaitable, METH_VARARGS, NULL},
    {"exits", moving_exits, METH_NOARGS, NULL},
    {"fill_generator", moving_fill_generator, METH_VARARGS, NULL},
    {"finish_step", moving_finish_step, METH_VARARGS, NULL},
    {"frame", moving_frame, METH_O, NULL},
    {"future_state", moving_future_state, METH_O, NULL},
    {"gathered", moving_gathered, METH_NOARGS, NULL},
    {"generator", moving_generator, METH_O, NULL},
    {"generator_extra", moving_generator_extra, METH_O, NULL},
    {"handled", moving_handled, METH_O, NULL},
    {"hash_seed", moving_hash_seed, METH_NOARGS, NULL},
    {"is_python_class", moving_is_python_class, METH_O, NULL},
    {"like_builtin", moving_like_builtin, METH_VARARGS, NULL},
    {"iterator", moving_iterator, METH_O, NULL},
    {"listen", moving_listen, METH_VARARGS, NULL},
    {"local_dict", moving_local_dict, METH_VARARGS, NULL},
    {"local_state", moving_local_state, METH_O, NULL},
    {"map", moving_map, METH_O, NULL},
    {"new_frame", moving_new_frame, METH_VARARGS, NULL},
    {"new_step", moving_new_step, METH_VARARGS, NULL},
    {"own_descriptors", moving_own_descriptors, METH_NOARGS, NULL},
    {"own_dict", moving_own_dict, METH_O, NULL},
    {"own_memory", moving_own_memory, METH_NOARGS, NULL},
    {"parked", moving_parked, METH_NOARGS, NULL},
    {"quiet", moving_quiet, METH_O, NULL},
    {"resume", moving_resume, METH_VARARGS, NULL},
    {"running_loop", moving_running_loop, METH_O, NULL},
    {"set_awaitable_state", moving_set_awaitable_state, METH_VARARGS, NULL},
    {"set_buffer_state", moving_set_buffer_state, METH_VARARGS, NULL},
    {"set_closure", moving_set_closure, METH_VARARGS, NULL},
    {"set_dict_iterator", moving_set_dict_iterator, METH_VARARGS, NULL},
    {"set_future_state", moving_set_future_state, METH_VARARGS, NULL},
    {"set_gathered", moving_set_gathered, METH_O, NULL},
    {"set_generator_extra", moving_set_generator_extra, METH_VARARGS, NULL},
    {"set_local_arguments", moving_set_local_arguments, METH_VARARGS, NULL},
    {"set_task_state", moving_set_task_state, METH_VARARGS, NULL},
    {"set_text_state", moving_set_text_state, METH_VARARGS, NULL},
    {"shifted_clock", moving_shifted_clock, METH_VARARGS, NULL},
    {"slots", moving_slots, METH_VARARGS, NULL},
    {"waiting_slots", moving_waiting_slots, METH_VARARGS, NULL},
    {"step_state", moving_step_state, METH_O, NULL},
    {"steps", moving_steps, METH_VARARGS, NULL},
    {"stop_listening", moving_stop_listening, METH_NOARGS, NULL},
    {"task_sizes", moving_task_sizes, METH_NOARGS, NULL},
    {"task_state", moving_task_state, METH_O, NULL},
    {"text_state", moving_text_state, METH_O, NULL},
    {"thread_count", moving_thread_count, METH_NOARGS, NULL},
    {"thread_number", moving_thread_number, METH_O, NULL},
    {"traced", moving_traced, METH_NOARGS, NULL},
    {"unmap", moving_unmap, METH_VARARGS, NULL},
    {"waits_for_input", moving_waits_for_input, METH_O, NULL},
    {"wakeup", moving_wakeup, METH_NOARGS, NULL},
    {"watch", moving_watch, METH_O, NULL},
    {"watch_input", moving_watch_input, METH_VARARGS, NULL},
    {"works", moving_works, METH_O, NULL},
    {"wrapped", moving_wrapped, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "oneos_moving",
    .m_size = -1,
    .m_methods = methods,
};

PyMODINIT_FUNC PyInit_oneos_moving(void)
{
    PyObject *module = PyModule_Create(&definition);
    if (module && (slots_ready(module) < 0 || input_ready(module) < 0
                   || lines_ready(module) < 0 || works_ready() < 0))
        Py_CLEAR(module);
    return module;
}
