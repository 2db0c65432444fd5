"""/host: what each host exports of its own file system, as the tree shows it everywhere.

/host/NAME has the exports of the host NAME, which that host is asked for; nothing of what is there
is kept, since the host's own programs change it at any time. A symbolic link in an export is
followed here, in the tree, as a kernel follows those of a disk that another computer shares: so a
link that says `/etc` leads to the tree's /etc, and none leads to anything of its host. On the
exporting host programs get the kernel's descriptor; elsewhere every read and write is a call. Files
of the user whom the exporting host's Runtime runs as are shown as those of this one's.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from oneos.errors import FileError, NetworkError, Unknown
from oneos.files.handles import Attributes, Caller, Directory, Handle, wants_to_write
from oneos.files.served import Parts, Served
from oneos.files.virtual import Dir, File, Node, ino_of
from oneos.ids import HostName, Ino
from oneos.kernel import messages as m
from oneos.kernel.control_log import ControlLog
from oneos.state.names_types import Entry
from oneos.state.names_walk import Leaves

PART = b"host"


class _Where(NamedTuple):
    host: HostName
    export: str
    place: list[bytes]


class Calls(Protocol):
    """How exports are reached, on whichever host."""

    async def ask(self, host: HostName, ask: m.ExportAsk) -> m.ExportAnswer:
        """Have a host look at an export of its own, or change it. Raises OneOSError."""
        ...

    async def open(self, host: HostName, request: m.ExportOpen) -> Handle | m.ExportAnswer:
        """Open a file of an export; an answer where a link stands on the way."""
        ...


class HostFiles(Served):
    """See the module. `calls`: how exports are reached."""

    def __init__(self, control: ControlLog, calls: Calls) -> None:
        self._control = control
        self._calls = calls

    async def find(self, place: Parts, caller: Caller) -> Dir | File | Node | None:
        """The directories above the exports; what is in them is asked for by the calls below."""
        members = self._control.state.members
        if not place:
            return Dir({name.encode(): stat.S_IFDIR for name in members})
        host = HostName(place[0].decode("utf-8", "replace"))
        # Its exports are listed by `names`: that it is there, the host need not be asked.
        return Dir({}) if len(place) == 1 and host in members else None

    # --- looking ----------------------------------------------------------------------------------
    async def stat(self, path: bytes, place: Parts, follow: bool = True) -> Attributes | None:
        """Attributes in an export; None above those. Raises FileError, Leaves."""
        where = self._where(path, place)
        if where is None:
            return None
        return shown(await self._ask(path, where, "stat", follow=follow))

    async def names(self, path: bytes, place: Parts) -> list[Entry] | None:
        """The names at a place in an export or of those; None above. Raises FileError, Leaves."""
        if len(place) == 1:
            host = self._host(path, place[0])
            exports = [n.encode() for n in await self._ask(path, _Where(host, "", []), "names")]
            return [Entry(n, Ino(ino_of(path + b"/" + n)), stat.S_IFDIR) for n in exports]
        where = self._where(path, place)
        if where is None:
            return None
        found = await self._ask(path, where, "list")
        return [Entry(name, Ino(number), kind) for name, kind, number in found]

    async def readlink(self, path: bytes, place: Parts) -> bytes:
        """What a symbolic link says. Raises FileError(EINVAL) for what is none, Leaves."""
        where = self._where(path, place)
        if where is None:
            raise FileError(errno.EINVAL, path)
        target: bytes = await self._ask(path, where, "readlink", follow=False)
        return target

    async def statvfs(self, path: bytes, place: Parts) -> list[int] | None:
        """As the local protocol has it; None above the exports. Raises FileError, Leaves."""
        where = self._where(path, place)
        return None if where is None else list(await self._ask(path, where, "statvfs"))

    # --- opening ----------------------------------------------------------------------------------
    async def open(self, path: bytes, place: Parts, flags: int, mode: int) -> Handle | None:
        """Open what is at a place; None above the exports. Raises FileError, Leaves."""
        where = self._where(path, place)
        if where is None:
            return None
        self._check_alive(path, where.host)
        request = m.ExportOpen(where.export, where.place, flags, mode, 0)
        try:
            found = await self._calls.open(where.host, request)
        except FileError as error:
            plain = not wants_to_write(flags) and not flags & os.O_CREAT
            if error.errno == errno.EISDIR and plain:
                return Directory(path)
            raise FileError(error.errno, path, error.hint) from error
        except (NetworkError, Unknown) as error:
            raise _away(path, where.host, error.message) from error
        if isinstance(found, m.ExportAnswer):
            raise _leaves(path, where, found)
        return found

    # --- changing ---------------------------------------------------------------------------------
    async def change(
        self,
        what: str,
        path: bytes,
        place: Parts,
        numbers: Sequence[int] = (),
        text: bytes = b"",
        follow: bool = False,
    ) -> bool:
        """Change something at a place; False, and nothing is done, above the exports.

        Args:
            what: as `Exports` has it, with what it takes.

        Raises:
            FileError, Leaves.
        """
        where = self._where(path, place)
        if where is None:
            return False
        await self._ask(path, where, what, numbers, text, follow=follow)
        return True

    async def change_both(
        self, what: str, old: bytes, new: bytes, both: tuple[Parts, Parts], number: int = 0
    ) -> None:
        """Rename or link from one place to another; EXDEV where they are not in one export."""
        one, two = self._where(old, both[0]), self._where(new, both[1])
        if one is None or two is None:
            raise FileError(errno.EPERM, old)
        if one[:2] != two[:2]:
            raise FileError(errno.EXDEV, old)
        await self._ask(old, one, what, [int(number)], other=two, new=new, follow=False)

    def _check_alive(self, path: bytes, host: HostName) -> None:
        state = self._control.state.members[host].state
        if state != "alive":
            raise _away(path, host, f"it is {state}")

    # --- asking -----------------------------------------------------------------------------------
    def _where(self, path: bytes, place: Parts) -> _Where | None:
        """The host and export of a place; None where it is not in one. Raises FileError(ENOENT)."""
        if len(place) < 2:
            return None
        export = place[1].decode("utf-8", "replace")
        return _Where(self._host(path, place[0]), export, list(place[2:]))

    def _host(self, path: bytes, name: bytes) -> HostName:
        host = HostName(name.decode("utf-8", "replace"))
        if host not in self._control.state.members:
            raise FileError(errno.ENOENT, path)
        return host

    async def _ask(
        self,
        path: bytes,
        where: _Where,
        what: str,
        numbers: Sequence[int] = (),
        text: bytes = b"",
        *,
        follow: bool = True,
        other: _Where | None = None,
        new: bytes = b"",
    ) -> Any:
        self._check_alive(path, where.host)
        second = other.place if other is not None else []
        ask = m.ExportAsk(what, where.export, where.place, follow, list(numbers), text, second)
        try:
            answer = await self._calls.ask(where.host, ask)
        except FileError as error:
            raise FileError(error.errno, path, error.hint) from error
        except NetworkError as error:
            raise _away(path, where.host, error.message) from error
        except Unknown as error:
            # It may have been done, or be done yet.
            raise FileError(errno.EIO, path, f"{where.host} broke off: {error.message}") from error
        if answer.link >= 0:
            if answer.second and other is not None:
                raise _leaves(new, other, answer)
            raise _leaves(path, where, answer)
        return answer.value


def shown(row: Sequence[int]) -> Attributes:
    """The attributes in an answer, as `Exports.row` makes it."""
    mode, ino, size, nlink, uid, gid, atime, mtime, ctime, rdev, blocks, own_uid, own_gid = row
    return Attributes(
        mode=mode,
        ino=ino,
        size=size,
        nlink=nlink,
        uid=os.getuid() if uid == own_uid else uid,
        gid=os.getgid() if gid == own_gid else gid,
        atime_ns=atime,
        mtime_ns=mtime,
        ctime_ns=ctime,
        rdev=rdev,
        blocks=blocks,
    )


def _leaves(path: bytes, where: _Where, met: m.ExportAnswer) -> Leaves:
    """Where a path goes on that has come to a link; each counts as one more that was followed."""
    if met.link >= len(where.place):
        raise FileError(errno.EIO, path, f"{where.host} gave an answer that is none")
    above = [PART, where.host.encode(), where.export.encode(), *where.place[: met.link]]
    start = b"" if met.target.startswith(b"/") else b"/" + b"/".join(above) + b"/"
    rest = where.place[met.link + 1 :]
    return Leaves(path, start + b"/".join([met.target, *rest]), 1)


def _away(path: bytes, host: str, why: str) -> FileError:
    hint = f"{host} does not answer ({why}); see who is there: oneos status"
    return FileError(errno.EHOSTDOWN, path, hint)
