"""Changes that are done once, however often they are asked for under one number.

A kernel gives the successor of a dead file process the requests again that were not answered; of a
change among them nobody there knows whether it was done. The outcome is remembered here, as a file
server remembers those of requests that a network may deliver twice (Juszczak, Improving the
Performance and Correctness of an NFS Server, USENIX Winter 1989).
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any

from oneos.limits import ONCE_MAX


class Once:
    """See the module."""

    def __init__(self) -> None:
        self._outcomes: OrderedDict[int, asyncio.Future[Any]] = OrderedDict()

    async def do(
        self,
        number: int,
        act: Callable[[], Awaitable[Any]],
        again: Callable[[Any], Awaitable[Any]],
    ) -> Any:
        """Do `act` if no change of that number was begun; else wait for its outcome.

        Args:
            again: makes of the outcome of an earlier one what is answered now.

        Raises:
            Exception: what `act` raised, then or now.
        """
        earlier = self._outcomes.get(number)
        if earlier is not None:
            return await again(await asyncio.shield(earlier))
        outcome = self._outcomes[number] = asyncio.get_running_loop().create_future()
        if len(self._outcomes) > ONCE_MAX:
            self._outcomes.popitem(last=False)
        try:
            result = await act()
        except asyncio.CancelledError:
            outcome.cancel()
            raise
        except BaseException as error:
            outcome.set_exception(error)
            # That nobody asks again is as it should be.
            outcome.exception()
            raise
        outcome.set_result(result)
        return result
