"""An opened file of an export: here, where its host is this one, or through that host's calls."""

from __future__ import annotations

import os

from oneos.files.export_threads import ExportThreads
from oneos.files.exports import Exports
from oneos.files.handles import Attributes, Plain
from oneos.files.host_files import shown
from oneos.files.remote import Remote


class ExportedFile(Plain):
    """A file of this host: the program gets its descriptor; it stays the host's, so that closing
    it commits nothing.

    Args:
        fd: of the file; owned from now on.
        exports: whose it is.
        threads: for what may wait for its disk.
    """

    def __init__(self, fd: int, exports: Exports, threads: ExportThreads) -> None:
        super().__init__(fd)
        self._exports = exports
        self._threads = threads
        # `fd` goes to the program, and is not ours any more.
        self._own = os.dup(fd)

    async def stat(self) -> Attributes:
        return shown(await self._threads.run(lambda: self._exports.row(os.fstat(self._own))))

    async def sync(self) -> None:
        await self._threads.run(lambda: os.fsync(self._own))

    async def close(self) -> None:
        self.close_fd()
        own, self._own = self._own, -1
        if own >= 0:
            # The last close of a file of a network's disk may wait for it.
            await self._threads.run(lambda: os.close(own))


class AwayExport(Remote):
    """A file of an export of another host."""

    calls = "export"

    async def stat(self) -> Attributes:
        return shown(await self._call("fstat", self._handle, list[int]))
