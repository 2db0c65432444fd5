"""The Runtime's side of a program that can move: it asks for the image, and says what came of it.

The program's side is `guest/python/moving/serving.py`.
"""

from __future__ import annotations

import asyncio
import os
import socket

from oneos.errors import UserError
from oneos.kernel import messages as m
from oneos.runtime.forker import receive, rights

_HEAD_BYTES = 4
_WORD_BYTES = 4
_ANSWER_BYTES_MAX = 4096


class Control:
    """One program's socket, of Python; `control_node.py` has that of Node.

    Args:
        sock: to it; ours from now on.
        package: an open file with what the program needs to move.
    """

    def __init__(self, sock: socket.socket, package: int) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._package = package
        self.files: list[m.OpenFile] = []
        """What whoever starts it again has to open, once there is an image."""

    async def image(self, limit_s: float) -> int:
        """Have the program stand, and take its image.

        Returns:
            The image, as an open file. The program stands until `stay` or `gone`.

        Raises:
            UserError: it cannot move, and runs on; the message says why.
        """
        try:
            self._sock.send(b"C", socket.MSG_NOSIGNAL)
            limit = int(limit_s * 1000).to_bytes(_WORD_BYTES, "little")
            self._sock.sendmsg([limit], rights([self._package]), socket.MSG_NOSIGNAL)
        except OSError:
            raise UserError("the program has closed the way to ask it") from None
        answer, found = await self._answer()
        if answer[:1] == b"I" and found:
            return found[0]
        for fd in found:
            os.close(fd)
        raise UserError(answer[1:].decode(errors="replace") or "the program has ended")

    async def in_place(self) -> None:
        """Wait until a program that came here is in place. Raises UserError: it cannot be."""
        answer, _ = await self._answer()
        if answer[:1] != b"R":
            raise UserError(answer[1:].decode(errors="replace") or "it ended while it was restored")

    def say(self, word: bytes) -> None:
        """`S`: it stays and runs on. `G`: it goes on: elsewhere, if it stands; here, if it came."""
        try:
            self._sock.send(word, socket.MSG_NOSIGNAL)
        except OSError:
            pass  # It has ended: whoever watches it knows.

    async def _answer(self) -> tuple[bytes, list[int]]:
        data, fds = b"", list[int]()
        need = _HEAD_BYTES
        while len(data) < need:
            piece, more = await self._receive(need - len(data))
            fds += more
            if not piece:
                return b"", fds
            data += piece
            if len(data) >= _HEAD_BYTES:
                need = _HEAD_BYTES + min(
                    int.from_bytes(data[:_HEAD_BYTES], "little"), _ANSWER_BYTES_MAX
                )
        return data[_HEAD_BYTES:], fds

    async def _receive(self, count: int) -> tuple[bytes, list[int]]:
        loop = asyncio.get_running_loop()
        while True:
            try:
                return receive(self._sock, count, 1)
            except BlockingIOError:
                ready = loop.create_future()
                loop.add_reader(self._sock, _wake, ready)
                try:
                    await ready
                finally:
                    loop.remove_reader(self._sock)
            except OSError:
                return b"", []

    def close(self) -> None:
        """Close it."""
        self._sock.close()


def _wake(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)
