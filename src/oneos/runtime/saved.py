"""The state of a program as a file of the tree: what it had open and where, and its image.

The file is written beside its name and renamed, so whoever reads it reads all of one. It holds what
its program held in memory, passwords too: only its owner may read it. What goes on from such a file
runs with the rights of whoever has it go on, as any program that they start.
"""

from __future__ import annotations

import asyncio
import os
import secrets

import msgspec
from msgspec import Struct

from oneos.errors import OneOSError, UserError
from oneos.files.handles import Caller
from oneos.files.remote import Remote
from oneos.files.tree import Tree
from oneos.kernel import messages as m
from oneos.limits import CHUNK_BYTES, SAVED_HEAD_BYTES_MAX

_MAGIC = b"OneOS checkpoint 1\n"
_SIZE_BYTES = 4


class Saved(Struct, frozen=True):
    """All but the image.

    Args:
        start: how it was started, with its ends as they were.
        kept: what goes with each end.
        version: of its interpreter.
        status: with which it had ended; then there is no image.
        sizes: of the files that it wrote, by their paths.
        files: what it had open by number, where it cannot open that itself.
    """

    start: m.Start
    kept: list[m.KeptAhead]
    version: str
    status: int | None = None
    files: list[m.OpenFile] = []
    sizes: dict[bytes, int] = {}


async def write(tree: Tree, path: bytes, caller: Caller, saved: Saved, image: int) -> int:
    """Write a file; when this returns, it is as durable as files there are.

    Args:
        image: an open file; -1: there is none.

    Returns:
        Its size in bytes.

    Raises:
        FileError: as open(2), write(2) and rename(2) have it.
    """
    head = msgspec.msgpack.encode(saved)
    if len(head) > SAVED_HEAD_BYTES_MAX:
        raise UserError(f"arguments, environment and data on its way are {len(head)} bytes")
    aside = path + b".%s" % secrets.token_hex(4).encode()
    handle = await tree.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, caller)
    try:
        try:
            head = _MAGIC + len(head).to_bytes(_SIZE_BYTES, "little") + head
            size = await asyncio.to_thread(_write, handle.fd, head, image)
        finally:
            await handle.close()
        await tree.rename(aside, path, caller)
    except BaseException:
        try:
            await tree.unlink(aside, caller)
        except OneOSError:
            pass  # The first error says more.
        raise
    return size


def _write(fd: int, head: bytes, image: int) -> int:
    view = memoryview(head)
    while view:
        view = view[os.write(fd, view) :]
    at = 0
    while image >= 0 and (count := os.sendfile(fd, image, at, _PIECE_BYTES)):
        at += count
    return len(head) + at


_PIECE_BYTES = 2**30
"""Below what sendfile(2) moves at most in one call."""


async def read(tree: Tree, path: bytes, caller: Caller) -> tuple[Saved, int]:
    """What is in a file, and its image as an open file, which is the caller's.

    Raises:
        FileError: as open(2) and read(2) have it.
        UserError: it is no such file, or was written by another version of OneOS.
    """
    name = os.fsdecode(path)
    handle = await tree.open(path, os.O_RDONLY, 0, caller)
    image = os.memfd_create("image", os.MFD_CLOEXEC)
    try:
        if handle.kind not in ("fd", "remote"):
            raise UserError(f"{name} is no file with the state of a program")
        try:
            begin = len(_MAGIC) + _SIZE_BYTES
            head = await _piece(handle, 0, begin)
            size = int.from_bytes(head[len(_MAGIC) :], "little")
            if head[: len(_MAGIC)] != _MAGIC or size > SAVED_HEAD_BYTES_MAX:
                raise UserError(f"{name} is no file with the state of a program")
            saved = msgspec.msgpack.decode(await _piece(handle, begin, size), type=Saved)
            at = begin + size
            if isinstance(handle, Remote):
                while data := await handle.pread(at, CHUNK_BYTES):
                    os.write(image, data)
                    at += len(data)
            else:
                await asyncio.to_thread(_copy, handle.fd, image, at)
        except msgspec.MsgspecError as error:
            raise UserError(f"{name}: its state is damaged: {error}") from None
        finally:
            await handle.close()
        os.lseek(image, 0, os.SEEK_SET)
        return saved, image
    except BaseException:
        os.close(image)
        raise


async def none_here(path: bytes, caller: Caller) -> tuple[Saved, int]:
    """In the place of `read` where no states are restored."""
    raise UserError("this host restores no states")


async def _piece(handle: object, at: int, size: int) -> bytes:
    if not isinstance(handle, Remote):
        return os.pread(handle.fd, size, at)  # type: ignore[attr-defined]
    parts = bytearray()
    while len(parts) < size and (part := await handle.pread(at + len(parts), size - len(parts))):
        parts += part
    return bytes(parts)


def _copy(source: int, image: int, at: int) -> None:
    while count := os.sendfile(image, source, at, _PIECE_BYTES):
        at += count
