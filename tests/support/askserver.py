"""A Runtime's side of the local protocol for the verbs that only ask and show.

It listens on a true unix socket and answers each request with what the test has laid down for it,
so that what a verb sends and prints is tested without a network. That a Runtime gives such answers
is tested with real ones, in tests/system.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from typing import Any

import msgspec


class Refusal(Exception):
    """An answer with an errno."""

    def __init__(self, errno: int, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.reply = [errno, message, hint]


class AskServer:
    """Answers requests by table.

    Args:
        path: where to listen.

    Attributes:
        answers: by operation, or by the whole request as a tuple, which goes first: a result, or
            a `Refusal`.
        requests: what came, in order, without the greetings.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.answers: dict[str | tuple[Any, ...], Any] = {}
        self.requests: list[list[Any]] = []
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(path)
        self._listener.listen()
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def close(self) -> None:
        """Stop listening; the connections end when their clients do."""
        # Only shutdown wakes a thread that is blocked in accept.
        self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(timeout=10)
            assert not thread.is_alive()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=[connection])
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as stream, contextlib.suppress(OSError):
            while head := stream.read(4):
                request = msgspec.msgpack.decode(stream.read(struct.unpack("<I", head)[0]))
                body = msgspec.msgpack.encode(self._reply(request))
                connection.sendall(struct.pack("<I", len(body)) + body)

    def _reply(self, request: list[Any]) -> list[Any]:
        if request[0] == "hello":
            return [0, {"host": "hub", "network": "home"}]
        self.requests.append(request)
        # Compared, not looked up: arguments may be lists and maps.
        whole = [answer for key, answer in self.answers.items() if key == tuple(request)]
        answer = whole[0] if whole else self.answers.get(request[0])
        if isinstance(answer, Refusal):
            return answer.reply
        return [0, answer]
