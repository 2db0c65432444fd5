/* An image in memory, without a descriptor: Python's own mmap keeps one, under a number that may be
 * the program's. */
#include "moving.h"
#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* map(descriptor): the whole file, to be read, and its address. Raises OSError. */
PyObject *moving_map(PyObject *Py_UNUSED(self), PyObject *descriptor)
{
    struct stat about;
    int fd = (int)PyLong_AsLong(descriptor);
    if (fd == -1 && PyErr_Occurred())
        return NULL;
    if (fstat(fd, &about) < 0)
        return PyErr_SetFromErrno(PyExc_OSError);
    size_t size = (size_t)about.st_size;
    char *start = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (start == MAP_FAILED)
        return PyErr_SetFromErrno(PyExc_OSError);
    PyObject *view = PyMemoryView_FromMemory(start, (Py_ssize_t)size, PyBUF_READ);
    if (view == NULL) {
        munmap(start, size);
        return NULL;
    }
    return Py_BuildValue("(NnN)", view, (Py_ssize_t)size, PyLong_FromVoidPtr(start));
}

/* unmap(size, address): after the view was released, which shows that nobody reads it. */
PyObject *moving_unmap(PyObject *Py_UNUSED(self), PyObject *args)
{
    Py_ssize_t size;
    PyObject *address;
    if (!PyArg_ParseTuple(args, "nO", &size, &address))
        return NULL;
    void *start = PyLong_AsVoidPtr(address);
    if (start == NULL && PyErr_Occurred())
        return NULL;
    munmap(start, (size_t)size);
    Py_RETURN_NONE;
}
