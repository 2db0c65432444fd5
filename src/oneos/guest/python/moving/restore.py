"""Going on with a captured program in a fresh interpreter.

The interpreter becomes the program: its descriptors, modules, objects and threads are made again,
and the main thread runs the saved frames to their end. Whatever can be missing here, such as a
package or a file, is found before the first instruction runs, so that the program can go on where
it was.
"""

import _thread
import gc
import sys

import oneos_moving as native

from . import clocks, entry, futures, rebuild, reopening, state
from .boundary import Boundary
from .capture import HASH_CHECK, code_hash
from .depth import SINCE_13
from .frames import Record
from .image import Image
from .owning import path_here

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class NotHere(Exception):
    """The program cannot go on in this interpreter; the text says what is different."""


def check(image: Image) -> None:
    """
    Raises:
        NotHere: this interpreter is not like the one that the program ran in.
    """
    import importlib.util

    magic = int.from_bytes(importlib.util.MAGIC_NUMBER[:2], "little")
    major, minor, wanted = image.facts["python"]
    if (major, minor) != sys.version_info[:2] or wanted != magic:
        here = f"{sys.version_info[0]}.{sys.version_info[1]}"
        raise NotHere(f"the program runs under Python {major}.{minor}, and this is {here}")
    if hash(HASH_CHECK) != image.facts["hash_check"]:
        raise NotHere("this interpreter was started with other hashes of strings")


def check_codes(image: Image) -> None:
    """
    Raises:
        NotHere: a function that is being run is another one here.
    """
    for module, name, wanted in image.facts["codes"]:
        try:
            function = rebuild.found(module, name)
        except (ImportError, AttributeError, KeyError) as error:
            raise NotHere(f"{module}.{name} is not here: {error}") from None
        code = getattr(function, "__code__", None)
        if code is None or code_hash(code) != wanted:
            raise NotHere(f"{module}.{name} has other code here")


class Restored:
    """A program that is in place, and has not gone on yet."""

    def __init__(self, image: Image, adapter: "Any") -> None:
        """
        Raises:
            NotHere: it cannot be put in place here.
        """
        check(image)
        sys.path[:] = path_here(image.facts["path"], image.facts["places"])
        check_codes(image)
        collecting = gc.isenabled()
        gc.disable()
        try:
            reopening.open_all(image.descriptors, adapter)
            clocks.go_on(image.facts["clocks"])
            self._threads = Threads()
            self._make(image)
        except (OSError, ValueError, TypeError, AttributeError, ImportError, KeyError) as error:
            raise NotHere(f"{type(error).__name__}: {error}") from error
        finally:
            if collecting:
                gc.enable()

    def _make(self, image: Image) -> None:
        starts = [one for one in image.facts["threads"] if not one[1]]
        rebuild.threads.clear()
        rebuild.local_dicts.clear()
        for ident, is_main, _ in image.facts["threads"]:
            if is_main:
                rebuild.threads[ident] = _thread.get_ident()
        for ident, _, daemon in starts:
            rebuild.threads[ident] = self._threads.start(ident, daemon)
        root = native.decode(image.heap, image.facts["objects"], image.buffers, rebuild.HELPERS)
        sys.modules.update(zip(root["names"], root["modules"], strict=True))
        for one in root["modules"]:
            if "__builtins__" not in one.__dict__:
                one.__dict__["__builtins__"] = sys.modules["builtins"]
        state.load(root["state"])
        collecting = root["state"]["collecting"]
        (gc.enable if collecting else gc.disable)()
        self.main: list[Record] = []
        for ident, is_main, context, written in root["threads"]:
            records = [record_from(one) for one in written]
            if is_main:
                self.main = records
                fill_context(context)
                rebuild.take_locals(ident)
                futures.enter(ident, _thread.get_ident(), records)
            else:
                self._threads.give(ident, records, context)
        self._threads.take_state(root["threading"])

    def run(self) -> "Any":
        """Go on: returns, or raises, what the program's outermost frame does."""
        self._threads.begin()
        records, self.main = self.main, []
        return entry.resume(records, self._threads.release)


class Threads:
    """The threads other than the main one: started early, since locks belong to them by number."""

    def __init__(self) -> None:
        self._doors: dict[int, Any] = {}
        self._work: dict[int, tuple[list[Record], Any]] = {}
        self._ready = _thread.allocate_lock()
        self._gate = _thread.allocate_lock()
        self._gate.acquire()
        self._objects: dict[int, Any] = {}

    def start(self, ident: int, daemon: bool) -> int:
        """Start one, which waits; answers its number here."""
        known: list[int] = []
        told = _thread.allocate_lock()
        told.acquire()
        door = self._doors[ident] = _thread.allocate_lock()
        door.acquire()

        def wait() -> None:
            known.append(_thread.get_ident())
            told.release()
            door.acquire()
            self._run(ident)

        module: Any = _thread
        if SINCE_13:
            handle = rebuild.handles[ident] = module._ThreadHandle()
            module.start_joinable_thread(wait, handle=handle, daemon=daemon)
        else:
            _thread.start_new_thread(wait, ())
        told.acquire()
        return known[0]

    def give(self, ident: int, records: list[Record], context: "Any") -> None:
        self._work[ident] = (records, context)

    def take_state(self, kept: "Any") -> None:
        """Put the threads' objects into the tables of `threading`."""
        if kept is None:
            return
        import threading

        module: Any = threading
        main = module._main_thread
        main._name = kept["name"]
        module._limbo.update((one, one) for one in kept["limbo"])
        active = {before: one for before, one in kept["threads"] if one is not main}
        for before in self._doors:
            one = active.get(before) or self._starting(before, module.Thread)
            if one is None:
                continue
            self._objects[before] = one
            now = rebuild.threads[before]
            one._ident = now
            if before in active:
                module._active[now] = one
            module._dangling.add(one)
            lock = getattr(one, "_tstate_lock", None)
            if lock is not None and not one._daemonic and hasattr(module, "_shutdown_locks"):
                module._shutdown_locks.add(lock)

    def _starting(self, ident: int, kind: type) -> "Any":
        """The object of a thread that knows its number, and is not in the table yet."""
        records, _ = self._work.get(ident, ((), None))
        for record in records:
            for one in record.slots:
                if isinstance(one, kind) and one._ident == ident:  # type: ignore[attr-defined]
                    return one
        return None

    def begin(self) -> None:
        """Restore the frames of each thread, one after the other; they wait before they go on."""
        for ident, door in self._doors.items():
            if ident not in self._work:
                continue
            self._ready.acquire()
            door.release()
            self._ready.acquire()  # Its frames are in place.
            self._ready.release()

    def release(self) -> None:
        """Let all go on: called when the main thread's frames are in place too."""
        self._gate.release()

    def _run(self, ident: int) -> None:
        records, context = self._work.pop(ident)
        fill_context(context)
        rebuild.take_locals(ident)
        futures.enter(ident, _thread.get_ident(), records)

        def ready() -> None:
            self._ready.release()
            self._gate.acquire()
            self._gate.release()

        one = self._objects.pop(ident, None)
        if one is not None:
            one._native_id = _thread.get_native_id()
        lock = getattr(one, "_tstate_lock", None)
        try:
            entry.resume(records, ready)
        except SystemExit:
            pass
        finally:
            if lock is not None and lock.locked():
                lock.release()


def fill_context(items: "Any") -> None:
    for variable, value in items or ():
        variable.set(value)


def record_from(written: "tuple[Any, ...]") -> Record:
    record = Record()
    record.code, record.function, record.generator, record.globals, *rest = written
    record.space, record.closure, record.slots, record.index, record.handled, *rest = rest
    boundary, record.works, link, record.frame = rest
    if record.code is None:
        record.code = record.function.__code__
    if getattr(record.function, "__module__", None) == "threading":
        record.slots = [renumbered(one) for one in record.slots]
    record.boundary = None if boundary is None else Boundary(*boundary)
    record.link = None if link is None else Boundary(*link)
    return record


def renumbered(value: "Any") -> "Any":
    """Threads by their numbers here: a wait for a condition keeps its lock's owner so."""
    if type(value) is int:
        return rebuild.threads.get(value, value)
    if type(value) is tuple and len(value) == 2 and type(value[1]) is int:
        return value[0], rebuild.threads.get(value[1], value[1])
    return value


def restore(image: Image, adapter: "Any" = None) -> Restored:
    """Put a program in place in this interpreter, which has run nothing else.

    Args:
        adapter: as `reopening.ByPath`: how the descriptors are opened.

    Returns:
        The program: `run` has it go on.

    Raises:
        NotHere: it cannot go on here; this interpreter is of no use any more.
    """
    return Restored(image, adapter or reopening.ByPath())
