"""The rules of `/etc/oneos/storage.toml` that are in force on this host.

The file is one of the tree, so it is looked at there every few seconds, and read when its content
has changed. A file with a fault changes nothing: the last good one stays in force, also over a
restart of this host, which keeps a copy of its own. Without the file the built-in rules hold.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os

from oneos.errors import ConfigError, FileError, OneOSError
from oneos.files.durability import RULES_PATH, Durability, Rules, read_rules
from oneos.files.handles import Caller
from oneos.files.regular import RegularFiles
from oneos.limits import STORAGE_RULES_BYTES_MAX, STORAGE_RULES_LOOK_S
from oneos.storage.disk import as_file_error, remove

log = logging.getLogger(__name__)

_SOURCE = os.fsdecode(RULES_PATH)


class StorageRules:
    """See the module.

    Args:
        copy: where this host keeps the last good file.
    """

    def __init__(self, copy: str) -> None:
        self.problem = ""
        """What is wrong with the file that is there, in a line for a person; "" if nothing is."""
        self._copy = copy
        self._rules = Rules()
        self._seen: tuple[int, int] | None = None
        self._task: asyncio.Task[None] | None = None

    def of(self, path: bytes) -> Durability:
        """What holds for the file with this path; see `Rules.of`."""
        return self._rules.of(path)

    def start(self, files: RegularFiles) -> None:
        """Take up what was in force last, and follow the file in the tree."""
        try:
            with open(self._copy, "rb") as file:
                self._rules = read_rules(file.read(STORAGE_RULES_BYTES_MAX), self._copy)
        except FileNotFoundError:
            pass
        except (OSError, OneOSError) as error:
            log.warning("the storage rules of before are not taken up: %s", error)
        self._task = asyncio.create_task(self._follow(files), name="storage rules")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))
            self._task = None

    async def _follow(self, files: RegularFiles) -> None:
        while True:
            try:
                await self.look(files)
            except (OneOSError, OSError) as error:
                # The network's state; what is in force stays so.
                log.info("%s is not read now: %s", _SOURCE, error)
            await asyncio.sleep(STORAGE_RULES_LOOK_S)

    async def look(self, files: RegularFiles) -> None:
        """Look at the file once, and take it up if it is another than before.

        Raises:
            OneOSError: it cannot be looked at.
        """
        try:
            inode = await files.names.inode(RULES_PATH)
            if inode.is_dir or inode.writing or (inode.ino, inode.version) == self._seen:
                # What is being written is no file yet.
                return
            data = await files.head(RULES_PATH, STORAGE_RULES_BYTES_MAX + 1, Caller())
            seen: tuple[int, int] | None = (inode.ino, inode.version)
        except FileError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTDIR):
                raise
            data, seen = b"", None
        self._take(data, seen)

    def _take(self, data: bytes, seen: tuple[int, int] | None) -> None:
        self._seen = seen
        try:
            if len(data) > STORAGE_RULES_BYTES_MAX:
                raise ConfigError(f"{_SOURCE}: more than {STORAGE_RULES_BYTES_MAX} bytes")
            self._rules = read_rules(data, _SOURCE)
        except ConfigError as error:
            self.problem = f"{error.message}; the last good one stays in force"
            log.warning("%s", self.problem)
            return
        self.problem = ""
        self._keep(data)
        if seen is not None:
            log.info("%s is in force, as of version %d", _SOURCE, seen[1])

    def _keep(self, data: bytes) -> None:
        try:
            with as_file_error(self._copy):
                if not data:
                    remove(self._copy)
                    return
                with open(self._copy + ".part", "wb") as file:
                    file.write(data)
                os.replace(self._copy + ".part", self._copy)
        except FileError as error:
            log.warning("the storage rules are not kept for the next start: %s", error)
