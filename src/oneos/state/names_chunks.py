"""The rules of chunks that no file has: which of them a host may remove.

A chunk is on a host's disk before the commit that gives it to a file, so that no file has it may
mean that none has it yet. A host therefore promises, with each chunk it takes or says it has, to
keep it: the promise is the number of its last collection. A collection begins with a record
(`Collect`) that makes the promises before it void. What was promised since is kept by the host; a
commit that counts on an older promise is refused here, unless the file had those chunks there
already; and every other chunk that some file has shows in the index at that record. So what shows
in no file from then on, and was not promised since, nobody can come to need. No clock takes part.
"""

from __future__ import annotations

import errno

from oneos.errors import FileError
from oneos.state import names_commands as c
from oneos.state.names_store import NameStore
from oneos.state.names_types import Inode


def _collection(host: str) -> str:
    return "collection:" + host


def collection_of(store: NameStore, host: str) -> int:
    """The number of a host's last collection; 0 when it had none."""
    return store.counter(_collection(host))


def collect(store: NameStore, command: c.Collect) -> None:
    """See `Collect`. ESTALE when a later one of the host has begun."""
    if not command.host or not 0 < command.number < 2**62:
        raise FileError(errno.EINVAL)
    if command.number <= collection_of(store, command.host):
        raise FileError(errno.ESTALE, hint=f"{command.host} has begun a later collection")
    store.set_counter(_collection(command.host), command.number)


def check_promises(store: NameStore, inode: Inode, command: c.Commit) -> None:
    """EAGAIN when a host may have removed a chunk that this commit counts on."""
    if not command.chunks:
        return
    same = set(command.chunks).issubset(inode.chunks)
    for at, host in enumerate(command.copies):
        if same and host in inode.copies:
            continue
        promise = command.promises[at] if at < len(command.promises) else 0
        if promise < collection_of(store, host):
            raise FileError(errno.EAGAIN, hint=f"{host} collects what no file has")
