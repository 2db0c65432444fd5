"""No test here may leave a descriptor open: it would be one leaked for each such request."""

import gc
from collections.abc import AsyncIterator

import pytest

from tests.support.descriptors import open_ends
from tests.support.waiting import eventually


@pytest.fixture
async def no_leak() -> AsyncIterator[None]:
    """Compare the open pipes and sockets before and after the test, fixtures included."""
    before = open_ends(sockets=True)
    yield
    # What was closed in this turn of the loop is gone with one of the next.
    await eventually(lambda: not new_ends(before) or (not gc.collect() and not new_ends(before)))


def new_ends(before: set[str]) -> set[str]:
    return {x for x in open_ends(sockets=True) - before if "socket" in x or "pipe" in x}
