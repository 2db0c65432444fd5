"""asyncio's futures and tasks: objects of C, which are made again as they were, of the same types.

Its loops, handles and queues are plain objects. What a thread has for its loop, and which task runs
in it, is set where the program goes on. The end of a step that was under way is left to the C code
that began it: `after.py` gives it what the coroutine has given.
"""

import gc
import sys
import types

import oneos_moving as native

from .owning import is_c_class
from .reasons import cannot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .frames import Record
    from .heap import Description, Heap

PENDING = 0
STEP, WAKEUP = "TaskStepMethWrapper", "task_wakeup"
"""What a loop calls for a task: C objects, which have a task."""


# --- while capturing ----------------------------------------------------------------------------
def describer(base: type) -> "Callable[[Heap, Any], Description] | None":
    """How the objects of a class of `_asyncio` are described; of others, None."""
    if not is_c_class(base) or base.__module__ not in ("_asyncio", "builtins"):
        return None
    return BY_NAME.get(base.__name__)


def describe_future(heap: "Heap", one: "Any") -> "Description":
    check_sizes()
    task = native.task_state(one) if isinstance(one, sys.modules["_asyncio"].Task) else None
    own = native.own_dict(one)
    state = (native.future_state(one), task, None if own is None else dict(own))
    return "future", (type(one),), 0, "fill_future", state


def check_sizes() -> None:
    module: Any = sys.modules["_asyncio"]
    future, task, _ = native.task_sizes()
    if (module.Future.__basicsize__, module.Task.__basicsize__) != (future, task):
        raise cannot("the futures of this interpreter's asyncio are not known")


def describe_iterator(heap: "Heap", one: "Any") -> "Description":
    """What `await` of a future waits with."""
    future: Any = sys.modules["_asyncio"].Future
    of = [held for held in gc.get_referents(one) if isinstance(held, future)]
    return "future_iterator", (of[0] if of else None,), 0


def describe_step(heap: "Heap", one: "Any") -> "Description":
    check_sizes()
    return "step", native.step_state(one), 0


BY_NAME = {
    "Future": describe_future,
    "Task": describe_future,
    "FutureIter": describe_iterator,
    STEP: describe_step,
}


def task_of(callback: "Any") -> "Any":
    """The task that a loop's callback begins a step of; None: it is another callback."""
    if type(callback).__name__ == STEP and is_c_class(type(callback)):
        return native.step_state(callback)[0]
    return callback.__self__ if is_wakeup(callback) else None


def is_wakeup(one: "Any") -> bool:
    module: Any = sys.modules.get("_asyncio")
    return (
        module is not None
        and type(one) is types.BuiltinFunctionType
        and one.__name__ == WAKEUP
        and isinstance(one.__self__, module.Task)
    )


def save() -> "dict[str, Any]":
    """What threads have for asynchronous code, by their numbers."""
    threads = {}
    for ident in sys._current_frames():
        loop, hooks = native.running_loop(ident), native.async_hooks(ident)
        if loop is not None or any(hooks):
            threads[ident] = loop, hooks
    events: Any = sys.modules.get("asyncio.events")
    wakeup = native.wakeup()
    if wakeup is None:  # Only a loop's is known, which has it for its handlers of signals.
        loops = [loop.__dict__ for loop, _ in threads.values() if hasattr(loop, "__dict__")]
        ends = [one["_csock"] for one in loops if one.get("_signal_handlers")]
        wakeup = ends[0].fileno() if ends else -1
    # It may be that these modules are being imported right now.
    executors: Any = sys.modules.get("concurrent.futures.thread")
    workers = getattr(executors, "_threads_queues", {})
    return {
        "wakeup": wakeup,
        "workers": list(workers.items()),
        "threads": threads,
        "policy": getattr(events, "_event_loop_policy", None),
    }


# --- where the program goes on ------------------------------------------------------------------
_threads: "dict[int, Any]" = {}


def load(state: "dict[str, Any]") -> None:
    if state["wakeup"] >= 0:
        import _signal

        _signal.set_wakeup_fd(state["wakeup"])
    if state["workers"]:
        from concurrent.futures import thread

        thread._threads_queues.update(state["workers"])  # type: ignore[attr-defined]
    _threads.clear()
    _threads.update(state["threads"])
    if state["policy"] is not None:
        import asyncio.events

        asyncio.events._event_loop_policy = state["policy"]  # type: ignore[attr-defined]


def enter(before: int, now: int, records: "list[Record]") -> None:
    """Have this thread run the loop and the task that it ran.

    Args:
        before: its number where the program was.
        now: the one that it has here.
    """
    loop, hooks = _threads.pop(before, (None, None))
    if hooks is not None:
        sys.set_asyncgen_hooks(*hooks[:2])
        sys.set_coroutine_origin_tracking_depth(hooks[2])
    if loop is not None:
        import _asyncio

        module: Any = _asyncio
        module._set_running_loop(loop)
        loop._thread_id = now
        for record in records:
            boundary = record.boundary
            if boundary is not None and boundary.kind == "task step":
                module._enter_task(native.future_state(boundary.extra[1])[0], boundary.extra[1])


def end_step(extra: "tuple[Any, Any]", how: int, value: "Any") -> "Any":
    """Have C deal with what a task's coroutine has raised, returned or yielded."""
    import _asyncio

    module: Any = _asyncio
    context, task = extra
    module._leave_task(native.future_state(task)[0], task)
    return context.run(native.finish_step, task, how, value, step(task, native.Nothing))


def future(kind: "Any") -> "Any":
    import _asyncio

    base: Any = _asyncio.Task if issubclass(kind, _asyncio.Task) else _asyncio.Future
    one = base.__new__(kind)
    # Without a loop it is not awaited; it gets its own later.
    nothing = native.Nothing
    native.set_future_state(one, (None, *[nothing] * 9, 0, 0, 0))
    return one


def fill_future(one: "Any", state: "tuple[Any, ...]") -> None:
    fields, task, own = state
    native.set_future_state(one, fields)
    for name, value in (own or {}).items():
        object.__setattr__(one, name, value)
    if task is not None:
        native.set_task_state(one, task)
        if fields[10] == PENDING:
            import _asyncio

            _asyncio._register_task(one)


def future_iterator(of: "Any") -> "Any":
    import _asyncio

    if of is not None:
        return _asyncio.Future.__await__(of)
    one: Any = future(_asyncio.Future).__await__()
    one.close()
    return one


def step(task: "Any", argument: "Any") -> "Any":
    return native.new_step(samples()[0], task, argument)


def wakeup(task: "Any") -> "Any":
    return native.like_builtin(samples()[1], task)


_samples: "list[Any]" = []


def samples() -> "list[Any]":
    """The type of a step, and a callable that wakes a task: of a task that waits for a future."""
    if not _samples:
        import _asyncio

        module: Any = _asyncio
        loop = SampleLoop()
        before = module._get_running_loop()
        module._set_running_loop(loop)
        try:
            one = module.Future(loop=loop)
            task = module.Task(wait_for(one), loop=loop, name="sample")
            begins = loop.called.pop()
            if type(begins).__basicsize__ != native.task_sizes()[2]:
                raise ValueError("the steps of this interpreter's asyncio are not known")
            begins()
            _samples.extend((type(begins), one._callbacks[0][0]))
            one.set_result(None)
            begins()
            module._unregister_task(task)
        finally:
            module._set_running_loop(before)
    return _samples


async def wait_for(one: "Any") -> None:
    await one


class SampleLoop:
    """As much of a loop as a task needs that takes one step."""

    def __init__(self) -> None:
        self.called: list[Any] = []

    def get_debug(self) -> bool:
        return False

    def call_soon(self, callback: "Any", *_: "Any", context: "Any" = None) -> None:
        self.called.append(callback)


HELPERS: "dict[str, Any]" = {
    one.__name__: one for one in (future, fill_future, future_iterator, step, wakeup)
}
