/* The extension module: what Python sees of it. */
#include "moving.h"

static PyMethodDef methods[] = {
    {"addresses", moving_addresses, METH_VARARGS, NULL},
    {"arm", moving_arm, METH_VARARGS, NULL},
    {"buffer_offset", moving_buffer_offset, METH_VARARGS, NULL},
    {"buffer_state", moving_buffer_state, METH_O, NULL},
    {"context", moving_context, METH_O, NULL},
    {"decode", moving_decode, METH_VARARGS, NULL},
    {"dict_iterator", moving_dict_iterator, METH_O, NULL},
    {"disarm", moving_disarm, METH_NOARGS, NULL},
    {"encode", moving_encode, METH_VARARGS, NULL},
    {"exits", moving_exits, METH_NOARGS, NULL},
    {"fill_generator", moving_fill_generator, METH_VARARGS, NULL},
    {"frame", moving_frame, METH_O, NULL},
    {"generator", moving_generator, METH_O, NULL},
    {"handled", moving_handled, METH_O, NULL},
    {"hash_seed", moving_hash_seed, METH_NOARGS, NULL},
    {"is_python_class", moving_is_python_class, METH_O, NULL},
    {"listen", moving_listen, METH_VARARGS, NULL},
    {"map", moving_map, METH_O, NULL},
    {"new_frame", moving_new_frame, METH_VARARGS, NULL},
    {"own_descriptors", moving_own_descriptors, METH_NOARGS, NULL},
    {"own_memory", moving_own_memory, METH_NOARGS, NULL},
    {"parked", moving_parked, METH_NOARGS, NULL},
    {"quiet", moving_quiet, METH_O, NULL},
    {"resume", moving_resume, METH_VARARGS, NULL},
    {"set_buffer_state", moving_set_buffer_state, METH_VARARGS, NULL},
    {"set_closure", moving_set_closure, METH_VARARGS, NULL},
    {"set_dict_iterator", moving_set_dict_iterator, METH_VARARGS, NULL},
    {"stand", moving_stand, METH_NOARGS, NULL},
    {"set_text_state", moving_set_text_state, METH_VARARGS, NULL},
    {"shifted_clock", moving_shifted_clock, METH_VARARGS, NULL},
    {"slots", moving_slots, METH_VARARGS, NULL},
    {"steps", moving_steps, METH_VARARGS, NULL},
    {"stop_listening", moving_stop_listening, METH_NOARGS, NULL},
    {"text_state", moving_text_state, METH_O, NULL},
    {"thread_count", moving_thread_count, METH_NOARGS, NULL},
    {"thread_number", moving_thread_number, METH_O, NULL},
    {"traced", moving_traced, METH_NOARGS, NULL},
    {"unmap", moving_unmap, METH_VARARGS, NULL},
    {"waits_for_line", moving_waits_for_line, METH_O, NULL},
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
    if (module && (slots_ready(module) < 0 || lines_ready(module) < 0))
        Py_CLEAR(module);
    return module;
}
