"""The checks that people wait for (`check.py`): one at a time, given up when nobody asks any more.

Whoever begins one chooses its name and asks how far it is, so that neither a lost answer nor a
check of hours needs a call that lasts as long.
"""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import Callable

from oneos.errors import OneOSError, UserError
from oneos.kernel import messages as m
from oneos.kernel.check import Check
from oneos.limits import CHECK_IDLE_S

log = logging.getLogger(__name__)


class Checks:
    """See the module.

    Args:
        make: makes the check that was asked for.
    """

    def __init__(self, make: Callable[[m.CheckBegin], Check]) -> None:
        self._make = make
        self._name = ""
        self._check: Check | None = None
        self._task: asyncio.Task[None] | None = None
        self._asked_s = 0.0

    def receive(self, message: m.CheckBegin | m.CheckLook | m.CheckEnd) -> m.CheckState | None:
        """Begin, look or end.

        Raises:
            UserError: EBUSY for a second check, ESRCH for one that is not known here: the service
                has moved, or nobody had asked for long.
        """
        self._asked_s = asyncio.get_running_loop().time()
        if isinstance(message, m.CheckBegin):
            self._begin(message)
            return None
        if self._check is None or message.name != self._name:
            raise UserError(
                "the check was broken off", errno=errno.ESRCH, hint="run it again: oneos fsck"
            )
        if isinstance(message, m.CheckEnd):
            self.stop()
            return None
        return self._check.state(message.after)

    def _begin(self, message: m.CheckBegin) -> None:
        if message.name == self._name:
            # The answer to the first of these was lost.
            return
        if self._check is not None and not self._check.over:
            raise UserError(
                "another check goes on", errno=errno.EBUSY, hint="wait for the other oneos fsck"
            )
        self.stop()
        self._name, self._check = message.name, self._make(message)
        self._task = asyncio.create_task(self._run(self._check), name="check")

    async def _run(self, check: Check) -> None:
        work = asyncio.create_task(check.run(), name="check itself")
        try:
            while not work.done():
                idle_s = asyncio.get_running_loop().time() - self._asked_s
                if idle_s >= CHECK_IDLE_S:
                    raise UserError("nobody asked how far the check is")
                await asyncio.wait([work], timeout=CHECK_IDLE_S - idle_s)
            work.result()
        except OneOSError as error:
            check.error = str(error)
        except Exception as error:
            log.error("a check failed: %s", error, exc_info=error)
            check.error = f"{type(error).__name__}: {error}"
        finally:
            work.cancel()
            check.over = True

    def stop(self) -> None:
        """End the check that goes on, if one does."""
        if self._task is not None:
            self._task.cancel()
        self._name, self._check, self._task = "", None, None
