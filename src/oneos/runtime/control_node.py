"""The Runtime's side of a program of Node that can move.

The program's side is `guest/node/moving/trigger.js`; docs/migration-node.md has what is said.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Sequence

import msgspec

from oneos.errors import UserError
from oneos.kernel import messages as m
from oneos.limits import MOVE_FILE_NUMBER_MAX, MOVE_FILES_MAX, MOVE_S
from oneos.runtime.control_socket import Control

_HEAD_BYTES = 9
_ANSWER_BYTES_MAX = 1 << 20
"""What is said of files, 4 KiB of path each: an image does not come this way."""

_LATE_S = 1.0
"""Node gives up by itself when requests of its own do not end; that is to be heard."""

_NOT_AGAIN = ("/.host/", "/dev/", "/proc/", "/sys/", "/topic/", "/runtime/")
"""Below these a path names a stream, or what only one kernel knows."""

_MEMORY_DEVICES = frozenset(
    f"/.host/dev/{name}" for name in ("null", "zero", "full", "random", "urandom")
)

_PIECE_BYTES = 2**30
"""Below what sendfile(2) moves at most in one call."""

_WORDS = {b"S": b"o", b"G": b"g"}


class _File(msgspec.Struct):
    fd: int
    path: str
    offset: int = 0
    flags: int = 0
    inode: str = "0"


class _Files(msgspec.Struct):
    files: list[_File]


class _Refusal(msgspec.Struct):
    reason: str
    path: str | None = None


class NodeControl(Control):
    """One program's socket.

    Args:
        sock: to it; ours from now on.
        images: memory that it writes its image to; ours from now on.
    """

    def __init__(self, sock: socket.socket, images: int) -> None:
        super().__init__(sock, -1)
        self._images = images
        self._late: asyncio.Task[None] | None = None

    async def image(self, limit_s: float) -> int:
        """As `Control.image`; what it has open by number is in `files` then.

        Node cannot be interrupted: asked in the middle of a turn, it answers at its end.
        """
        if self._late is not None and not self._late.done():
            raise UserError("it has not come to the end of a turn since it was asked last")
        self._send(b"c")
        try:
            async with asyncio.timeout(limit_s + _LATE_S):
                kind, body = await self._frame()
        except TimeoutError:
            self._late = asyncio.create_task(self._answers_late(), name="late answer")
            raise UserError(
                f"it has come to no end of a turn of its event loop within {limit_s:g} s"
            ) from None
        if kind == b"b":
            # It stands, and is being described: as long as that takes.
            kind, body = await self._frame()
        if kind != b"i":
            raise UserError(_reason(kind, body))
        try:
            found = msgspec.json.decode(body, type=_Files).files
            self.files = [m.OpenFile(x.fd, x.path, x.offset, x.flags, int(x.inode)) for x in found]
            _check(self.files)
            return await asyncio.to_thread(_copy, self._images)
        except (ValueError, OSError) as error:
            # Of the former kind is what msgspec raises.
            self.say(b"S")
            raise UserError(f"its image cannot be taken: {error}") from error
        except UserError:
            self.say(b"S")
            raise

    async def _answers_late(self) -> None:
        """Whoever asked has given up: it goes on where it is."""
        kind = b"b"
        while kind == b"b":
            kind, _ = await self._frame()
        if kind == b"i":
            self.say(b"S")

    async def in_place(self) -> None:
        """As `Control.in_place`."""
        try:
            async with asyncio.timeout(MOVE_S):
                kind, body = await self._frame()
        except TimeoutError:
            raise UserError("it was not restored in time") from None
        if kind != b"r":
            raise UserError(_reason(kind, body))

    def say(self, word: bytes) -> None:
        """As `Control.say`."""
        super().say(_WORDS[word])

    def _send(self, word: bytes) -> None:
        try:
            self._sock.send(word, socket.MSG_NOSIGNAL)
        except OSError:
            raise UserError("the program has closed the way to ask it") from None

    async def _frame(self) -> tuple[bytes, bytes]:
        """The kind and the content of its next answer; empty: it has ended."""
        head = await self._exactly(_HEAD_BYTES)
        length = int.from_bytes(head[1:], "little")
        if not head or length > _ANSWER_BYTES_MAX:
            return b"", b""
        return head[:1], await self._exactly(length)

    async def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            piece, _ = await self._receive(count - len(data))
            if not piece:
                return b""
            data += piece
        return data

    def close(self) -> None:
        """Close it."""
        if self._late is not None:
            self._late.cancel()
        super().close()
        os.close(self._images)


def _copy(images: int) -> int:
    """A copy of an image: once the program goes on it needs the memory itself."""
    copy = os.memfd_create("image", os.MFD_CLOEXEC)
    try:
        at = 0
        while count := os.sendfile(copy, images, at, _PIECE_BYTES):
            at += count
    except BaseException:
        os.close(copy)
        raise
    return copy


def _reason(kind: bytes, body: bytes) -> str:
    if kind != b"n":
        return "the program has ended"
    try:
        refusal = msgspec.json.decode(body, type=_Refusal)
    except msgspec.DecodeError:
        return "the program gives no reason"
    reached = f", reached as {refusal.path}" if refusal.path else ""
    return f"{refusal.reason}{reached}"


def _check(files: Sequence[m.OpenFile]) -> None:
    """Raise UserError for what a program has open and cannot open again elsewhere."""
    if len(files) > MOVE_FILES_MAX:
        raise UserError(f"it has {len(files)} files open by number, of at most {MOVE_FILES_MAX}")
    for file in files:
        if file.number > MOVE_FILE_NUMBER_MAX:
            raise UserError(f"descriptor {file.number} is over {MOVE_FILE_NUMBER_MAX}")
        if file.path.startswith(_NOT_AGAIN) and file.path not in _MEMORY_DEVICES:
            raise UserError(f"descriptor {file.number} is {file.path}, which is no regular file")
