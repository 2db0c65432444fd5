"""The end of a link that answers: one task a call, as many at once as the bounds allow.

It stops reading while too many handlers run, hold too many bytes, or their answers are not taken:
so a caller waits, and memory does not grow. Handlers are cancelled when their caller gives up or
the link ends.
"""

import asyncio
import errno
import logging
from collections.abc import Callable
from typing import Any

import msgspec

from oneos.errors import InternalError, NetworkError, OneOSError
from oneos.limits import CALLS_IN_FLIGHT_MAX, HANDLING_BYTES_MAX
from oneos.net.frames import Call, Cancel, Frame, Heartbeat, Hello, Reply, encode, failure_of
from oneos.net.link import LinkProtocol
from oneos.net.routes import Handler, Peer, Routes, answer

log = logging.getLogger(__name__)

_encode_body = msgspec.msgpack.Encoder().encode


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
