"""Waiting for what another thread does."""

import time
from collections.abc import Callable

from tests.support.waiting import WAIT_S


def until(condition: Callable[[], bool], timeout_s: float = WAIT_S) -> None:
    """Poll until a condition holds, or fail."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.005)
