"""What each request of the local protocol does. docs/guest-protocol.md is its reference.

A program may ask what concerns files and processes, a client also what concerns sessions and the
network. Who asks is settled by `hello`: a program by the token that only it was given, a client by
the user it runs as.
"""

from __future__ import annotations

import asyncio
import errno
import itertools
import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from oneos.errors import FileError, OneOSError, UserError
from oneos.files.export_files import ExportedFile
from oneos.files.handles import Caller, Change, Directory, Handle, Text
from oneos.files.names import BY_KERNEL
from oneos.files.opened import LocalFile
from oneos.files.remote import Remote, RemoteFile
from oneos.files.shared import Shared
from oneos.files.tree import Tree
from oneos.files.virtual import FACTS_SINCE
from oneos.ids import HostName, Ino
from oneos.kernel import messages as m
from oneos.limits import CLIENT_HANDLES_MAX, LOOKS_MAX, NAME_BYTES_MAX, SHARED_HANDLES_MAX
from oneos.runtime.agent import Agent
from oneos.runtime.agents import Agents
from oneos.runtime.commands import which
from oneos.runtime.launcher import Launcher
from oneos.runtime.local_server import Answer, Connection
from oneos.runtime.locking import Lockable, Locking, range_of
from oneos.runtime.mounts import Mounts
from oneos.runtime.offspring import Offspring
from oneos.runtime.once import Once
from oneos.runtime.pipeline_spec import SpawnSpec
from oneos.runtime.plumbing import StreamFile
from oneos.runtime.system import System

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


Operation = Callable[..., Awaitable[Any]]

_CHANGES = "open mkdir rmdir unlink rename symlink link mknod setattr truncate pwrite ftruncate"
_CHANGES += " setxattr removexattr"
_ONCE = frozenset(_CHANGES.split())
"""What a client may ask for by `once`."""


def _agent(who: Who) -> Agent:
    assert isinstance(who.owner, Agent)
    return who.owner


def _word(number: int) -> bytes:
    return number.to_bytes(4, "little", signed=True)


def _maker(who: Who, owner: Sequence[int]) -> Caller:
    """Who shall own what is made: a program of the name space may have become another user."""
    if not owner:
        return who.caller
    if not isinstance(who.owner, Client):
        raise UserError("a program makes files of its own user", errno=errno.EPERM)
    uid, gid = owner
    return replace(who.caller, uid=uid, gid=gid)


class Operations:
    """See the module.

    Args:
        host: this host.
        store: a directory of the disk whose sizes `statvfs` shows as the tree's.
        tree, agents, offspring, launcher, system: what the requests act on.
        mounts: of the tree, on this host.
        listen: takes the listening descriptor of a native program's filter; it stays the caller's.
        touch: has this host's kernel tell who watches a path that its attributes changed.
    """

    def __init__(
        self,
        host: HostName,
        store: str,
        tree: Tree,
        agents: Agents,
        offspring: Offspring,
        launcher: Launcher,
        system: System,
        listen: Callable[[int], None],
        mounts: Mounts,
        touch: Callable[[bytes, int], Awaitable[None]],
    ) -> None:
        self.host = host
        self._mounts = mounts
        self._listen = listen
        self._touch = touch
        self._store = store
        self._tree = tree
        self._agents = agents
        self._offspring = offspring
        self._launcher = launcher
        self._system = system
        self._clients: dict[str, Client] = {}
        self.locking = Locking(host)
        agents.ending = self.locking.ended
        self._closing: set[asyncio.Task[None]] = set()
        both = "stat look list mkdir rmdir unlink rename symlink readlink link chmod chown utime"
        both += " mknod meeting bind statvfs truncate realpath open opened close ended sync fstat"
        both += " flush lock locked unlock call_back holder"
        both += " getxattr listxattr setxattr removexattr fsetattr pread pwrite ftruncate kill ps"
        program = "scan child fork exec started reaped unborn pipe"
        client = "looks setattr release once take_over adopt commands session spawn wait poll which"
        client += " terminal go_on take_back mark raw resize"
        client += " status voters manifest token stop forget environments environment_remove"
        client += " collect fsck fsck_look fsck_end closing next_drop notice"
        self._operations: dict[str, Operation] = {
            name: getattr(self, "_op_" + name) for name in f"{both} {program} {client}".split()
        }
        self._for_clients = frozenset(client.split())
        self._for_programs = frozenset(program.split())

    async def handle(self, connection: Connection, name: str, arguments: list[Any]) -> Any:
        """Do one request and return its result, or raise."""
        if name == "hello":
            return self._hello(connection, *arguments)
        who = connection.caller
        if not isinstance(who, Who):
            raise UserError("say hello first", errno=errno.EACCES)
        operation = self._operations.get(name)
        if operation is None:
            raise UserError(f"there is no request {name!r}", errno=errno.ENOSYS)
        if name in self._for_clients and not isinstance(who.owner, Client):
            raise UserError(f"a program may not ask for {name!r}", errno=errno.EPERM)
        if name in self._for_programs and not isinstance(who.owner, Agent):
            raise UserError(f"only a program may ask for {name!r}", errno=errno.EPERM)
        if isinstance(who.owner, Client) and who.owner.shared:
            BY_KERNEL.set(True)
        if name == "next_drop":
            return await self._op_next_drop(connection, *arguments)
        if name == "spawn":
            return await self._op_spawn(who, connection.take_fds(), *arguments)
        return await operation(who, *arguments)

    def _hello(self, connection: Connection, claims: dict[str, Any]) -> dict[str, Any]:
        if connection.caller is not None:
            # What the first greeting's owner has open would be nobody's.
            raise UserError("hello was said already", errno=errno.EISCONN)
        fds = bool(claims.get("fds"))
        if claims.get("client"):
            if connection.uid not in (0, os.getuid()):
                raise UserError(
                    "this Runtime belongs to another user",
                    errno=errno.EACCES,
                    hint=f"use it as user {os.getuid()}, or start one of your own",
                )
            if claims.get("listener"):
                for fd in connection.fds:
                    self._listen(fd)
            pid = 0
            if claims.get("token"):
                # A shell that is a program: what it starts has it as its parent.
                agent = self._agents.find(int(claims.get("pid", 0)), str(claims["token"]))
                self._offspring.greeted(agent, connection.os_pid)
                pid = agent.start.pid
            caller = Caller("root", os.getuid(), os.getgid(), pid)
            owner = self._client(caller, str(claims.get("shared", "")))
            connection.caller = Who(owner, caller, fds, owner.generation)
            return {"host": self.host, "network": self._system.network}
        agent = self._agents.find(int(claims.get("pid", 0)), str(claims.get("token", "")))
        self._offspring.greeted(agent, connection.os_pid)
        connection.caller = Who(agent, agent.caller, fds)
        return {
            "host": self.host,
            "user": agent.caller.user,
            "uid": agent.caller.uid,
            "gid": agent.caller.gid,
        }

    def _client(self, caller: Caller, shared: str) -> Client:
        """Whose connection this is: a client's of its own, or one more of several."""
        if not shared:
            return Client(caller)
        client = self._clients.get(shared)
        if client is None:
            client = self._clients[shared] = Client(caller, shared)
        else:
            client.connections += 1
        return client

    async def ended(self, connection: Connection) -> None:
        """A connection is over: what a client had open ends with it."""
        who = connection.caller
        if not isinstance(who.owner, Client):
            return
        self._mounts.connection_ended(connection)
        who.owner.connections -= 1
        if who.owner.connections:
            return
        self._clients.pop(who.owner.shared, None)
        await self.locking.client_ended(who.owner.name)
        for number in list(who.owner.handles):
            await self._close_orphan(who.owner, number)
        for sid in who.owner.sessions:
            self._launcher.terminals.end(sid)
            await self._system.logout(sid)

    async def _close_orphan(self, client: Client, number: int) -> None:
        client.let_go(number)
        try:
            await client.handles.pop(number).close()
        except (OneOSError, OSError) as error:
            self._system.note(f"a client's file was not committed: {error}")

    # --- one process of a client after another --------------------------------------------------
    async def _op_once(self, who: Who, number: int, name: str, *arguments: Any) -> Any:
        if name not in _ONCE:
            raise UserError(f"{name!r} is not done once", errno=errno.EINVAL)
        client = self._shared(who)
        operation = self._operations[name]

        async def again(outcome: Any) -> Any:
            if name != "open":
                return outcome
            # It is there now, and the handle was that of the process that has ended.
            path, flags, *more = arguments
            return await self._op_open(who, path, flags & ~(os.O_EXCL | os.O_TRUNC), *more)

        return await client.once.do(number, lambda: operation(who, *arguments), again)

    async def _op_take_over(self, who: Who, handles: list[int]) -> None:
        """Another process of a client goes on with these; the others nobody knows any more."""
        client = self._shared(who)
        client.generation += 1
        who.generation = client.generation
        for number in client.handles.keys() - set(handles):
            task = asyncio.ensure_future(self._close_orphan(client, number))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
        await self.locking.call_back_all(client.name)

    async def _op_adopt(self, who: Who, number: int) -> Any:
        handle = self._handle(who, number)
        if isinstance(handle, Remote):
            return {"k": "remote", "h": number, "size": handle.size, "append": handle.append}
        answer: dict[str, Any] = {"k": "fd", "h": number, "path": handle.path}
        if isinstance(handle, Text):
            answer["text"] = True
        if isinstance(handle, ExportedFile):
            answer["export"] = True
        fd = self._shared(who).kept.get(number)
        return answer if fd is None else Answer(answer, [os.dup(fd)])

    @staticmethod
    def _shared(who: Who) -> Client:
        if not isinstance(who.owner, Client) or not who.owner.shared:
            raise UserError("only connections that share a secret may", errno=errno.EPERM)
        return who.owner

    # --- names ----------------------------------------------------------------------------------
    async def _op_stat(self, who: Who, path: bytes, follow: bool = True) -> list[int]:
        return (await self._tree.stat(path, who.caller, follow)).wire()

    async def _op_looks(self, who: Who, path: bytes, names: list[bytes]) -> list[list[Any]]:
        if len(names) > LOOKS_MAX:
            raise FileError(errno.E2BIG, path)
        return [look.wire() for look in await self._tree.look_many(path, names, who.caller)]

    async def _op_look(self, who: Who, path: bytes, follow: bool = False) -> list[Any]:
        return (await self._tree.look(path, who.caller, follow)).wire()

    async def _op_list(self, who: Who, path: bytes) -> list[list[Any]]:
        return [[e.name, e.kind, e.ino] for e in await self._tree.list(path, who.caller)]

    async def _op_scan(self, who: Who, path: bytes, attributes: bool) -> list[object]:
        return (await self._tree.scan(path, who.caller, attributes)).wire()

    async def _op_setattr(self, who: Who, ino: int, change: dict[str, int]) -> None:
        await self._tree.regular.set_attr(Ino(ino), msgspec.convert(change, Change))

    async def _op_mknod(self, who: Who, path: bytes, mode: int, owner: Sequence[int] = ()) -> None:
        await self._tree.mknod(path, mode, _maker(who, owner))

    async def _op_bind(self, who: Who, path: bytes, mode: int) -> tuple[str, bool]:
        return await self._tree.bind(path, mode, who.caller)

    async def _op_meeting(self, who: Who, path: bytes) -> str:
        return await self._tree.meeting(path, who.caller)

    async def _op_statvfs(self, who: Who, path: bytes) -> list[int]:
        if (served := await self._tree.statvfs(path, who.caller)) is not None:
            return served
        s = os.statvfs(self._store)
        sizes = [s.f_bsize, s.f_frsize, s.f_blocks, s.f_bfree, s.f_bavail]
        return [*sizes, s.f_files, s.f_ffree, s.f_favail, 0, NAME_BYTES_MAX, 0]

    async def _op_mkdir(self, who: Who, path: bytes, mode: int, owner: Sequence[int] = ()) -> None:
        await self._tree.mkdir(path, mode, _maker(who, owner))

    async def _op_rmdir(self, who: Who, path: bytes) -> None:
        await self._tree.rmdir(path, who.caller)

    async def _op_unlink(self, who: Who, path: bytes) -> None:
        await self._tree.unlink(path, who.caller)

    async def _op_rename(self, who: Who, old: bytes, new: bytes, replacing: bool = True) -> None:
        await self._tree.rename(old, new, who.caller, replacing)

    async def _op_symlink(
        self, who: Who, target: bytes, path: bytes, owner: Sequence[int] = ()
    ) -> None:
        await self._tree.symlink(target, path, _maker(who, owner))

    async def _op_readlink(self, who: Who, path: bytes) -> bytes:
        return await self._tree.readlink(path, who.caller)

    async def _op_link(self, who: Who, old: bytes, new: bytes, follow: bool = False) -> None:
        await self._tree.link(old, new, who.caller, follow)

    async def _op_chmod(self, who: Who, path: bytes, mode: int, follow: bool = True) -> None:
        await self._tree.chmod(path, mode, who.caller, follow)

    async def _op_chown(
        self, who: Who, path: bytes, uid: int, gid: int, follow: bool = True
    ) -> None:
        await self._tree.chown(path, uid, gid, who.caller, follow)

    async def _op_utime(
        self, who: Who, path: bytes, atime_ns: int, mtime_ns: int, follow: bool = True
    ) -> None:
        await self._tree.utime(path, atime_ns, mtime_ns, who.caller, follow)

    async def _subject(self, who: Who, what: bytes | int) -> bytes | Ino:
        """Whose extended attributes: a path's, or those of a program's open file or the inode that
        a client numbers."""
        if isinstance(what, bytes):
            return what
        if isinstance(who.owner, Client):
            return Ino(what)
        return Ino((await self._handle(who, what).stat()).ino)

    async def _op_getxattr(
        self, who: Who, what: bytes | int, name: bytes, follow: bool = True
    ) -> bytes:
        return await self._tree.getxattr(await self._subject(who, what), name, who.caller, follow)

    async def _op_listxattr(
        self, who: Who, what: bytes | int, follow: bool = True
    ) -> Sequence[bytes]:
        return await self._tree.listxattr(await self._subject(who, what), who.caller, follow)

    async def _op_setxattr(
        self,
        who: Who,
        what: bytes | int,
        name: bytes,
        value: bytes,
        flags: int,
        follow: bool = True,
    ) -> None:
        subject = await self._subject(who, what)
        await self._tree.setxattr(subject, name, value, flags, who.caller, follow)

    async def _op_removexattr(
        self, who: Who, what: bytes | int, name: bytes, follow: bool = True
    ) -> None:
        await self._tree.removexattr(await self._subject(who, what), name, who.caller, follow)

    async def _op_truncate(self, who: Who, path: bytes, size: int) -> None:
        if size < 0:
            raise FileError(errno.EINVAL, path)
        await self._tree.truncate(path, size, who.caller)

    async def _op_realpath(self, who: Who, path: bytes) -> bytes:
        return await self._tree.realpath(path, who.caller)

    # --- files ----------------------------------------------------------------------------------
    async def _op_open(
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
        caller = _maker(who, owner)
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
        if isinstance(handle, Remote):
            return {"k": "remote", "h": number, "size": handle.size, "append": handle.append}
        path_here = handle.path or f"/proc/{os.getpid()}/fd/{handle.fd}"
        answer: dict[str, Any] = {"k": "fd", "h": number, "path": path_here}
        if isinstance(handle, Text):
            answer["text"] = True
        if isinstance(handle, StreamFile):
            answer["stream"] = True
        if isinstance(handle, ExportedFile):
            answer["export"] = True
        if flags & os.O_CREAT and isinstance(who.owner, Client) and isinstance(handle, LocalFile):
            answer["attr"] = (await handle.stat()).wire()
        if isinstance(handle, LocalFile) and handle.again is not None:
            answer["again"] = handle.again.wire()
        if not who.fds:
            return answer
        # From here on the program's copy is the only one: the end of a pipe is its end.
        fd, handle.fd = handle.fd, -1
        return Answer(answer, [fd])

    def _handle(self, who: Who, number: int) -> Handle:
        handle = who.owner.handles.get(number)
        if handle is None:
            raise FileError(errno.EBADF)
        return handle

    def _remote(self, who: Who, number: int) -> Remote:
        handle = self._handle(who, number)
        file = handle.file if isinstance(handle, Shared) else handle
        if not isinstance(file, Remote):
            raise FileError(errno.EBADF)
        return file

    async def _op_opened(self, who: Who, number: int) -> None:
        handle = self._handle(who, number)
        if handle.fd >= 0:
            os.close(handle.fd)
            handle.fd = -1

    async def _op_close(self, who: Who, number: int) -> None:
        handle = self._handle(who, number)
        del who.owner.handles[number]
        if isinstance(who.owner, Client):
            who.owner.let_go(number)
        else:
            await self.locking.closing(who.owner, handle)
        await handle.close()

    async def _op_ended(self, who: Who, number: int) -> None:
        """A stream was read to its end: was that the end of the data?"""
        handle = self._handle(who, number)
        stream = handle.file if isinstance(handle, Shared) else handle
        if isinstance(stream, StreamFile):
            stream.check_whole()

    async def _op_notice(self, who: Who, path: bytes, mode: int) -> None:
        """Another host has changed what a program of this host's name space watches."""
        await self._touch(path, mode)

    async def _op_release(self, who: Who, number: int) -> None:
        handle = self._handle(who, number)
        del who.owner.handles[number]
        if isinstance(who.owner, Client):
            who.owner.let_go(number)
        if isinstance(handle, LocalFile):
            await handle.release()
        else:
            await handle.close()

    async def _op_sync(self, who: Who, number: int) -> None:
        await self._handle(who, number).sync()

    async def _op_flush(self, who: Who, number: int) -> None:
        await self._handle(who, number).flush()

    async def _op_fstat(self, who: Who, number: int) -> list[int]:
        return (await self._handle(who, number).stat()).wire()

    async def _op_fsetattr(self, who: Who, number: int, change: dict[str, int]) -> None:
        ino = (await self._handle(who, number).stat()).ino
        if ino >= FACTS_SINCE:
            raise FileError(errno.EPERM)
        await self._tree.regular.set_attr(Ino(ino), msgspec.convert(change, Change))

    async def _op_pread(self, who: Who, number: int, offset: int, count: int) -> bytes:
        return await self._remote(who, number).pread(offset, count)

    async def _op_pwrite(self, who: Who, number: int, offset: int, data: bytes) -> list[int]:
        return await self._remote(who, number).pwrite(offset, data)

    async def _op_ftruncate(self, who: Who, number: int, size: int) -> None:
        await self._remote(who, number).truncate(size)

    # --- locks ----------------------------------------------------------------------------------
    def _lock_owner(
        self, who: Who, number: int, kind: str, owner: int, ino: int
    ) -> tuple[Lockable, str]:
        """What is locked, and whose lock it is. A program has what is at home here by itself."""
        if isinstance(who.owner, Client):
            self._shared(who)
            handle = self._handle(who, number) if number else None
            return self.locking.file(handle, ino), f"{who.owner.name}.{owner:x}"
        file = self._remote(who, number)
        if not isinstance(file, RemoteFile):
            # Another host's own file: what locks it there is none of the network's.
            raise FileError(errno.ENOLCK)
        return file, self.locking.owner(who.owner, file, kind)

    async def _op_lock(
        self,
        who: Who,
        number: int,
        kind: str,
        type_: int,
        first: int,
        last: int,
        wait: int = 0,
        owner: int = 0,
        pid: int = 0,
        ino: int = 0,
        hand: bool = False,
    ) -> Any:
        file, name = self._lock_owner(who, number, kind, owner, ino)
        if isinstance(who.owner, Agent) and isinstance(file, RemoteFile):
            pid = who.owner.start.pid
            self.locking.noted(who.owner, file, kind)
        waiting = (self._waits(who), wait) if wait else None
        await self.locking.lock(file, name, pid, range_of(kind, type_, first, last), waiting)
        fd = file.hand(name) if hand and isinstance(file, LocalFile) else -1
        return Answer(None, [fd]) if fd >= 0 else None

    async def _op_locked(
        self,
        who: Who,
        number: int,
        kind: str,
        type_: int,
        first: int,
        last: int,
        owner: int = 0,
        ino: int = 0,
    ) -> list[int] | None:
        file, name = self._lock_owner(who, number, kind, owner, ino)
        found = await file.locked(name, range_of(kind, type_, first, last))
        return [found.type, found.first, found.last, found.pid] if found else None

    async def _op_unlock(self, who: Who, number: int, owner: int = 0, ino: int = 0) -> None:
        file, name = self._lock_owner(who, number, "posix", owner, ino)
        await file.unlock(name)

    async def _op_closing(self, who: Who, number: int, owner: int, ino: int) -> None:
        file, name = self._lock_owner(who, number, "open", owner, ino)
        await file.closing(name)

    async def _op_holder(
        self, who: Who, number: int, type_: int, first: int, last: int, os_pid: int
    ) -> int:
        """The PID in the network of who has a lock that the kernel showed."""
        handle = self._handle(who, number)
        file = handle.file if isinstance(handle, Shared) else handle
        if os_pid > 0 or not isinstance(file, LocalFile):
            return self._agents.named(os_pid)
        return file.holder(type_, first, last)

    async def _op_call_back(self, who: Who, wait: int) -> None:
        calling = self.locking.call_back((self._waits(who), wait))
        if isinstance(who.owner, Agent):
            await calling
            return
        # The wait answers; and one at a home that is away holds up no other.
        task = asyncio.ensure_future(calling)
        self._closing.add(task)
        task.add_done_callback(self._called_back)

    def _called_back(self, task: asyncio.Task[None]) -> None:
        self._closing.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._system.note(f"a wait for a lock was not called back: {error}")

    @staticmethod
    def _waits(who: Who) -> str:
        owner = who.owner
        return owner.name if isinstance(owner, Client) else f"p{owner.start.pid}"

    # --- processes ------------------------------------------------------------------------------
    async def _op_kill(self, who: Who, pid: int, number: int) -> None:
        await self._system.kill(pid, number)

    async def _op_ps(self, who: Who, everything: bool = True) -> list[dict[str, Any]]:
        return await self._system.processes(everything)

    async def _op_session(self, who: Who, wish: dict[str, Any]) -> dict[str, Any]:
        assert isinstance(who.owner, Client)
        user = self._system.session_user(int(wish.get("sid") or 0))
        if user is not None:
            # One connection more of a session that another connection opened, and ends.
            who.caller = replace(who.caller, user=user)
            return {"sid": int(wish["sid"]), "user": user, "host": self.host}
        login = await self._system.login(str(wish.get("user") or "root"))
        who.owner.sessions[login.sid] = login.user
        who.caller = replace(who.caller, user=login.user)
        return {**msgspec.structs.asdict(login), "host": self.host}

    async def _op_spawn(self, who: Who, fds: list[int], spec: Any) -> list[dict[str, Any]]:
        try:
            request = msgspec.convert(spec, SpawnSpec, strict=False)
        except msgspec.ValidationError as error:
            for fd in fds:
                os.close(fd)
            raise UserError(f"spawn: {error}") from error
        return await self._launcher.spawn(request, fds, who.caller.user, who.caller.pid)

    async def _op_wait(
        self, who: Who, pids: list[int], stops: bool = False
    ) -> Sequence[int | None]:
        children = self._launcher.children
        return await (children.wait_or_stop(pids) if stops else children.wait(pids))

    async def _op_poll(self, who: Who, pids: list[int]) -> list[int | None]:
        return [self._launcher.children.state(pid) for pid in pids]

    async def _op_terminal(self, who: Who, number: int) -> Answer:
        return Answer(None, self._launcher.terminals.take(number))

    async def _op_go_on(
        self, who: Who, number: int, job: int, pids: list[int], foreground: bool
    ) -> None:
        for pid in pids:
            # What is heard of it from now on is new.
            self._launcher.children.stopped(pid, 0)
        await self._launcher.terminals.ask(number, b"G" + _word(job) + _word(foreground))

    async def _op_take_back(
        self, who: Who, number: int, job: int, modes: int, marker: bytes
    ) -> bytes:
        request = b"H" + _word(job) + _word(modes) + marker
        return await self._launcher.terminals.ask(number, request)

    async def _op_mark(self, who: Who, number: int, marker: bytes) -> None:
        await self._launcher.terminals.ask(number, b"M" + marker)

    async def _op_raw(self, who: Who, number: int) -> bool:
        return await self._launcher.terminals.ask(number, b"Q") == b"1"

    async def _op_resize(self, who: Who, number: int, size: bytes) -> None:
        if len(size) != 8:
            raise UserError("a terminal's size is a struct winsize of 8 bytes")
        await self._launcher.terminals.ask(number, b"W" + size)

    async def _op_which(self, who: Who, name: bytes, cwd: bytes) -> bytes:
        return await which(self._tree, name, cwd, who.caller, self._launcher.on_host)

    async def _op_commands(self, who: Who, prefix: bytes) -> list[bytes]:
        return self._launcher.host_names(prefix)

    # --- programs that programs start ---------------------------------------------------------
    async def _op_child(self, who: Who, spec: Any) -> dict[str, Any]:
        return await self._offspring.child(_agent(who), spec)

    async def _op_fork(self, who: Who) -> dict[str, Any]:
        return await self._offspring.fork(_agent(who))

    async def _op_exec(self, who: Who, spec: Any) -> dict[str, Any]:
        return await self._offspring.become(_agent(who), spec)

    async def _op_started(self, who: Who, pid: int, os_pid: int) -> None:
        self._offspring.started(_agent(who), pid, os_pid)

    async def _op_reaped(self, who: Who, pid: int, wait_status: int) -> None:
        await self._offspring.reaped(_agent(who), pid, wait_status)

    async def _op_unborn(self, who: Who, pid: int) -> None:
        self._offspring.unborn(_agent(who), pid)

    async def _op_pipe(self, who: Who, pid: int, number: int, offset: int, reading: bool) -> Any:
        fd = self._offspring.pipe(_agent(who), pid, number, offset, reading)
        answer = {"path": f"/proc/{os.getpid()}/fd/{fd}"}
        return Answer(answer, [os.dup(fd)]) if who.fds else answer

    async def _op_next_drop(self, connection: Connection, done: int) -> list[object]:
        return await self._mounts.next(connection, done)

    # --- the network ----------------------------------------------------------------------------
    async def _op_status(self, who: Who) -> dict[str, Any]:
        return await self._system.status()

    async def _op_voters(self, who: Who, count: int) -> dict[str, Any]:
        return await self._system.grow(count)

    async def _op_manifest(self, who: Who) -> str:
        return self._system.manifest()

    async def _op_token(self, who: Who) -> dict[str, Any]:
        return await self._system.token()

    async def _op_stop(self, who: Who) -> None:
        self._system.stop()

    async def _op_forget(self, who: Who, host: str) -> None:
        await self._system.forget(host)

    async def _op_collect(self, who: Who) -> list[dict[str, Any]]:
        return await self._system.collect()

    async def _op_fsck(self, who: Who, name: str, path: bytes, repair: bool, quick: bool) -> None:
        await self._system.check(m.CheckBegin(name, path, repair, quick))

    async def _op_fsck_look(self, who: Who, name: str, after: int) -> dict[str, Any] | None:
        return await self._system.check(m.CheckLook(name, after))

    async def _op_fsck_end(self, who: Who, name: str) -> None:
        await self._system.check(m.CheckEnd(name))

    async def _op_environments(self, who: Who) -> list[dict[str, Any]]:
        return self._agents.environments.list()

    async def _op_environment_remove(self, who: Who, key: str) -> None:
        await self._agents.environments.remove(key)
