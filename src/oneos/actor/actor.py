"""An actor: state that only its own task touches, a mailbox, and an address.

Messages are handled one at a time and in order. A handler that has to wait for the log or for
another host returns an awaitable instead of waiting itself: the answer then follows when it is
there, and the next message is handled meanwhile. So an actor is never blocked by a slow disk, and
its state still needs no lock. A message that finds nothing before it is handled at once, in the
turn of whoever sends it: that saves two changes of task.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any

from oneos.actor.mailbox import Mailbox
from oneos.errors import NetworkError, Unknown
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
        self._answers: dict[asyncio.Future[Any], Envelope] = {}
        self._failure: asyncio.Future[None] | None = None
        self._taking = False

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
        envelope = Envelope(message, sender, answer)
        if not self._free:
            await self.mailbox.put(envelope)
            return await answer
        outcome = self.receive(message, sender)
        if not inspect.isawaitable(outcome):
            return outcome
        self._owe(envelope, outcome)
        return await answer

    @property
    def _free(self) -> bool:
        """Whether nothing is before the next message. The last within the bound goes by the
        mailbox, whose reader then holds it back."""
        return self._taking and not self.mailbox and len(self._answers) < ANSWERS_PENDING_MAX - 1

    async def tell(self, message: Any, sender: HostName) -> None:
        """Send a message and wait only for room in the mailbox."""
        await self.mailbox.put(Envelope(message, sender, None))

    def fail(self, error: BaseException) -> None:
        """End this actor from one of its own tasks; the supervisor decides what follows."""
        if self._failure is not None and not self._failure.done():
            self._failure.set_exception(error)

    async def run(self) -> None:
        """Start, handle messages until cancelled or failed, stop.

        However it ends, also in the middle of the start: every message that came is answered, if
        only by an error, and `stop` is called.
        """
        self._failure = asyncio.get_running_loop().create_future()
        handling: asyncio.Task[None] | None = None
        try:
            await self.start()
            handling = asyncio.create_task(self._handle_all(), name=f"handle {self.address}")
            self._taking = True
            await asyncio.wait((handling, self._failure), return_when=asyncio.FIRST_COMPLETED)
            if self._failure.done():
                self._failure.result()
            handling.result()
        finally:
            self._taking = False
            if handling is not None:
                handling.cancel()
            self._failure.cancel()
            for envelope in self.mailbox.close():
                _deliver(envelope, error=NetworkError(f"{self.address} has stopped"))
            for answer in list(self._answers):
                answer.cancel()
            await self.stop()

    async def _handle_all(self) -> None:
        while True:
            envelope = await self.mailbox.get()
            try:
                outcome = self.receive(envelope.message, envelope.sender)
            except Exception as error:
                _deliver(envelope, error=error)
                continue
            if not inspect.isawaitable(outcome):
                _deliver(envelope, outcome)
                continue
            self._owe(envelope, outcome)
            if len(self._answers) >= ANSWERS_PENDING_MAX:
                # The bound holds back the mailbox, and through it the senders.
                await asyncio.wait(list(self._answers), return_when=asyncio.FIRST_COMPLETED)

    def _owe(self, envelope: Envelope, outcome: Awaitable[Any]) -> None:
        answer = asyncio.ensure_future(outcome)
        self._answers[answer] = envelope
        answer.add_done_callback(self._answered)

    def _answered(self, answer: asyncio.Future[Any]) -> None:
        envelope = self._answers.pop(answer)
        if answer.cancelled():
            # It had begun: whether it was done, nobody can say any more.
            error = Unknown(f"{self.address} has stopped; the request may have been done")
            _deliver(envelope, error=error)
        elif (failure := answer.exception()) is not None:
            _deliver(envelope, error=failure)
        else:
            _deliver(envelope, answer.result())


def _deliver(envelope: Envelope, value: Any = None, *, error: BaseException | None = None) -> None:
    if envelope.answer is None or envelope.answer.done():
        return
    if error is not None:
        envelope.answer.set_exception(error)
    else:
        envelope.answer.set_result(value)
