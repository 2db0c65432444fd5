"""How tests wait: on a condition, for as long as a machine may take that has much else to do."""

import asyncio
from collections.abc import Callable

WAIT_S = 60.0
"""Ends a test that has failed, and is never reached by one that has not: a machine at twenty times
its load takes some seconds for what is a matter of milliseconds, and an election of voters 20 s."""


async def eventually(
    condition: Callable[[], object], what: str = "", within_s: float = WAIT_S
) -> None:
    """Wait until a condition holds, looking every few milliseconds.

    Args:
        what: is said when it did not come to that; the condition's own line is shown anyway.
    """
    clock = asyncio.get_running_loop().time
    deadline_s = clock() + within_s
    while not condition():
        assert clock() < deadline_s, f"not within {within_s:g} s: {what or condition}"
        await asyncio.sleep(0.002)
