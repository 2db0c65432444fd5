"""Blocking work that takes as long as another host does, in a thread of its own.

The event loop's own threads are few: if all of two hosts' waited for each other, both would stand.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def in_own_thread(
    stop: Callable[[], None], call: Callable[P, T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """Run a blocking call in a new thread. When the task is cancelled the call ends first.

    Args:
        stop: has the call end soon, with an error.
    """
    thread = ThreadPoolExecutor(1, thread_name_prefix=getattr(call, "__name__", "call"))
    work = asyncio.wrap_future(thread.submit(call, *args, **kwargs))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        stop()
        await asyncio.wait([work])
        if not work.cancelled():
            work.exception()
        raise
    finally:
        thread.shutdown(wait=False)
