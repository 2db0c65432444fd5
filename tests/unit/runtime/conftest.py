"""No test here may leave a descriptor open: it would be one leaked for each such request."""

import asyncio
import gc
import os
from collections.abc import Iterator

import pytest


def descriptors() -> set[str]:
    found = set()
    for fd in os.listdir("/proc/self/fd"):
        try:
            found.add(f"{fd} {os.readlink(f'/proc/self/fd/{fd}')}")
        except FileNotFoundError:
            pass
    return found


@pytest.fixture
def no_leak(event_loop_policy: asyncio.AbstractEventLoopPolicy) -> Iterator[None]:
    """Compare the open descriptors before and after the test, fixtures included."""
    before = {x for x in descriptors() if "eventpoll" not in x}
    yield
    gc.collect()
    after = {x for x in descriptors() if "eventpoll" not in x and "eventfd" not in x}
    assert not {x for x in after - before if "socket" in x or "pipe" in x}
