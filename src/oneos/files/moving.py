"""Renaming of files whose content may not be committed yet.

A program that writes a new file and renames it over the old one must find one of the two after any
crash. So a file that its home may hold more of than is committed is committed first: by its home,
which is asked by whoever renames.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Awaitable, Callable

from oneos.errors import Fenced, FileError, NetworkError, OneOSError, Unknown
from oneos.files.names import Names, value_of
from oneos.ids import HostName
from oneos.kernel import messages as m
from oneos.limits import CALL_TIMEOUT_S, OPEN_RETRY_S
from oneos.state import names_commands as n
from oneos.state.names_types import Unsettled, Value, Walk

Commit = Callable[[HostName, m.HomeFile], Awaitable[None]]
"""Has a file's home commit what programs have closed of it."""


async def settled_rename(
    names: Names, commit: Commit, paths: tuple[bytes, bytes], walk: Walk, replacing: bool
) -> Value:
    """Rename the first path to the second; answers what the index does.

    Raises:
        FileError: as rename(2); EHOSTUNREACH when the file's home does not answer, and what keeps
            it from committing.
        Leaves: a path leads to a part of the tree that is not the File System's.
    """
    old, new = paths
    clock = asyncio.get_running_loop().time
    deadline = clock() + CALL_TIMEOUT_S
    settled = False
    while True:
        result = await names.ask(
            lambda rid, ns, settled=settled: n.Rename(  # type: ignore[misc]
                rid=rid,
                now_ns=ns,
                old=old,
                new=new,
                walk=walk,
                replace=replacing,
                settled=settled,
            )
        )
        if not isinstance(result.value, Unsettled):
            return value_of(result, old)
        file = result.value
        try:
            await commit(file.home, m.HomeFile(file.ino, file.home_epoch))
            settled = True
        except (Fenced, NetworkError, Unknown) as error:
            # It may be given up at any moment; then there is nothing to wait for.
            if clock() > deadline:
                raise _away(file, old, error) from error
            await asyncio.sleep(OPEN_RETRY_S)


def _away(file: Unsettled, path: bytes, error: OneOSError) -> FileError:
    hint = f"it is not committed yet on {file.home}: {error.message}"
    return FileError(errno.EHOSTUNREACH, path, hint=hint)
