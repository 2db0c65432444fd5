"""A program's side of a move: it answers the Runtime's requests, and begins where it is moved to.

Requests come over one socket, a byte each; what the Runtime's side is, says `runtime/moves.py`:

    C + 4 bytes   take the image within so many milliseconds. Answer: I with the image in a memory
                  file, and the program stands; or N with the reason, and it runs on
    S             it stays: run on
    G             it has gone on elsewhere: end at once

Without an answer nobody here knows whether it goes on elsewhere. So when the socket ends while it
stands, it ends, too: it must not run twice, and a Runtime that is gone has lost its programs.
"""

import _socket
import os
import sys

import oneos_moving as native

from . import capture, ending, frames, image, reasons, reopening, restore

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

REASON_BYTES_MAX = 1000
GO = b"G"


class Door:
    """The socket to the Runtime, and what stands while an image is on its way."""

    def __init__(self, control: int) -> None:
        self.control = control
        self.held: capture.Held | None = None

    def serve(self, request: int) -> bool:
        """Answer one request, in the thread that waits for them.

        Args:
            request: its byte; -1: the socket has ended.

        Returns:
            Whether there may be more.
        """
        if request == ord("C"):
            limit, fds = receive(self.control)
            for fd in fds:
                os.close(fd)
            self.capture(int.from_bytes(limit, "little") / 1000)
        elif request == ord("S") and self.held is not None:
            self.held.go_on()
            self.held = None
        elif request == ord("G"):
            os._exit(0)
        elif request < 0 and self.held is not None:
            os._exit(1)
        return True

    def capture(self, limit_s: float) -> None:
        """Take the image, and hand it over."""
        try:
            held = capture.capture(limit_s, Adapter(self.control))
        except reasons.NotSafe as error:
            self.send(b"N" + str(error.reason).encode()[:REASON_BYTES_MAX])
            return
        except BaseException as error:
            self.send(b"N" + repr(error).encode()[:REASON_BYTES_MAX])
            return
        self.held = held
        fd = -1
        try:
            fd = os.memfd_create("image", os.MFD_CLOEXEC)
            for piece in held.image.pieces():
                write_all(fd, piece)
            self.send(b"I", [fd])
        except OSError as error:
            held.go_on()
            self.held = None
            self.send(b"N" + f"the image cannot be written: {error}".encode())
        finally:
            if fd >= 0:
                os.close(fd)

    def send(self, data: bytes, fds: "tuple[int, ...] | list[int]" = ()) -> None:
        """Tell the Runtime."""
        rights = b"".join(fd.to_bytes(4, sys.byteorder) for fd in fds)
        ancillary = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, rights)] if fds else []
        sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM, 0, self.control)
        try:
            sock.sendmsg([len(data).to_bytes(4, "little") + data], ancillary)
        finally:
            sock.detach()


def receive(control: int, count: int = 4) -> "tuple[bytes, list[int]]":
    """So many bytes from the Runtime, and the descriptors that came with them."""
    sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM, 0, control)
    try:
        data, ancillary, _, _ = sock.recvmsg(
            count, _socket.CMSG_SPACE(4), _socket.MSG_WAITALL | _socket.MSG_CMSG_CLOEXEC
        )
    finally:
        sock.detach()
    raw = b"".join(piece for _, _, piece in ancillary)
    return data, [int.from_bytes(raw[at : at + 4], sys.byteorder) for at in range(0, len(raw), 4)]


class Adapter(reopening.ByPath):
    """As on one host, but for what is the Runtime's."""

    def __init__(self, control: int) -> None:
        self.ignored = frozenset((control, *native.own_descriptors()))


def write_all(fd: int, data: "bytes | memoryview") -> None:
    rest = memoryview(data).cast("B")
    while rest:
        rest = rest[os.write(fd, rest) :]


def go_on(fd: int, control: int, outside: "tuple[str, ...]") -> "Any":
    """Be the program of an image, to its end.

    Args:
        fd: the image; closed.
        control: the socket to the Runtime, which is told when the program is in place, and says
            when it may go on.
        outside: files whose frames are not the program's.

    Returns:
        The program's exit status.
    """
    door = Door(control)
    try:
        view, *where = native.map(fd)
        os.close(fd)
        whole = image.Image.read(view)
        restored = restore.restore(whole, Adapter(control))
        for part in (whole.heap, *whole.buffers, view):
            # Raises BufferError where something of the program lies in it.
            part.release()
        native.unmap(*where)
    except (restore.NotHere, ValueError) as error:
        door.send(b"N" + str(error).encode()[:REASON_BYTES_MAX])
        os._exit(1)
    except BaseException as error:
        door.send(b"N" + repr(error).encode()[:REASON_BYTES_MAX])
        os._exit(1)
    door.send(b"R")
    if receive(control, 1)[0] != GO:
        # It goes on where it was, or its Runtime is gone.
        os._exit(1)
    native.listen(control, door.serve)
    return ending.run_to_end(restored.run, outside)


def outside_of(codes: "tuple[Any, ...]") -> None:
    """Have captures stop at frames of this code, which calls programs."""
    frames.roots.update(codes)
