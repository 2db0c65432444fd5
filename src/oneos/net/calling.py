"""The end of a link that calls: sends calls, and matches answers to them by their ids.

It decides what a caller learns when a link ends: a call that was not sent yet may be made again on
another link, one that was sent is Unknown. A caller that gives up tells the other end, so that no
handler works for nobody.
"""

import asyncio
import errno
from typing import Any

import msgspec

from oneos.errors import InternalError, NetworkError, OneOSError, Unknown
from oneos.limits import CALLS_IN_FLIGHT_MAX
from oneos.net.frames import (
    Call,
    Cancel,
    Failure,
    Frame,
    Heartbeat,
    Hello,
    Reply,
    encode,
    error_of,
)
from oneos.net.link import LinkProtocol
from oneos.unreadable import UNREADABLE

_encode_body = msgspec.msgpack.Encoder().encode


class NotSent(Exception):
    """The link ended before the call went out: it may be made again on another link."""


class CallingEnd(LinkProtocol):
    """The end that calls: matches answers to calls by their ids.

    Args:
        who: the other end, for messages.
        in_flight_max: unanswered calls; further ones wait.
    """

    def __init__(self, who: str, in_flight_max: int = CALLS_IN_FLIGHT_MAX) -> None:
        super().__init__(who)
        self.hello: asyncio.Future[Hello] = self.loop.create_future()
        self._slots = asyncio.Semaphore(in_flight_max)
        self._waiting: dict[int, tuple[asyncio.Future[Any], msgspec.msgpack.Decoder[Any]]] = {}
        self._last_id = 0

    async def call(
        self,
        method: str,
        argument: Any,
        decoder: msgspec.msgpack.Decoder[Any],
        timeout_s: float | None,
    ) -> Any:
        """Call and wait for the answer.

        Raises:
            NotSent: the link ended before the call went out.
            Unknown: the link broke, or the time was over, after it went out.
            OneOSError: what the handler raised.
        """
        deadline_s = None if timeout_s is None else self.loop.time() + timeout_s
        body = msgspec.Raw(_encode_body(argument))
        if self._slots.locked():
            await self._slot_until(deadline_s, method)
        else:
            await self._slots.acquire()
        call_id = 0
        timer: asyncio.TimerHandle | None = None
        try:
            while not self.writable:
                await self._drain_until(deadline_s, method)
            if self.error is not None:
                raise NotSent
            call_id = self._last_id = self._last_id + 1
            frame = encode(Call(call_id, method, body))
            future: asyncio.Future[Any] = self.loop.create_future()
            self._waiting[call_id] = (future, decoder)
            self.send_raw(frame)
            if deadline_s is not None:
                timer = self.loop.call_at(deadline_s, self._expire, call_id, method, timeout_s)
            return await future
        except asyncio.CancelledError:
            self._give_up(call_id)
            raise
        finally:
            self._slots.release()
            if timer is not None:
                timer.cancel()

    @property
    def in_flight(self) -> int:
        """Calls that were sent and are not answered."""
        return len(self._waiting)

    def frame_received(self, frame: Frame, length: int) -> None:
        match frame:
            case Reply(call_id, body):
                future, decoder = self._waiting.pop(call_id, (None, None))
                # None: we gave that call up, and its answer crossed our Cancel.
                if future is None or decoder is None or future.done():
                    return
                try:
                    future.set_result(decoder.decode(body))
                except UNREADABLE as error:
                    future.set_exception(
                        InternalError(
                            f"the answer of {self.who} is wrong: {error}",
                            hint="are all hosts on the same version of OneOS?",
                        )
                    )
            case Failure(call_id):
                future, _ = self._waiting.pop(call_id, (None, None))
                if future is not None and not future.done():
                    future.set_exception(error_of(frame))
            case Heartbeat():
                pass
            case Hello():
                if not self.hello.done():
                    self.hello.set_result(frame)
            case _:
                raise NetworkError(
                    f"{self.who} sent a {type(frame).__name__} to a caller", errno=errno.EPROTO
                )

    def link_lost(self, error: OneOSError) -> None:
        if not self.hello.done():
            # asyncio's TLS closes without the alert that would say why.
            if not error.hint:
                error.hint = "if this goes on: it may refuse our certificate; see the log there"
            self.hello.set_exception(error)
            # Nobody may be waiting for it: the dial can have been cancelled.
            self.hello.exception()
        waiting, self._waiting = self._waiting, {}
        for future, _ in waiting.values():
            if not future.done():
                future.set_exception(
                    Unknown(
                        f"{error.message}; whether it still did what it was asked is not known",
                        hint="look before you repeat it",
                    )
                )

    async def _slot_until(self, deadline_s: float | None, method: str) -> None:
        try:
            async with asyncio.timeout_at(deadline_s):
                await self._slots.acquire()
        except TimeoutError:
            raise NetworkError(
                f"{self.who} is too busy: {method} was not sent", errno=errno.ETIMEDOUT
            ) from None

    async def _drain_until(self, deadline_s: float | None, method: str) -> None:
        try:
            async with asyncio.timeout_at(deadline_s):
                await self.drain()
        except TimeoutError:
            raise NetworkError(
                f"{self.who} takes no data: {method} was not sent", errno=errno.ETIMEDOUT
            ) from None

    def _expire(self, call_id: int, method: str, timeout_s: float | None) -> None:
        future, _ = self._waiting.get(call_id, (None, None))
        self._give_up(call_id)
        if future is not None and not future.done():
            future.set_exception(
                Unknown(
                    f"{self.who} did not answer {method} within {timeout_s:g} s",
                    errno=errno.ETIMEDOUT,
                    hint="whether it still did it is not known: look before you repeat it",
                )
            )

    def _give_up(self, call_id: int) -> None:
        if self._waiting.pop(call_id, None) is not None:
            self.send(Cancel(call_id))
