"""What both ends of a link share: frames in and out, heartbeats, back-pressure, and how it ends.

Each end sends a heartbeat every second and gives up on an end that is silent. Heartbeats go one way
each and are never answered, so an end that stopped reading because its handlers are busy still
shows that it lives. What the frames mean is the business of `calling` and `serving`; dialling and
accepting are left to `links` and `server`.
"""

import asyncio
import errno
import logging
import ssl
from typing import cast

from oneos.errors import InternalError, NetworkError, OneOSError
from oneos.limits import (
    FRAME_BYTES_MAX,
    LINK_HEARTBEAT_S,
    LINK_SILENCE_S,
    LINK_WRITE_BYTES_HIGH,
)
from oneos.net.frames import Frame, FrameAssembler, Heartbeat, decode, encode
from oneos.net.tls import refused

log = logging.getLogger(__name__)

_heartbeat = bytes(encode(Heartbeat()))


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
