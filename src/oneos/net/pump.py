"""Moving the bytes of one stream: a thread between a program's descriptor and a TLS connection.

The receiver begins by saying how many bytes its program has, and the sender goes on from there. The
sender frames what it reads (4-byte little-endian length); a length of zero says that the
program has ended, since the ssl module cannot close one direction. The receiver answers with
words of 9 bytes, each with the number of bytes that its program has: alive, reader gone, done. So
both ends know how it ended: `eof` means that every byte has been written at the far side;
`reader_gone` that the far program does not want more, and our pipe was closed at once, so that the
writer gets SIGPIPE; `lost` that the connection is gone and both ends may go on by another; `moved`
that this end goes on at another host; anything else is `broken`. One thread does all reading and
writing of its connection, because two threads on one SSLSocket can hang. Memory is a window at the
sender and a buffer at the receiver (`sides.py`).
"""

import asyncio
import errno
import os
import select
import ssl
import threading
import time
from dataclasses import dataclass, replace
from enum import StrEnum

from oneos.errors import NetworkError
from oneos.limits import (
    STREAM_BUFFER_BYTES,
    STREAM_HEARTBEAT_S,
    STREAM_LINGER_S,
    STREAM_SILENCE_S,
    STREAM_WINDOW_BYTES,
)
from oneos.net.sides import Incoming, Outgoing, Side
from oneos.net.stream import StreamConnection

_HEADER_BYTES = 4
_END = (0).to_bytes(_HEADER_BYTES, "little")
_HEARTBEAT_LENGTH = 0xFFFF_FFFF
_HEARTBEAT = _HEARTBEAT_LENGTH.to_bytes(_HEADER_BYTES, "little")

_RESUME = b"r"
_ALIVE = b"a"
_READER_GONE = b"g"
_DONE = b"d"

_WORD_BYTES = 1 + 8
_UNSAID_BYTES_MAX = 64 * _WORD_BYTES
"""Words that wait for room in the connection: a sender that takes none for so long has gone."""

_TOGETHER_BYTES = 16 * 1024
"""Up to so many a copy is cheaper than a TLS record for the header alone."""

_CLOSED_HERE = "closed at this end"


class Ended(StrEnum):
    """How a stream ended."""

    EOF = "eof"
    READER_GONE = "reader_gone"
    LOST = "lost"
    MOVED = "moved"
    BROKEN = "broken"


@dataclass(frozen=True)
class PumpResult:
    """What was done: bytes that the program wrote or was given so far, and how it ended.

    `detail` says why a stream broke, in words.
    """

    bytes_moved: int
    ended: Ended
    detail: str = ""


def pump_out(source: int | Outgoing, connection: StreamConnection) -> asyncio.Future[PumpResult]:
    """Read what a program writes until its end, and send all of it. It begins at once.

    Args:
        source: its side of the stream, which stays the caller's; or a descriptor (pipe, terminal,
            device or file, open for reading), which is owned from now on and closed when the pump
            ends: then a stream that is lost is broken.
        connection: of `Streams`; it is closed when the pump ends. `connection.close()` ends
            the pump, from any thread.

    Returns:
        A future of how it ended. Cancelling it closes the connection soon after. It is a future
        and not a coroutine, since a coroutine that is cancelled before its first step could not
        close what it was given.

    Raises:
        NetworkError: there are too many threads (EAGAIN); what is owned is closed.
    """
    side = Outgoing(source) if isinstance(source, int) else source
    return _in_thread(_Sender(side, connection), own=isinstance(source, int))


def pump_in(connection: StreamConnection, sink: int | Incoming) -> asyncio.Future[PumpResult]:
    """Receive until the end, and write all of it for a program to read. As `pump_out`."""
    side = Incoming(sink) if isinstance(sink, int) else sink
    return _in_thread(_Receiver(side, connection), own=isinstance(sink, int))


class _Broken(Exception):
    """The stream cannot go on; the text says why."""


class _ReaderGone(Exception):
    """The program that reads has closed its end."""


class _Lost(Exception):
    """The connection is gone; the text says why. Both ends may go on by another."""


class _Pump:
    """What both directions share: the poll, the clock, and how it ends."""

    side: Side

    def __init__(self, connection: StreamConnection) -> None:
        self.connection = connection
        self.socket = connection.socket
        self.socket_descriptor = self.socket.fileno()
        self.heard_s = self.spoke_s = time.monotonic()

    def run(self) -> PumpResult:
        ended, detail = Ended.EOF, ""
        try:
            self.move()
        except _ReaderGone:
            ended = Ended.READER_GONE
        except _Broken as error:
            ended, detail = Ended.BROKEN, str(error)
        except _Lost as error:
            ended, detail = Ended.LOST, str(error)
        except OSError as error:
            detail = f"the connection to host {self.connection.host}: {error.strerror or error}"
            ended = Ended.LOST
        if ended is not Ended.LOST:
            # At once: a writer shall get SIGPIPE, a reader the end.
            self.side.program.close()
        return PumpResult(self.side.offset, ended, detail)

    def move(self) -> None:
        raise NotImplementedError

    def wait(self, program: int | None, socket: int | None, timeout_s: float) -> tuple[int, int]:
        """Wait for events; returns those of the program's descriptor and of the socket.

        Args:
            program: poll flags; 0 waits for a hang-up only, None does not look at it.
            socket: the same for the socket. A hang-up that is looked at but not acted on would
                make the poll return at once for ever.
            timeout_s: at most this long.
        """
        poll = select.poll()
        poll.register(self.connection.wake_descriptor, select.POLLIN)
        if program is not None:
            poll.register(self.side.program.descriptor, program)
        if socket is not None:
            poll.register(self.socket_descriptor, socket)
        ready = dict(poll.poll(timeout_s * 1000))
        if self.connection.wake_descriptor in ready:
            if self.connection.interrupted:
                raise _Lost("interrupted")
            raise _Broken(_CLOSED_HERE)
        return ready.get(self.side.program.descriptor, 0), ready.get(self.socket_descriptor, 0)

    def check_silence(self) -> None:
        silent_s = time.monotonic() - self.heard_s
        if silent_s > STREAM_SILENCE_S:
            raise _Lost(f"host {self.connection.host} has been silent for {silent_s:.0f} s")

    def lost(self) -> _Lost:
        return _Lost(f"host {self.connection.host} ended the connection before the end of data")


class _Sender(_Pump):
    def __init__(self, side: Outgoing, connection: StreamConnection) -> None:
        super().__init__(connection)
        self.side: Outgoing = side
        self._heard = b""
        self._sent = -1

    def move(self) -> None:
        side = self.side
        while self._sent < 0:
            self.wait(None, select.POLLIN, STREAM_HEARTBEAT_S)
            self._listen()
            self.check_silence()
        while True:
            while data := side.kept(self._sent)[:STREAM_BUFFER_BYTES]:
                self._send_frame(data)
                self._sent += len(data)
                self._listen()
            if side.ended:
                break
            if room := side.room():
                count = self._read(room[:STREAM_BUFFER_BYTES])
                side.offset += count
                side.ended = count == 0
            else:
                # Only the receiver's program can make room.
                self.wait(None, select.POLLIN, STREAM_HEARTBEAT_S)
                self._listen()
                self._show_life()
        side.program.close()
        self._send(memoryview(_END))
        # Only the receiver knows when the last byte has reached the program; while its pipe is
        # full, that may take as long as the program likes.
        while True:
            self.wait(None, select.POLLIN, STREAM_HEARTBEAT_S)
            if self._listen():
                return
            self.check_silence()

    def _read(self, into: memoryview) -> int:
        """Read what there is, waiting for the first byte. 0 is the end."""
        ask_first = self.side.program.ask_first
        while True:
            if not ask_first:
                try:
                    return os.readv(self.side.program.descriptor, [into])
                except BlockingIOError:
                    pass
                except OSError as error:
                    if self.side.program.master and error.errno == errno.EIO:
                        return 0
                    raise _Broken(f"cannot read: {os.strerror(error.errno or 5)}") from None
            program, socket = self.wait(select.POLLIN, select.POLLIN, STREAM_HEARTBEAT_S)
            if socket:
                self._listen()
            if program:
                ask_first = False
            else:
                self._show_life()

    def _show_life(self) -> None:
        if time.monotonic() - self.spoke_s >= STREAM_HEARTBEAT_S:
            self._send(memoryview(_HEARTBEAT))
        self.check_silence()

    def _send_frame(self, data: memoryview) -> None:
        header = len(data).to_bytes(_HEADER_BYTES, "little")
        if len(data) <= _TOGETHER_BYTES:
            self._send(memoryview(header + data))
            return
        self._send(memoryview(header))
        self._send(data)

    def _send(self, data: memoryview) -> None:
        while data:
            try:
                data = data[self.socket.send(data) :]
            except ssl.SSLWantWriteError:
                _, events = self.wait(None, select.POLLIN | select.POLLOUT, STREAM_HEARTBEAT_S)
                if events & ~select.POLLOUT:
                    self._listen()
                self.check_silence()
            except ssl.SSLWantReadError:
                self.wait(None, select.POLLIN, STREAM_HEARTBEAT_S)
                self.check_silence()
            except OSError:
                # The receiver's last word may be there, although it takes no more from us.
                self._listen()
                raise
        self.spoke_s = time.monotonic()

    def _listen(self) -> bool:
        """Take what the receiver says; True once it has everything."""
        try:
            while True:
                words = self.socket.recv(64 * _WORD_BYTES)
                if not words:
                    raise self.lost()
                self.heard_s = time.monotonic()
                self._heard += words
                while len(self._heard) >= _WORD_BYTES:
                    word, self._heard = self._heard[:_WORD_BYTES], self._heard[_WORD_BYTES:]
                    if self._take(word[:1], int.from_bytes(word[1:], "little")):
                        return True
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return False

    def _take(self, word: bytes, offset: int) -> bool:
        if word == _READER_GONE:
            raise _ReaderGone
        if not self.side.acknowledge(offset):
            host = self.connection.host
            raise _Broken(f"host {host} goes on at byte {offset}, which is not here any more")
        if word == _RESUME:
            self._sent = offset
        return word == _DONE


class _Receiver(_Pump):
    def __init__(self, side: Incoming, connection: StreamConnection) -> None:
        super().__init__(connection)
        self.side: Incoming = side
        self.buffer = memoryview(bytearray(_HEADER_BYTES + STREAM_BUFFER_BYTES))
        self._unsaid = b""
        self._told = side.received

    def move(self) -> None:
        try:
            self._say(_RESUME)
            # Received on another host: the sender has forgotten it.
            self._write(memoryview(self.side.ahead))
            self._receive()
        except _ReaderGone:
            self._last_word(_READER_GONE)
            raise
        self._last_word(_DONE)

    def _receive(self) -> None:
        start = end = left = 0
        while True:
            if start == end:
                start = end = 0
            end = self._fill(end)
            while start < end:
                if left:
                    stop = min(end, start + left)
                    self._write(self.buffer[start:stop])
                    left -= stop - start
                    start = stop
                    continue
                if end - start < _HEADER_BYTES:
                    # The rest of a header is to come: make room behind what we have of it.
                    self.buffer[: end - start] = bytes(self.buffer[start:end])
                    start, end = 0, end - start
                    break
                left = int.from_bytes(self.buffer[start : start + _HEADER_BYTES], "little")
                start += _HEADER_BYTES
                if left == 0:
                    return
                if left == _HEARTBEAT_LENGTH:
                    left = 0
                elif left > STREAM_BUFFER_BYTES:
                    raise _Broken(f"host {self.connection.host} sent a damaged frame")

    def _fill(self, end: int) -> int:
        """Receive at least one byte behind `end`, and as many as are there."""
        begin = end
        # Silence counts from when we listen: before, we may have waited for the program for long.
        self.heard_s = time.monotonic()
        while end < len(self.buffer):
            try:
                count = self.socket.recv_into(self.buffer[end:])
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                if end > begin:
                    break
                self._await_data()
                continue
            if count == 0:
                if end > begin:
                    break
                raise self.lost()
            end += count
        self._show_life()
        return end

    def _await_data(self) -> None:
        # The program's end is watched too: a reader that goes away while nothing flows must stop
        # the writer before its next write, as far as the distance allows.
        program, socket = self.wait(0, select.POLLIN, STREAM_HEARTBEAT_S)
        if program:
            raise _ReaderGone
        self._show_life()
        if not socket:
            self.check_silence()

    def _write(self, data: memoryview) -> None:
        ask_first = self.side.program.ask_first
        while data:
            if not ask_first:
                try:
                    written = os.write(
                        self.side.program.descriptor, data[: self.side.program.step_bytes]
                    )
                    self.side.offset += written
                    data = data[written:]
                    ask_first = self.side.program.ask_first
                    continue
                except BlockingIOError:
                    pass
                except BrokenPipeError:
                    raise _ReaderGone from None
                except OSError as error:
                    raise _Broken(f"cannot write: {os.strerror(error.errno or 5)}") from None
            program, _ = self.wait(select.POLLOUT, None, STREAM_HEARTBEAT_S)
            if program:
                ask_first = False
            self._show_life()

    def _show_life(self) -> None:
        behind = self.side.offset - self._told >= STREAM_WINDOW_BYTES // 4
        if behind or time.monotonic() - self.spoke_s >= STREAM_HEARTBEAT_S:
            self.spoke_s = time.monotonic()
            self._told = self.side.received
            try:
                self._say(_ALIVE)
            except OSError:
                pass  # The sender is gone; what it sent before is still worth delivering.

    def _say(self, word: bytes) -> None:
        # A record that TLS could not send whole must be offered again before any other.
        if word:
            self._unsaid += word + self.side.received.to_bytes(_WORD_BYTES - 1, "little")
        try:
            while self._unsaid:
                self.socket.send(self._unsaid[:_WORD_BYTES])
                self._unsaid = self._unsaid[_WORD_BYTES:]
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            if len(self._unsaid) > _UNSAID_BYTES_MAX:
                raise _Lost(f"host {self.connection.host} does not listen") from None

    def _last_word(self, word: bytes) -> None:
        """Say it, and wait for the sender to close: closing with unread data would destroy it."""
        self.side.program.close()
        deadline_s = time.monotonic() + STREAM_LINGER_S
        try:
            self._say(word)
            while (left_s := deadline_s - time.monotonic()) > 0:
                try:
                    if not self.socket.recv_into(self.buffer):
                        return
                except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                    flags = select.POLLIN | (select.POLLOUT if self._unsaid else 0)
                    self.wait(None, flags, left_s)
                    self._say(b"")
        except (_Broken, _Lost, OSError):
            pass  # The sender is gone. How the program's end ended is known all the same.


def _in_thread(pump: _Pump, own: bool) -> asyncio.Future[PumpResult]:
    connection, side = pump.connection, pump.side
    loop = asyncio.get_running_loop()
    done: asyncio.Future[PumpResult] = loop.create_future()
    taken = connection.take()
    if not taken or not side.begin():
        # Its host was dropped between the rendezvous and now, or nobody wants it any more.
        if taken:
            connection.give_back()
        if own:
            side.close()
        ended = Ended.LOST if connection.interrupted and not own else Ended.BROKEN
        done.set_result(PumpResult(side.offset, ended, _CLOSED_HERE))
        return done

    def deliver(result: PumpResult | None, error: BaseException | None) -> None:
        if done.done():
            return
        if error is not None:
            done.set_exception(error)
        elif result is not None:
            done.set_result(result)

    def body() -> None:
        result, failure = None, None
        try:
            result = pump.run()
            if own and result.ended is Ended.LOST:
                result = replace(result, ended=Ended.BROKEN)
        except BaseException as error:
            failure = error
        finally:
            if own:
                side.close()
            side.finish()
            connection.give_back()
        try:
            loop.call_soon_threadsafe(deliver, result, failure)
        except RuntimeError:
            pass  # The loop has ended: nobody asks any more.

    try:
        threading.Thread(target=body, name=f"stream {connection.host}", daemon=True).start()
    except RuntimeError as error:
        side.finish()
        if own:
            side.close()
        connection.give_back()
        raise NetworkError(f"cannot start a stream: {error}", errno=errno.EAGAIN) from None
    done.add_done_callback(lambda _: connection.close())
    return done
