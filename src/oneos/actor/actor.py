"""An actor: state that only its own task touches, a mailbox, and an address.

Messages are handled one at a time and in order. A handler that has to wait for the log or for
another host returns an awaitable instead of waiting itself: the answer then follows when it is
there, and the next message is handled meanwhile. So an actor is never blocked by a slow disk, and
its state still needs no lock.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any

from oneos.actor.mailbox import Mailbox
from oneos.errors import NetworkError
from oneos.ids import Epoch, HostName
from oneos.limits import ANSWERS_PENDING_MAX


@dataclass(frozen=True, slots=True)
class Address:
    """Where an actor is: a host, its name there, and the epoch it was placed with."""

    host: HostName
    name: str
    epoch: Epoch

    def __str__(self) -> str:
        return f"{self.name}@{self.host}/{self.epoch}"


@dataclass(slots=True)
class Envelope:
    """A message, who sent it, and where the answer goes."""

    message: Any
    sender: HostName
    answer: asyncio.Future[Any] | None


class Actor:
    """Subclass it and give it `receive`. Run by a `Supervisor`, or by `run` in a test."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.mailbox: Mailbox[Envelope] = Mailbox(str(address))
        self._answers: set[asyncio.Task[None]] = set()
        self._room = asyncio.Semaphore(ANSWERS_PENDING_MAX)
        self._failure: asyncio.Future[None] | None = None

    async def start(self) -> None:
        """Called before the first message; raise to have the supervisor try again."""

    async def stop(self) -> None:
        """Called when the actor ends for whatever reason."""

    def receive(self, message: Any, sender: HostName) -> Any:
        """Handle one message; return the answer or an awaitable of it."""
        raise NotImplementedError

    async def ask(self, message: Any, sender: HostName) -> Any:
        """Send a message and wait for the answer; raises what the handler raised."""
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        await self.mailbox.put(Envelope(message, sender, answer))
        return await answer

    async def tell(self, message: Any, sender: HostName) -> None:
        """Send a message and wait only for room in the mailbox."""
        await self.mailbox.put(Envelope(message, sender, None))

    def fail(self, error: BaseException) -> None:
        """End this actor from one of its own tasks; the supervisor decides what follows."""
        if self._failure is not None and not self._failure.done():
            self._failure.set_exception(error)

    async def run(self) -> None:
        """Start, handle messages until cancelled or failed, stop."""
        self._failure = asyncio.get_running_loop().create_future()
        await self.start()
        loop = asyncio.ensure_future(self._handle_all())
        try:
            await asyncio.wait((loop, self._failure), return_when=asyncio.FIRST_COMPLETED)
            if self._failure.done():
                self._failure.result()
            loop.result()
        finally:
            loop.cancel()
            self._failure.cancel()
            for task in self._answers:
                task.cancel()
            for envelope in self.mailbox.close():
                if envelope.answer is not None and not envelope.answer.done():
                    envelope.answer.set_exception(NetworkError(f"{self.address} has stopped"))
            await self.stop()

    async def _handle_all(self) -> None:
        while True:
            envelope = await self.mailbox.get()
            try:
                outcome = self.receive(envelope.message, envelope.sender)
            except Exception as error:
                _deliver(envelope, error=error)
                continue
            if inspect.isawaitable(outcome):
                # The bound holds back the mailbox, and through it the senders.
                await self._room.acquire()
                task = asyncio.ensure_future(self._answer_later(envelope, outcome))
                self._answers.add(task)
                task.add_done_callback(self._answers.discard)
            else:
                _deliver(envelope, outcome)

    async def _answer_later(self, envelope: Envelope, outcome: Awaitable[Any]) -> None:
        try:
            _deliver(envelope, await outcome)
        except asyncio.CancelledError:
            _deliver(envelope, error=NetworkError(f"{self.address} has stopped"))
            raise
        except Exception as error:
            _deliver(envelope, error=error)
        finally:
            self._room.release()


def _deliver(envelope: Envelope, value: Any = None, *, error: BaseException | None = None) -> None:
    if envelope.answer is None or envelope.answer.done():
        return
    if error is not None:
        envelope.answer.set_exception(error)
    else:
        envelope.answer.set_result(value)
