"""One link's two ends: framing, heartbeats, back-pressure, calls out and calls in.

`LinkProtocol` is what both ends share: frames in and out, a heartbeat, and giving up on an end that
is silent. `CallingEnd` sends calls and matches answers; `ServingEnd` runs handlers. Heartbeats go
one way each and are never answered, so an end that stopped reading because its handlers are busy
still shows that it lives. Dialling and accepting are left to `links` and `server`.
"""

import asyncio
import errno
import logging
import ssl
from collections.abc import Callable
from typing import Any, cast

import msgspec

from oneos.errors import InternalError, NetworkError, OneOSError, Unknown
from oneos.limits import (
    CALLS_IN_FLIGHT_MAX,
    FRAME_BYTES_MAX,
    HANDLING_BYTES_MAX,
    LINK_HEARTBEAT_S,
    LINK_SILENCE_S,
    LINK_WRITE_BYTES_HIGH,
)
from oneos.net.frames import (
    Call,
    Cancel,
    Failure,
    Frame,
    FrameAssembler,
    Heartbeat,
    Hello,
    Reply,
    decode,
    encode,
    error_of,
    failure_of,
)
from oneos.net.routes import Handler, Peer, Routes, answer
from oneos.net.tls import refused

log = logging.getLogger(__name__)

_heartbeat = bytes(encode(Heartbeat()))
_encode_body = msgspec.msgpack.Encoder().encode


class LinkProtocol(asyncio.BufferedProtocol):
    """Frames over one TLS connection.

    Args:
        who: the other end, for messages.
        frame_bytes_max: the longest frame the other end may send.
    """

    def __init__(self, who: str, frame_bytes_max: int = FRAME_BYTES_MAX) -> None:
        self.who = who
        self.loop = asyncio.get_running_loop()
        self.closed: asyncio.Future[None] = self.loop.create_future()
        self.error: OneOSError | None = None
        self.bytes_in = 0
        self.bytes_out = 0
        self._transport: asyncio.Transport | None = None
        self._assembler = FrameAssembler(self._frame, frame_bytes_max)
        self._writable = asyncio.Event()
        self._writable.set()
        self._reading = True
        self._received = False
        self._heard_s = 0.0
        self._ticked_s = 0.0
        self._timer: asyncio.TimerHandle | None = None

    # What a subclass does with what happens on the link.

    def frame_received(self, frame: Frame, length: int) -> None:
        """A whole frame has arrived. What it raises ends the link."""
        raise NotImplementedError

    def link_lost(self, error: OneOSError) -> None:
        """The link has ended; nothing can be sent any more."""
        raise NotImplementedError

    def writing_changed(self) -> None:
        """The other end takes our bytes too slowly, or again fast enough: see `writable`."""

    # Sending.

    @property
    def writable(self) -> bool:
        """Whether less than LINK_WRITE_BYTES_HIGH waits to be sent."""
        return self._writable.is_set()

    async def drain(self) -> None:
        """Wait until the link is `writable`, or has ended."""
        await self._writable.wait()

    def send_raw(self, data: bytes | bytearray) -> None:
        """Send an encoded frame; a link that has ended swallows it."""
        if self._transport is None or self.error is not None:
            return
        self.bytes_out += len(data)
        self._transport.write(data)

    def send(self, frame: Frame) -> None:
        """Send a frame. Raises as `encode`."""
        self.send_raw(encode(frame))

    def close(self, error: OneOSError | None = None) -> None:
        """End the link at once; what is in flight fails with `error`."""
        if self.error is None:
            self.error = error or NetworkError(f"the link to {self.who} was closed")
        if self._transport is not None:
            self._transport.abort()

    def pause_reading(self, paused: bool) -> None:
        """Stop or go on taking frames: how an end makes the other wait."""
        transport = self._transport
        if transport is None or self.error is not None or paused != self._reading:
            return
        self._reading = not paused
        if paused:
            transport.pause_reading()
        else:
            self._received = True
            transport.resume_reading()

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=LINK_WRITE_BYTES_HIGH)
        if self.error is not None:
            self._transport.abort()
        self._heard_s = self._ticked_s = self.loop.time()
        self._timer = self.loop.call_later(LINK_HEARTBEAT_S, self._tick)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._assembler.get_buffer()

    def buffer_updated(self, nbytes: int) -> None:
        self._received = True
        self.bytes_in += nbytes
        try:
            self._assembler.received(nbytes)
        except OneOSError as error:
            log.warning("link to %s: %s", self.who, error.message)
            self.close(error)
        except Exception as error:
            log.exception("link to %s", self.who)
            self.close(InternalError(f"the link to {self.who} failed: {error}"))

    def eof_received(self) -> bool:
        return False

    def pause_writing(self) -> None:
        self._writable.clear()
        self.writing_changed()

    def resume_writing(self) -> None:
        self._writable.set()
        self.writing_changed()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self.error is None:
            if isinstance(exc, ssl.SSLError) and "ALERT" in (exc.reason or ""):
                self.error = refused(self.who)
            else:
                self.error = NetworkError(f"{self.who} broke off", errno=errno.ECONNRESET)
        if not self.closed.done():
            self.closed.set_result(None)
        self._writable.set()
        self.link_lost(self.error)

    def _frame(self, raw: bytes | bytearray) -> None:
        # What arrives behind a frame that ended the link is not obeyed any more.
        if self.error is None:
            self.frame_received(decode(raw), len(raw))

    def _tick(self) -> None:
        now_s = self.loop.time()
        # An own stall, of the loop or of the whole machine, says nothing about the other end:
        # what it sent meanwhile has not been read yet.
        stalled = now_s - self._ticked_s > 2 * LINK_HEARTBEAT_S
        self._ticked_s = now_s
        if self._received or stalled or not self._reading:
            self._heard_s = now_s
            self._received = False
        elif now_s - self._heard_s >= LINK_SILENCE_S:
            self.close(
                NetworkError(
                    f"{self.who} has been silent for {now_s - self._heard_s:.1f} s",
                    errno=errno.ETIMEDOUT,
                )
            )
            return
        # Also where data flows: a byte a second is cheaper than knowing that it is not needed.
        if self.writable:
            self.send_raw(_heartbeat)
        self._timer = self.loop.call_later(LINK_HEARTBEAT_S, self._tick)


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
                except (msgspec.MsgspecError, RecursionError) as error:
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


class ServingEnd(LinkProtocol):
    """The end that answers: one task a call.

    Args:
        routes: what is answered.
        peer: who calls.
        hello: our first frame.
        frame_bytes_max: the longest frame it may send.
        on_lost: called when the link has ended.
    """

    def __init__(
        self,
        routes: Routes,
        peer: Peer,
        hello: Hello,
        frame_bytes_max: int,
        on_lost: "Callable[[ServingEnd], None]",
    ) -> None:
        super().__init__(str(peer), frame_bytes_max)
        self.peer = peer
        self._routes = routes
        self._hello = hello
        self._on_lost = on_lost
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._handling_bytes = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.send(self._hello)

    def frame_received(self, frame: Frame, length: int) -> None:
        match frame:
            case Call(call_id, method, body):
                if call_id in self._tasks:
                    raise NetworkError(f"{self.who} used a call id twice", errno=errno.EPROTO)
                try:
                    handler, argument = self._routes.decode(self.peer, method, body)
                except OneOSError as error:
                    self.send(failure_of(call_id, error))
                    return
                self._handling_bytes += length
                task = self.loop.create_task(
                    self._serve(call_id, handler, method, argument, length)
                )
                self._tasks[call_id] = task
                self._balance()
            case Cancel(call_id):
                task_or_none = self._tasks.get(call_id)
                if task_or_none is not None:
                    task_or_none.cancel()
            case Heartbeat():
                pass
            case _:
                raise NetworkError(
                    f"{self.who} sent a {type(frame).__name__} to a server", errno=errno.EPROTO
                )

    def writing_changed(self) -> None:
        self._balance()

    def link_lost(self, error: OneOSError) -> None:
        for task in self._tasks.values():
            task.cancel()
        self._on_lost(self)

    async def _serve(
        self, call_id: int, handler: Handler, method: str, argument: Any, length: int
    ) -> None:
        try:
            # Calls that came in one burst with those whose answers now fill the link wait here.
            await self._until_writable()
            try:
                result = await answer(handler, self.peer, method, argument)
                frame = encode(Reply(call_id, msgspec.Raw(_encode_body(result))))
            except OneOSError as error:
                frame = encode(failure_of(call_id, error))
            except asyncio.CancelledError:
                # Where the caller gave up it ignores this; where we are stopping it needs it.
                stopping = NetworkError(f"host {self._hello.host} stopped {method}")
                self.send(failure_of(call_id, stopping))
                raise
            except (TypeError, ValueError, msgspec.MsgspecError) as error:
                log.exception("the result of %s cannot be sent", method)
                frame = encode(
                    failure_of(call_id, InternalError(f"the result of {method}: {error}"))
                )
            await self._until_writable()
            self.send_raw(frame)
        finally:
            self._tasks.pop(call_id, None)
            self._handling_bytes -= length
            self._balance()

    async def _until_writable(self) -> None:
        # All that wait wake up together, and the first may fill the link again.
        while not self.writable:
            await self.drain()

    def _balance(self) -> None:
        """Read on only while there is room: for handlers, their arguments, and their answers."""
        self.pause_reading(
            len(self._tasks) >= CALLS_IN_FLIGHT_MAX
            or self._handling_bytes >= HANDLING_BYTES_MAX
            or not self.writable
        )
