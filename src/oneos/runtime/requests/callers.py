"""Who asks: a program, or a client; and what either has open."""

from __future__ import annotations

import errno
import itertools
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from oneos.errors import FileError, UserError
from oneos.files.handles import Caller, Handle
from oneos.files.opened import LocalFile
from oneos.files.remote import Remote
from oneos.files.shared import Shared
from oneos.limits import CLIENT_HANDLES_MAX, SHARED_HANDLES_MAX
from oneos.runtime.agent import Agent
from oneos.runtime.once import Once

_CLIENTS = itertools.count(1)


@dataclass(slots=True)
class Client:
    """A person's or tool's connection: sessions and handles end with it.

    Several `connections` that name the same secret are one client, which ends with the last. Its
    files outlive the process that opened them, if another takes over: `kept` are descriptors for
    that, of what cannot be opened again; `generation` counts such processes. The owners of its
    locks have names that begin with `name`.
    """

    caller: Caller
    shared: str = ""
    connections: int = 1
    handles: dict[int, Handle] = field(default_factory=dict)
    sessions: dict[int, str] = field(default_factory=dict)
    once: Once = field(default_factory=Once)
    kept: dict[int, int] = field(default_factory=dict)
    generation: int = 0
    name: str = field(default_factory=lambda: f"n{next(_CLIENTS)}")
    _last_handle: int = 0

    def keep(self, handle: Handle) -> int:
        """Enter an opened file; returns its number."""
        if len(self.handles) >= (SHARED_HANDLES_MAX if self.shared else CLIENT_HANDLES_MAX):
            raise FileError(errno.ENFILE if self.shared else errno.EMFILE)
        self._last_handle += 1
        if self.shared and handle.fd >= 0 and not isinstance(handle, LocalFile):
            self.kept[self._last_handle] = os.dup(handle.fd)
        self.handles[self._last_handle] = handle
        return self._last_handle

    def let_go(self, number: int) -> None:
        """Close what is kept of a file; first of all, since its end is what others wait for."""
        fd = self.kept.pop(number, -1)
        if fd >= 0:
            os.close(fd)


@dataclass(slots=True)
class Who:
    """Who speaks on a connection."""

    owner: Agent | Client
    caller: Caller
    fds: bool
    generation: int = 0

    def is_over(self) -> bool:
        """Whether another process has taken over from the one that spoke."""
        return isinstance(self.owner, Client) and self.generation != self.owner.generation


def agent(who: Who) -> Agent:
    assert isinstance(who.owner, Agent)
    return who.owner


def client_of(who: Who) -> Client:
    """The client that asks, which only one that shares a secret may."""
    if not isinstance(who.owner, Client) or not who.owner.shared:
        raise UserError("only connections that share a secret may", errno=errno.EPERM)
    return who.owner


def maker(who: Who, owner: Sequence[int]) -> Caller:
    """Who shall own what is made: a program of the name space may have become another user."""
    if not owner:
        return who.caller
    if not isinstance(who.owner, Client):
        raise UserError("a program makes files of its own user", errno=errno.EPERM)
    uid, gid = owner
    return replace(who.caller, uid=uid, gid=gid)


def handle_of(who: Who, number: int) -> Handle:
    handle = who.owner.handles.get(number)
    if handle is None:
        raise FileError(errno.EBADF)
    return handle


def remote(who: Who, number: int) -> Remote:
    handle = handle_of(who, number)
    file = handle.file if isinstance(handle, Shared) else handle
    if not isinstance(file, Remote):
        raise FileError(errno.EBADF)
    return file
