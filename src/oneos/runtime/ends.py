"""The standard descriptors of agents: what each `End` of a launch becomes here.

A pipe between two agents of this host, a stream from or to another host, a file of the tree, a
descriptor that a client sent, the session's terminal: each becomes a kernel descriptor that the
program inherits. Whoever opens them closes them; what has to be closed after the program, or be
told when it never starts, is gathered in `Standard`.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from oneos.errors import FileError, UserError
from oneos.files.device_paths import open_fifo
from oneos.files.handles import Caller, Handle, HostPath
from oneos.files.piped import piped
from oneos.files.tree import Tree
from oneos.ids import HostName
from oneos.kernel import messages as m
from oneos.net.sides import Kept
from oneos.runtime.plumbing import Plumbing, pipe
from oneos.runtime.stream_files import StreamFile

_NOTHING = m.KeptAhead()


@dataclass(slots=True)
class Standard:
    """What one agent has as 0, 1 and 2, as far as it was opened.

    `fds` are copies of our own, to be closed once the program has its; `fifos` are those that wait
    for somebody at their other end, and `copies` the numbers that are to be the same as another;
    `streams` are what it has open there, closed after the program. `files` the program's process
    opens by itself, and has /dev/null until then.
    """

    fds: dict[int, int] = field(default_factory=dict)
    fifos: dict[int, tuple[str, m.End]] = field(default_factory=dict)
    copies: dict[int, int] = field(default_factory=dict)
    streams: dict[int, Handle] = field(default_factory=dict)
    files: list[m.OpenFile] = field(default_factory=list)

    def close_fds(self) -> None:
        """Close our copies."""
        for fd in self.fds.values():
            os.close(fd)
        self.fds.clear()


class Pipes:
    """The pipes between the agents of one launch; a context, which closes our copies.

    Args:
        terminal: a descriptor of the terminal that they run at; -1: none.
    """

    def __init__(self, terminal: int = -1) -> None:
        self.terminal = terminal
        self._pipes: dict[int, tuple[int, int]] = {}

    def __enter__(self) -> Pipes:
        return self

    def __exit__(self, *_: object) -> None:
        # The programs have their own copies; ours would keep readers from seeing the end.
        for read, write in self._pipes.values():
            os.close(read)
            os.close(write)

    def end(self, number: int, reading: bool) -> int:
        """A copy of one end of a pipe, which is made when it is first asked for."""
        if number not in self._pipes:
            self._pipes[number] = pipe()
        return os.dup(self._pipes[number][0 if reading else 1])


class Ends:
    """See the module.

    Args:
        host: this host.
        tree: for files.
        plumbing: for streams.
    """

    def __init__(self, host: HostName, tree: Tree, plumbing: Plumbing) -> None:
        self.host = host
        self._tree = tree
        self._plumbing = plumbing
        self._held: dict[int, int] = {}
        self._last_held = 0

    def hold(self, fd: int) -> int:
        """Keep a client's descriptor for a launch that follows; it is ours then."""
        self._last_held += 1
        self._held[self._last_held] = fd
        return self._last_held

    def drop_held(self, ends: list[m.End]) -> None:
        """Close the descriptors that were kept for these ends."""
        for end in ends:
            if end.kind == "fd" and (fd := self._held.pop(end.number, None)) is not None:
                os.close(fd)

    async def open(
        self,
        standard: Standard,
        ends: list[m.End],
        caller: Caller,
        pipes: Pipes,
        asker: HostName | None,
        dropped: Callable[[], None],
        kept: Sequence[m.KeptAhead] = (),
    ) -> None:
        """Open all ends into `standard`, which says how far it got when this raises.

        It waits for nobody at the other end of a FIFO; `meet` does.

        Args:
            caller: in whose name files are opened.
            asker: the host that launches; its own descriptors are held here if it is this one.
            dropped: called when input breaks off, before the program can see an end of file.
            kept: of a program that comes from another host, what goes with each end.

        Raises:
            OneOSError, OSError: an end cannot be opened.
        """
        for number, end in enumerate(ends):
            if end.kind == "dup":
                standard.copies[number] = end.number
                continue
            ahead = kept[number] if kept else _NOTHING
            fd = await self._open(standard, number, end, caller, pipes, asker, dropped, ahead)
            if fd >= 0:
                standard.fds[number] = fd
        if not standard.fifos:
            _copy(standard)

    async def meet(self, standard: Standard) -> None:
        """Open the FIFOs among the ends, each once there is somebody at its other end.

        Raises:
            OneOSError, OSError: one cannot be opened.
        """
        for number, (path, end) in list(standard.fifos.items()):
            fd = await open_fifo(path, os.fsdecode(end.path), end.flags)
            standard.fds[number] = fd
            del standard.fifos[number]
        _copy(standard)

    async def _open(
        self,
        standard: Standard,
        number: int,
        end: m.End,
        caller: Caller,
        pipes: Pipes,
        asker: HostName | None,
        dropped: Callable[[], None],
        ahead: m.KeptAhead,
    ) -> int:
        """A descriptor; -1: it is one of `standard.fifos` now."""
        reading = number == 0
        if end.kind == "null":
            return os.open("/dev/null", (os.O_RDONLY if reading else os.O_WRONLY) | os.O_CLOEXEC)
        if end.kind == "closed":
            read, write = os.pipe2(os.O_CLOEXEC)
            os.close(read)
            return write
        if end.kind == "pipe":
            return pipes.end(end.number, reading)
        if end.kind == "tty" and pipes.terminal >= 0:
            return os.dup(pipes.terminal)
        if end.kind == "fd" and asker == self.host and end.number in self._held:
            return os.dup(self._held[end.number])
        if end.kind == "stream":
            return self._stream(reading, end, dropped, ahead)
        if end.kind == "file":
            if ahead is not _NOTHING:
                # The name space has it, wherever the file is at home. Its process opens it: this
                # Runtime, which is asked for what is there, must not wait for its own answers.
                path = os.fsdecode(end.path)
                standard.files.append(m.OpenFile(number, path, ahead.offset, end.flags, 0))
                return os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
            return await self._file(standard, number, end, caller, dropped)
        if end.kind == "data":
            return _filled(ahead.data)
        raise UserError(f"an agent cannot start with {end.kind!r} as descriptor {number}")

    def _stream(
        self,
        reading: bool,
        end: m.End,
        dropped: Callable[[], None],
        ahead: m.KeptAhead,
    ) -> int:
        read, write = pipe()
        host, kept = HostName(end.host), Kept(ahead.offset, ahead.data)
        if not reading:
            self._plumbing.send(read, host, end.key, end.pid, kept)
            return write
        try:
            self._plumbing.receive(host, end.key, write, dropped, end.pid, kept)
        except BaseException:
            os.close(read)
            raise
        return read

    async def _file(
        self,
        standard: Standard,
        number: int,
        end: m.End,
        caller: Caller,
        dropped: Callable[[], None],
    ) -> int:
        reading = number == 0
        handle = await self._tree.open(end.path, end.flags, end.mode, caller)
        if handle.kind == "host":
            if isinstance(handle, HostPath) and handle.waits:
                standard.fifos[number] = handle.path, end
                return -1
            return os.open(handle.path, end.flags | os.O_CLOEXEC)
        if handle.kind == "dir":
            raise FileError(errno.EISDIR, end.path)
        if handle.kind == "remote":
            try:
                handle = await piped(handle, reading, end.flags, dropped)
            except BaseException:
                await handle.close()
                raise
        if isinstance(handle, StreamFile):
            handle.line.listen(dropped)
        standard.streams[number] = handle
        fd, handle.fd = handle.fd, -1
        return fd

    def refuse(self, standard: Standard, ends: list[m.End]) -> None:
        """Let neighbours on other hosts see at once that nobody reads or writes here."""
        for number, end in enumerate(ends):
            if number in standard.fds or end.kind != "stream":
                continue
            read, write = pipe()
            if number == 0:
                os.close(read)
                self._plumbing.receive(HostName(end.host), end.key, write)
            else:
                os.close(write)
                self._plumbing.send(read, HostName(end.host), end.key)


def _filled(data: bytes) -> int:
    """A pipe with this in it, and its end."""
    read, write = pipe()
    try:
        os.set_blocking(write, False)
        if os.write(write, data or b"") != len(data):
            raise BlockingIOError
    except OSError:
        os.close(read)
        raise UserError(f"{len(data)} bytes of input do not fit into a pipe here") from None
    finally:
        os.close(write)
    return read


def _copy(standard: Standard) -> None:
    """Make the copies, after all others: one may stand before what it is a copy of, `1>&2`."""
    while standard.copies:
        able = [(number, of) for number, of in standard.copies.items() if of in standard.fds]
        if not able:
            raise UserError("descriptors cannot be copies of each other")
        for number, of in able:
            standard.fds[number] = os.dup(standard.fds[of])
            if any(file.number == of for file in standard.files):
                standard.files.append(m.OpenFile(number, "", of, 0, 0))
            del standard.copies[number]
