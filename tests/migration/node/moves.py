"""Moving one Node program from process to process, and comparing all it wrote with an undisturbed run.

A program runs as the Runtime would start it: with the preload, and with `ONEOS_MOVING` that names
a socket. A byte on the socket asks for its image; the source is told that it is gone, and a fresh
Node gets the image and the same standard streams.
"""

import os
import socket
import struct
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
import json

from oneos.guest.launch_node import PRELOAD
from tests.support.waiting import WAIT_S

HEAD = struct.Struct("<cQ")


class Refused(Exception):
    """The program said that it cannot be moved now: `reason` and `path` say why."""

    def __init__(self, reason: str, path: str | None) -> None:
        super().__init__(f"{reason}, reached as {path}")
        self.reason = reason
        self.path = path


def environment(moving: str | None) -> dict[str, str]:
    env = {**({'DBG': '1'} if 'DBG' in os.environ else {}), "PATH": os.environ["PATH"], "HOME": "/nonexistent"}
    if moving is not None:
        env["ONEOS_MOVING"] = moving
    return env


@dataclass
class Life:
    """One process of the program."""

    process: subprocess.Popen[bytes]
    control: socket.socket

    def read(self, count: int) -> bytes:
        data = bytearray()
        while len(data) < count:
            piece = self.control.recv(min(1 << 20, count - len(data)))
            if not piece:
                raise EOFError
            data += piece
        return bytes(data)

    def ask(self) -> bytes:
        """The image. Raises Refused, or EOFError where the program has ended."""
        try:
            self.control.sendall(b"c")
            kind, length = HEAD.unpack(self.read(HEAD.size))
        except OSError as error:
            raise EOFError from error
        body = self.read(length)
        if kind == b"n":
            refusal = json.loads(body)
            raise Refused(refusal["reason"], refusal.get("path"))
        return body

    def tell(self, word: bytes) -> None:
        self.control.sendall(word)


@dataclass
class Program:
    """A program with its standard streams, over all its lives."""

    node: str
    script: str
    arguments: Sequence[str] = ()
    stdin: int | None = None
    lives: list[Life] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.out = tempfile.TemporaryFile()  # noqa: SIM115
        self.err = tempfile.TemporaryFile()  # noqa: SIM115
        read_end, self.write_end = os.pipe()
        self.pump = threading.Thread(target=self._pump, args=(read_end,), daemon=True)
        self.pump.start()

    def _pump(self, read_end: int) -> None:
        while piece := os.read(read_end, 1 << 16):
            self.out.write(piece)
        os.close(read_end)

    def start(self, image: bytes | None = None) -> Life:
        ours, theirs = socket.socketpair()
        fds = [theirs.fileno()]
        moving = str(fds[0])
        if image is not None:
            read_end, write_end = os.pipe()
            fds.append(read_end)
            moving += f":{read_end}"
        process = subprocess.Popen(
            [self.node, "--expose-internals", "--require", PRELOAD, self.script, *self.arguments],
            stdin=subprocess.DEVNULL if self.stdin is None else self.stdin,
            stdout=self.write_end,
            stderr=self.err,
            pass_fds=fds,
            env=environment(moving),
        )
        theirs.close()
        if image is not None:
            os.close(read_end)
            with os.fdopen(write_end, "wb") as pipe:
                try:
                    pipe.write(image)
                except BrokenPipeError:
                    pass
        life = Life(process, ours)
        self.lives.append(life)
        return life

    def move(self) -> bytes:
        """Moves the program to a fresh process. Raises as `Life.ask`; then it runs where it is."""
        life = self.lives[-1]
        image = life.ask()
        life.tell(b"g")
        if life.process.wait(WAIT_S) != 0:
            raise AssertionError("the source did not end")
        life.control.close()
        self.start(image)
        return image

    def end(self) -> tuple[bytes, str, int]:
        """Waits for the end: what was written, errors, status."""
        status = self.lives[-1].process.wait(WAIT_S)
        os.close(self.write_end)
        self.pump.join(WAIT_S)
        for life in self.lives:
            life.control.close()
        self.out.seek(0)
        self.err.seek(0)
        written = self.out.read(), self.err.read().decode("utf-8", "replace"), status
        self.out.close()
        self.err.close()
        return written
