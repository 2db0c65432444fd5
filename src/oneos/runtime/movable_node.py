"""What lets a program of Node move: with what it is started in the name space, here and there.

Node is started cold, with a preload that waits on a socket (`guest/node/plain.js`). One that comes
from another host begins as its image, which stands in the memory that it is handed; so its script
is not looked at, and what loads code of its own by an option cannot move.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from oneos.guest import launch_node
from oneos.kernel import messages as m
from oneos.local.file_process import NODE_GUEST
from oneos.runtime.control_node import NodeControl
from oneos.runtime.movable import told

_PRELOAD = os.fsencode(f"{NODE_GUEST}/plain.js")

_STAND_IN = os.fsencode(f"{NODE_GUEST}/moved.js")
"""In the script's place where the image stands for it: Node does not open it."""


@dataclass(slots=True)
class Handed:
    """What a program is started with; a context, which closes our copies of the descriptors.

    Attributes:
        argv: the command line.
        fds: the descriptors after the standard ones.
        files: what it has open by number, as `Starter.start` takes it.
        control: how it is asked to move; closed by whoever started it.
    """

    argv: list[bytes]
    fds: list[int]
    files: list[bytes]
    control: NodeControl

    def __enter__(self) -> Handed:
        return self

    def __exit__(self, *_: object) -> None:
        for fd in self.fds:
            os.close(fd)


def why_not(arguments: Sequence[bytes], environment: Mapping[bytes, bytes]) -> str:
    """Why a program that is started so cannot move; empty if it can."""
    options, rest = launch_node.split(arguments)
    if not rest:
        return "its program comes by an option or from standard input"
    given = [*options, *environment.get(b"NODE_OPTIONS", b"").split()]
    for word in given:
        name = word.partition(b"=")[0].replace(b"_", b"-")
        if name in launch_node.LOADS_OR_TELLS or name in launch_node.NATIVE_FILES:
            return f"Node's option {os.fsdecode(name)} would act again"
    return ""


def hand(argv: Sequence[bytes], image: int, files: Sequence[m.OpenFile]) -> Handed:
    """What to start a program with of which `why_not` has nothing to say.

    Args:
        argv: the interpreter, its options, the script and what that gets.
        image: of one that comes from another host, as an open file; else -1.
        files: what that had open by number.

    Raises:
        OSError: out of descriptors.
    """
    interpreter, *arguments = argv
    options, rest = launch_node.split(arguments)
    if image >= 0:
        rest = [_STAND_IN]
    made = [interpreter, b"--expose-internals", b"--require", _PRELOAD, *options, *rest]
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        images = os.memfd_create("image", os.MFD_CLOEXEC) if image < 0 else os.dup(image)
        control = NodeControl(ours, images)
        # Each with a position of its own.
        fds = [theirs.detach(), os.open(f"/proc/self/fd/{images}", os.O_RDWR | os.O_CLOEXEC)]
    except BaseException:
        ours.close()
        raise
    return Handed(made, fds, [told(file) for file in files], control)
