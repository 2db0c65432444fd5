"""Taking the image of the running program, and the refusal where it cannot be taken.

Runs in a thread that is not the program's. The threads are brought to a stand, their frames are
recorded, and all that can be reached from them is written; then they go on, or the process ends.
The program is only looked at: whatever is in the way, it goes on as if nobody had asked.
"""

import _thread
import gc
import hashlib
import importlib.util
import marshal
import os
import sys
import time
import types

import oneos_moving as native

from . import clocks, files, state
from .frames import Record, walk
from .heap import Heap
from .image import Image
from .kinds import note_codes
from .owning import PLACES, Owning
from .reaching import has_child, way_to
from .reasons import NotSafe, cannot
from .reopening import ByPath
from .stopping import Stopped, still_stand, stop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

STOP_S = 0.25
"""How long one attempt waits for threads to stand: so long they would stand at most."""

PAUSE_FIRST_S, PAUSE_MAX_S = 0.002, 0.05
"""Between attempts; the program runs meanwhile."""

STEPS_SKIPPED_MAX = 300

HASH_CHECK = "OneOS"
"""A text whose hash shows that two interpreters hash alike."""

SWITCH_S = 1000.0
"""While an image is taken nobody else is to be given the interpreter's lock."""


class Held:
    """The program's threads, standing, after their image was taken."""

    def __init__(self, image: Image) -> None:
        self.image = image

    def go_on(self) -> None:
        """Have the program run on here."""
        native.disarm()


def capture(
    deadline_s: float,
    adapter: "Any" = None,
    ignored: "frozenset[int]" = frozenset(),
    steps: int = -1,
    armed: bool = False,
) -> Held:
    """Take the image of the program.

    Args:
        deadline_s: how long a moment is looked for at which the program can move.
        adapter: as `reopening.ByPath`: which descriptors can be opened again.
        ignored: threads that are not the program's; the caller's own needs no mention.
        steps: for tests: let the program do so many instructions first.
        armed: for tests: the threads have been told already when to stop.

    Returns:
        The image. The threads stand, until `go_on` or the end of the process.

    Raises:
        NotSafe: the program cannot move now, or not at all; it runs on.
    """
    adapter = adapter or ByPath()
    ends = time.monotonic() + deadline_s
    pause = PAUSE_FIRST_S
    skipped = 0
    native.watch(True)
    try:
        while True:
            try:
                return attempt(min(ends, time.monotonic() + STOP_S), adapter, ignored, steps, armed)
            except NotSafe as error:
                if not error.later or time.monotonic() >= ends:
                    raise
            armed = False
            if steps < 0:
                time.sleep(min(pause, max(0.0, ends - time.monotonic())))
                pause = min(PAUSE_MAX_S, pause * 2)
            else:
                # The next instruction may do; imports are many instructions long.
                steps, skipped = skipped, min(STEPS_SKIPPED_MAX, skipped * 2 + 1)
    finally:
        native.watch(False)


def attempt(
    ends: float, adapter: "Any", ignored: "frozenset[int]", steps: int, armed: bool
) -> Held:
    held = False
    try:
        stopped = stop(ends, ignored, steps, armed)
        image = undisturbed(stopped, adapter)
        if not still_stand(stopped, ignored):
            raise NotSafe("a wait has ended meanwhile")
        held = True
        return Held(image)
    finally:
        if not held:
            native.disarm()


def undisturbed(stopped: list[Stopped], adapter: "Any") -> Image:
    """Take the image with nothing else running: no other thread, no collector, no warning."""
    warnings: Any = sys.modules.get("warnings")
    interval = sys.getswitchinterval()
    collecting = gc.isenabled()
    kept = state.save()
    kept["sys"]["switch"] = interval
    native.quiet(True)
    gc.disable()
    sys.setswitchinterval(SWITCH_S)
    filters = list(warnings.filters) if warnings else None
    try:
        if warnings:
            # The reductions of iterators warn that they will go.
            warnings.filters[:] = [("ignore", None, Warning, None, 0)]
            warnings._filters_mutated()
        return take(stopped, adapter, kept, collecting)
    except NotSafe:
        raise
    except (MemoryError, RecursionError, OSError) as error:
        raise NotSafe(f"the image cannot be taken: {error!r}") from error
    finally:
        if warnings:
            warnings.filters[:] = filters
            warnings._filters_mutated()
        sys.setswitchinterval(interval)
        if collecting:
            gc.enable()
        native.quiet(False)


def take(stopped: list[Stopped], adapter: "Any", kept: "dict[str, Any]", collecting: bool) -> Image:
    if native.hash_seed() is None:
        raise cannot("the program was started with random hashes of strings (PYTHONHASHSEED)")
    running: dict[int, Any] = {}
    threads = []
    main = main_ident(stopped)
    kept["collecting"] = collecting
    for one in stopped:
        records, frames = walk(one.frame, one.ident, one.wait, one.ident == main)
        for record, frame in zip(records, frames, strict=True):
            running[id(frame)] = record
            if record.generator is not None:
                running[id(record.generator)] = record
        written = [written_record(r, f) for r, f in zip(records, frames, strict=True)]
        threads.append((one.ident, one.ident == main, context_of(one.ident), written))
    owning = Owning()
    heap = Heap(owning, running)
    try:
        return image_of(stopped, adapter, kept, heap, threads, main)
    except NotSafe as error:
        way = way_to(error.wanted, owning, stopped) if error.wanted is not None else ""
        if way:
            raise NotSafe(f"{error.reason}: it is {way}", error.later) from None
        raise


def image_of(
    stopped: list[Stopped],
    adapter: "Any",
    kept: "dict[str, Any]",
    heap: Heap,
    threads: "list[Any]",
    main: int,
) -> Image:
    """
    Raises:
        NotSafe: an object of the program cannot move, or it has children.
    """
    owning, running = heap.owning, heap.running
    check_children()
    codes = dict(codes_of(owning, running))
    for code in codes.values():
        note_codes(heap, code)
    # What comes later counts, where an object is in both.
    specials = owning.specials() + files.standard_specials()
    root = {
        # Locks of the standard library that a thread which stands holds.
        "held": [one for one, how in specials if isinstance(how, tuple) and "hold" in how[3:4]],
        "modules": list(owning.modules.values()),
        "names": list(owning.modules),
        "spaces": [one.__dict__ for one in owning.modules.values()],
        "threads": threads,
        "state": kept,
        "streams": [getattr(sys, name) for name in ("__stdin__", "__stdout__", "__stderr__")],
        "threading": threading_state(),
    }
    raw, buffers, count = native.encode(root, heap.describe, heap.is_plain, specials)
    descriptors = heap.files.open_now(adapter.ignored)
    files.check_descriptors(descriptors, adapter.takes)
    facts = {
        "python": [
            *sys.version_info[:2],
            int.from_bytes(importlib.util.MAGIC_NUMBER[:2], "little"),
        ],
        "hash_seed": native.hash_seed(),
        "hash_check": hash(HASH_CHECK),
        "objects": count,
        "codes": [[*name, code_hash(code)] for name, code in codes.items() if name[0] is not None],
        "path": list(map(str, sys.path)),
        "places": PLACES,
        "clocks": clocks.read(),
        "threads": [[one.ident, one.ident == main, is_daemon(one.ident)] for one in stopped],
    }
    return Image(facts, descriptors, raw, buffers)


def written_record(record: Record, frame: "Any") -> "tuple[Any, ...]":
    boundary, link = record.boundary, record.link
    function = record.function
    # The code of a function that is found there is found there too.
    code = None if getattr(function, "__code__", None) is record.code else record.code
    return (
        *(code, record.function, record.generator, record.globals, record.space),
        *(record.closure, record.slots, record.index, record.handled),
        None if boundary is None else (boundary.kind, boundary.next, boundary.extra),
        record.works,
        None if link is None else (link.kind, link.next, link.extra),
        frame,
    )


def codes_of(
    owning: Owning, running: "dict[int, Any]"
) -> "Iterator[tuple[tuple[str, str], types.CodeType]]":
    """Code of frames whose function is found where the program goes on: it has to be the same."""
    for record in running.values():
        function = record.function
        if isinstance(function, types.FunctionType):
            found = owning.name_found(function, function.__qualname__)
            if found is not None:
                yield found, function.__code__


def code_hash(code: types.CodeType) -> str:
    """The same for the same code on every CPU, wherever its file lies."""
    return hashlib.sha256(marshal.dumps(without_places(code))).hexdigest()[:32]


def without_places(code: types.CodeType) -> "tuple[Any, ...]":
    constants = tuple(
        without_places(one) if isinstance(one, types.CodeType) else repr(one)
        for one in code.co_consts
        if not isinstance(one, frozenset)  # Their order is any.
    )
    return code.co_code, constants, code.co_names, code.co_varnames, code.co_exceptiontable


def main_ident(stopped: list[Stopped]) -> int:
    threading: Any = sys.modules.get("threading")
    if threading is not None:
        ident = threading.main_thread().ident
        if ident is not None:
            return int(ident)
    return (
        int(_thread._get_main_thread_ident())
        if hasattr(_thread, "_get_main_thread_ident")
        else stopped[0].ident
    )


def context_of(ident: int) -> "Any":
    context = native.context(ident)
    return None if context is None else list(context.items())


def threading_state() -> "Any":
    """The threads' own objects; their table is made again with the threads."""
    threading: Any = sys.modules.get("threading")
    if threading is None:
        return None
    return {
        "threads": list(threading._active.items()),
        # Those that are starting, and have not said so themselves yet.
        "limbo": list(threading._limbo.values()),
        "name": threading._main_thread._name,
    }


def is_daemon(ident: int) -> bool:
    threading: Any = sys.modules.get("threading")
    one = threading._active.get(ident) if threading else None
    return bool(one is None or one._daemonic)


def check_children() -> None:
    """Refuse a program that has children: they would not be its own elsewhere."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return
    pids: set[int] = set()
    for thread in os.listdir("/proc/self/task"):
        try:
            with open(f"/proc/self/task/{thread}/children") as file:
                pids.update(map(int, file.read().split()))
        except (OSError, ValueError):
            pass  # The kernel does not say, or the thread has ended.
    raise cannot("the program has a child process", has_child(pids))
