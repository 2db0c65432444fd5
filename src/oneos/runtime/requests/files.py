"""Requests about open files."""

from __future__ import annotations

import errno
import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from oneos.errors import FileError, UserError
from oneos.files.export_files import ExportedFile
from oneos.files.handles import Change, Directory, Handle, Text
from oneos.files.opened import LocalFile
from oneos.files.remote import Remote
from oneos.files.shared import Shared
from oneos.files.tree import Tree
from oneos.files.virtual import FACTS_SINCE
from oneos.ids import Ino
from oneos.runtime.local_server import Answer
from oneos.runtime.locking import Locking
from oneos.runtime.requests.callers import Client, Who, client_of, handle_of, maker, remote
from oneos.runtime.stream_files import StreamFile


class FileRequests:
    """See the module.

    Args:
        tree: what they act on.
        locking: hears what programs close.
        touch: has this host's kernel tell who watches a path that its attributes changed.
    """

    FOR_ALL = "open opened close ended sync flush fstat fsetattr pread pwrite ftruncate"
    FOR_CLIENTS = "release adopt notice"
    FOR_PROGRAMS = ""

    def __init__(
        self, tree: Tree, locking: Locking, touch: Callable[[bytes, int], Awaitable[None]]
    ) -> None:
        self._tree = tree
        self._locking = locking
        self._touch = touch

    async def op_open(
        self,
        who: Who,
        path: bytes,
        flags: int,
        mode: int,
        owner: Sequence[int] = (),
        ino: int = 0,
        pid: int = 0,
    ) -> Any:
        if (ino or pid) and not isinstance(who.owner, Client):
            raise UserError("a program opens files by name, for itself", errno=errno.EPERM)
        caller = maker(who, owner)
        caller = replace(caller, pid=pid) if pid else caller
        handle = await self._tree.open(path, flags, mode, caller, ino)
        if isinstance(handle, Directory):
            return {"k": "dir", "path": handle.name}
        if handle.kind == "host":
            return {"k": "host", "path": handle.path}
        if who.is_over():
            # Nobody waits for it any more; who takes over asks again.
            await handle.close()
            return None
        try:
            number = who.owner.keep(handle)
        except (FileError, OSError):
            await handle.close()
            raise
        answer = _shown(handle, number)
        if isinstance(handle, Remote):
            return answer
        answer["path"] = handle.path or f"/proc/{os.getpid()}/fd/{handle.fd}"
        if isinstance(handle, StreamFile):
            answer["stream"] = True
        if flags & os.O_CREAT and isinstance(who.owner, Client) and isinstance(handle, LocalFile):
            answer["attr"] = (await handle.stat()).wire()
        if isinstance(handle, LocalFile) and handle.again is not None:
            answer["again"] = handle.again.wire()
        if isinstance(handle, LocalFile) and handle.later:
            answer["later"] = True
        if not who.fds:
            return answer
        # From here on the program's copy is the only one: the end of a pipe is its end.
        fd, handle.fd = handle.fd, -1
        return Answer(answer, [fd])

    async def op_opened(self, who: Who, number: int) -> None:
        handle = handle_of(who, number)
        if handle.fd >= 0:
            os.close(handle.fd)
            handle.fd = -1

    async def op_close(self, who: Who, number: int) -> None:
        handle = handle_of(who, number)
        del who.owner.handles[number]
        if isinstance(who.owner, Client):
            who.owner.let_go(number)
        else:
            await self._locking.closing(who.owner, handle)
        await handle.close()

    async def op_ended(self, who: Who, number: int) -> None:
        """A stream was read to its end: was that the end of the data?"""
        handle = handle_of(who, number)
        stream = handle.file if isinstance(handle, Shared) else handle
        if isinstance(stream, StreamFile):
            stream.check_whole()

    async def op_notice(self, who: Who, path: bytes, mode: int) -> None:
        """Another host has changed what a program of this host's name space watches."""
        await self._touch(path, mode)

    async def op_release(self, who: Who, number: int) -> None:
        handle = handle_of(who, number)
        del who.owner.handles[number]
        if isinstance(who.owner, Client):
            who.owner.let_go(number)
        if isinstance(handle, LocalFile):
            await handle.release()
        else:
            await handle.close()

    async def op_sync(self, who: Who, number: int) -> None:
        await handle_of(who, number).sync()

    async def op_flush(self, who: Who, number: int) -> None:
        await handle_of(who, number).flush()

    async def op_fstat(self, who: Who, number: int) -> list[int]:
        return (await handle_of(who, number).stat()).wire()

    async def op_fsetattr(self, who: Who, number: int, change: dict[str, int]) -> None:
        ino = (await handle_of(who, number).stat()).ino
        if ino >= FACTS_SINCE:
            raise FileError(errno.EPERM)
        await self._tree.regular.set_attr(Ino(ino), msgspec.convert(change, Change))

    async def op_pread(self, who: Who, number: int, offset: int, count: int) -> bytes:
        return await remote(who, number).pread(offset, count)

    async def op_pwrite(self, who: Who, number: int, offset: int, data: bytes) -> list[int]:
        return await remote(who, number).pwrite(offset, data)

    async def op_ftruncate(self, who: Who, number: int, size: int) -> None:
        await remote(who, number).truncate(size)

    async def op_adopt(self, who: Who, number: int) -> Any:
        handle = handle_of(who, number)
        answer = _shown(handle, number)
        if isinstance(handle, Remote):
            return answer
        fd = client_of(who).kept.get(number)
        return answer if fd is None else Answer(answer, [os.dup(fd)])


def _shown(handle: Handle, number: int) -> dict[str, Any]:
    """What an answer says of an open file, whoever opened it."""
    if isinstance(handle, Remote):
        return {"k": "remote", "h": number, "size": handle.size, "append": handle.append}
    answer: dict[str, Any] = {"k": "fd", "h": number, "path": handle.path}
    if isinstance(handle, Text):
        answer["text"] = True
    if isinstance(handle, ExportedFile):
        answer["export"] = True
    return answer
