"""One-for-one supervision: an actor that fails is started anew, the others go on.

The rule is OTP's: more than `restarts_max` restarts within `window_s` mean that starting again
does not help, and the supervisor gives that actor up and tells its owner. Restarts wait a little
longer each time, so that a broken actor does not take a core for itself.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from oneos.actor.actor import Actor
from oneos.limits import RESTART_WAIT_FIRST_S, RESTART_WAIT_MAX_S

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """When to start again: "always", "on-failure" (not after a clean end) or "never"."""

    restart: str = "always"
    restarts_max: int = 5
    window_s: float = 60.0


@dataclass(slots=True)
class _Child:
    make: Callable[[], Actor]
    policy: RestartPolicy
    task: asyncio.Task[None] | None = None
    actor: Actor | None = None
    state: str = "starting"
    restarts: deque[float] = field(default_factory=deque)


class Supervisor:
    """Keeps a set of named actors running.

    Args:
        gave_up: called with a name and its last error when an actor is given up.
    """

    def __init__(self, gave_up: Callable[[str, BaseException | None], None]) -> None:
        self._children: dict[str, _Child] = {}
        self._gave_up = gave_up

    def add(self, name: str, make: Callable[[], Actor], policy: RestartPolicy) -> None:
        """Start an actor under a name that is free; `make` is called for each start."""
        if name in self._children:
            raise ValueError(f"an actor named {name} is supervised already")
        child = _Child(make, policy)
        self._children[name] = child
        child.task = asyncio.create_task(self._keep(name, child), name=f"actor {name}")

    async def remove(self, name: str) -> None:
        """Stop an actor and forget it; nothing happens if there is none of that name."""
        child = self._children.pop(name, None)
        if child is not None and child.task is not None:
            child.task.cancel()
            await asyncio.wait((child.task,))

    async def close(self) -> None:
        """Stop all, the newest first, since the newer ones may use the older."""
        for name in reversed(list(self._children)):
            await self.remove(name)

    def get(self, name: str) -> Actor | None:
        """The running actor of that name."""
        child = self._children.get(name)
        return child.actor if child is not None and child.state == "running" else None

    def states(self) -> dict[str, str]:
        """Name to "starting", "running", "waiting" (to start again) or "failed"."""
        return {name: child.state for name, child in self._children.items()}

    async def _keep(self, name: str, child: _Child) -> None:
        clock = asyncio.get_running_loop().time
        wait_s = RESTART_WAIT_FIRST_S
        while True:
            error: BaseException | None = None
            began = clock()
            try:
                child.actor = child.make()
                child.state = "running"
                await child.actor.run()
            except asyncio.CancelledError as cancelled:
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise
                # Not we are to end: something the actor waited for was cancelled under it.
                error = cancelled
                log.warning("%s failed: what it waited for was cancelled", name)
            except Exception as failure:
                error = failure
                log.warning("%s failed: %s", name, failure, exc_info=failure)
            child.actor = None
            if child.policy.restart == "never" or (
                child.policy.restart == "on-failure" and error is None
            ):
                child.state = "failed" if error else "ended"
                return
            now = clock()
            child.restarts.append(now)
            while child.restarts and child.restarts[0] < now - child.policy.window_s:
                child.restarts.popleft()
            if len(child.restarts) > child.policy.restarts_max:
                child.state = "failed"
                self._gave_up(name, error)
                return
            child.state = "waiting"
            if now - began > child.policy.window_s:
                wait_s = RESTART_WAIT_FIRST_S
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, RESTART_WAIT_MAX_S)
