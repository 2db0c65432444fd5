"""Moving a Node program from process to process, to compare all it writes with an undisturbed run.

A program runs with the preload, and with `ONEOS_MOVING` that names a socket and memory for its
image. A byte on the socket asks for the image; a fresh Node gets that and the same standard
streams; when it says that it stands where the source stood, the source is told that it is gone.
"""

import json
import os
import socket
import struct
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from oneos.guest.launch_node import PRELOAD
from tests.support.waiting import WAIT_S

HEAD = struct.Struct("<cQ")
PIECE_BYTES = 1 << 16
LOOK_S = 0.005


class Refused(Exception):
    """The program, or the target, said that it cannot move: `reason` and `path` say why."""

    def __init__(self, reason: str, path: str | None) -> None:
        super().__init__(f"{reason}, reached as {path}")
        self.reason = reason
        self.path = path


class Ended(Exception):
    """The program has ended by itself."""


@dataclass
class Life:
    """One process of the program, and the socket by which it is asked to move."""

    process: subprocess.Popen[bytes]
    control: socket.socket
    images: int

    def image(self) -> bytes:
        return os.pread(self.images, os.fstat(self.images).st_size, 0)

    def _read(self, count: int) -> bytes:
        data = bytearray()
        while len(data) < count:
            piece = self.control.recv(min(1 << 20, count - len(data)))
            if not piece:
                raise Ended
            data += piece
        return bytes(data)

    def frame(self) -> tuple[bytes, bytes]:
        """The kind and the content of the next answer. Raises Refused or Ended."""
        try:
            kind, length = HEAD.unpack(self._read(HEAD.size))
            body = self._read(length)
        except OSError as error:
            raise Ended from error
        if kind == b"n":
            refusal = json.loads(body)
            raise Refused(refusal["reason"], refusal.get("path"))
        # It says first that it begins.
        return self.frame() if kind == b"b" else (kind, body)

    def tell(self, word: bytes) -> None:
        try:
            self.control.sendall(word)
        except OSError as error:
            raise Ended from error

    def finish(self) -> int:
        status = self.process.wait(WAIT_S)
        self.control.close()
        os.close(self.images)
        return status


@dataclass
class Outcome:
    """All that a program wrote in all its lives, and its exit status."""

    out: bytes
    err: str
    status: int


@dataclass
class Program:
    """A program with its standard streams, over all its lives."""

    node: str
    script: str
    arguments: Sequence[str] = ()
    stdin: int | None = None
    lives: list[Life] = field(default_factory=list)
    out: bytearray = field(default_factory=bytearray)

    def __post_init__(self) -> None:
        self._err = tempfile.TemporaryFile()  # noqa: SIM115
        self._changed = threading.Condition()
        read_end, self._write_end = os.pipe()
        self._pump = threading.Thread(target=self._collect, args=(read_end,), daemon=True)
        self._pump.start()
        self._start()

    def _collect(self, read_end: int) -> None:
        while piece := os.read(read_end, PIECE_BYTES):
            with self._changed:
                self.out += piece
                self._changed.notify_all()
        os.close(read_end)

    def wait_for_lines(self, count: int) -> None:
        """Waits until so many lines were written. Raises Ended if the program ends before."""
        deadline = time.monotonic() + WAIT_S
        while True:
            with self._changed:
                if self.out.count(b"\n") >= count:
                    return
                self._changed.wait(LOOK_S)
            if self.lives[-1].process.poll() is not None:
                raise Ended
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.script} has not written {count} lines")

    def _start(self, image: bytes | None = None) -> Life:
        ours, theirs = socket.socketpair()
        images = os.memfd_create("image")
        moving = f"{theirs.fileno()}:{images}"
        if image is not None:
            with open(images, "wb", closefd=False) as file:
                file.write(image)
            moving += ":begin"
        process = subprocess.Popen(
            [self.node, "--expose-internals", "--require", PRELOAD, self.script, *self.arguments],
            stdin=subprocess.DEVNULL if self.stdin is None else self.stdin,
            stdout=self._write_end,
            stderr=self._err,
            pass_fds=[theirs.fileno(), images],
            env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "ONEOS_MOVING": moving},
        )
        theirs.close()
        life = Life(process, ours, images)
        self.lives.append(life)
        return life

    def move(self) -> bytes:
        """Moves the program to a fresh process; the image.

        Raises:
            Refused: it goes on where it was.
            Ended: there is no program any more.
        """
        source = self.lives[-1]
        source.tell(b"c")
        source.frame()
        image = source.image()
        try:
            target = self._start(image)
            target.frame()
        except Refused:
            self.lives.pop().finish()
            source.tell(b"o")
            raise
        source.tell(b"g")
        assert source.finish() == 0, "the source did not end at once"
        target.tell(b"g")
        return image

    def give_up(self) -> None:
        """Has the program captured, and tells it to go on where it is."""
        life = self.lives[-1]
        life.tell(b"c")
        life.frame()
        life.tell(b"o")

    def end(self) -> Outcome:
        """Waits for the end."""
        status = self.lives[-1].finish()
        os.close(self._write_end)
        self._pump.join(WAIT_S)
        self._err.seek(0)
        err = self._err.read().decode("utf-8", "replace")
        self._err.close()
        return Outcome(bytes(self.out), err, status)


def undisturbed(node: str, script: str, stdin: bytes = b"") -> Outcome:
    """What the program does by itself, without any context."""
    done = subprocess.run(
        [node, script],
        input=stdin,
        capture_output=True,
        timeout=WAIT_S,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"},
    )
    return Outcome(done.stdout, done.stderr.decode("utf-8", "replace"), done.returncode)
