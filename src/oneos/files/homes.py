"""Files whose home is this host: their backing files, who has them open, and their commits.

While a file is in use its bytes are one real file here. Programs of this host get its kernel
descriptor; programs elsewhere read and write it through `home_calls`, so that both see every
completed write. When a writer closes or syncs, the content is cut into chunks, copied to other
hosts and committed with one record, fenced by the home's epoch; in an `async` directory what was
closed is committed a moment later (`settling`). When nobody here has the file
open, the home goes to whoever asks for it. All that changes what a file is here (opening,
committing, giving up) happens under the lock of its `Home`, one after the other.
"""

from __future__ import annotations

import errno
import logging
import os
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager

from msgspec.structs import replace

from oneos.errors import Fenced, FileError, OneOSError
from oneos.failpoints import reach
from oneos.files.copies import Copies
from oneos.files.durability import Durability
from oneos.files.grouped import Asked, Grouped
from oneos.files.handles import wants_to_write
from oneos.files.home import Home, HomeHandle, Stored, as_shown, unknown
from oneos.files.home_locks import HomeLocks
from oneos.files.late_closes import LateCloses
from oneos.files.settling import Settling
from oneos.files.together import store_together
from oneos.files.unused import Unused
from oneos.ids import HostName, Incarnation, Ino
from oneos.kernel import messages as m
from oneos.limits import COMMIT_TRIES_MAX, SMALL_FILE_BYTES_MAX
from oneos.state import names_commands as n
from oneos.state.names_types import Attr, Inode, Opened, Result
from oneos.storage.backing import BackingStore
from oneos.storage.in_use import can_tell, in_use

log = logging.getLogger(__name__)

_ONCE = os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW

Make = Callable[[tuple[str, int], int], n.AnyCommand]
"""Makes a command from a request id and a time."""

ChangeNames = Callable[[Make], Awaitable[Result]]
"""Sends a command to the File System."""

ChangeMany = Callable[[Sequence[Make]], Awaitable[list[Result]]]
"""Sends several likewise."""


class Homes:
    """The files at home here.

    Args:
        host: this host.
        backing: the backing files.
        copies: where committed chunks are copied to.
        change: sends a command to the File System.
        change_many: sends several at once.
        durability: what holds for a file with a path.
    """

    def __init__(
        self,
        host: HostName,
        backing: BackingStore,
        copies: Copies,
        change: ChangeNames,
        change_many: ChangeMany,
        durability: Callable[[bytes], Durability],
    ) -> None:
        self.host = host
        self._backing = backing
        self._copies = copies
        self._change = change
        self._homes: dict[int, Home] = {}
        self._coming: Counter[int] = Counter()
        self._unused = Unused(self.give_up, self._give_up_quietly)
        self._durability = durability
        self._change_many = change_many
        self._settling = Settling(self._settle, self._settle_together)
        self._grouped = Grouped(self._commit_together)
        self._late = LateCloses[HomeHandle](self.close)
        self.locks = HomeLocks(backing.path)
        self.drop_idle: Callable[[int], Awaitable[None]] = _nothing_idle
        self.take_back: Callable[[], None] | None = None
        """Ends what programs were told by `lend`; none is told anything where it is None."""
        self._lending = can_tell(backing.directory)

    @contextmanager
    def coming(self, ino: int = 0) -> Iterator[None]:
        """While a file is made or claimed for this host and not yet opened; 0: it has no number
        yet.

        The index names this host as its home then, and nothing here does: whoever asks for the
        file must not get it.
        """
        self._coming[ino] += 1
        try:
            yield
        finally:
            self._coming[ino] -= 1
            if not self._coming[ino]:
                del self._coming[ino]

    # --- opening and closing ------------------------------------------------------------------
    async def open(
        self, inode: Inode, flags: int, owner: HostName, path: bytes = b""
    ) -> HomeHandle:
        """Open a file that is at home here; `inode` as the File System just gave it, and `path`
        where it stands, without links.

        Raises:
            Fenced: the home has moved meanwhile; look the file up again.
            FileError: the content cannot be had.
            OSError: the kernel refuses.
        """
        home = await self._home_of(inode)
        async with home.lock:
            if home.gone:
                raise Fenced("the file has found another home")
            if inode.version == home.inode.version and inode.writing:
                home.inode = replace(home.inode, writing=True)
            try:
                if wants_to_write(flags) and not home.inode.writing:
                    await self._claim_writing(home)
                reach("open.claimed")
                backing = await self._path_of(home.inode)
                reach("open.made")
                fd = os.open(backing, (flags & ~_ONCE) | os.O_CLOEXEC)
                handle = HomeHandle(home, flags, fd, owner)
                home.opens += 1
                home.writers += handle.writing
                home.path = path or home.path
                return handle
            finally:
                self._rest_or_work(home)

    async def _home_of(self, inode: Inode) -> Home:
        while True:
            home = self._homes.get(inode.ino)
            if home is None:
                home = self._homes[inode.ino] = Home(inode)
                return home
            if home.inode.home_epoch == inode.home_epoch:
                return home
            if home.inode.home_epoch > inode.home_epoch:
                raise Fenced("the file had found another home, and came back")
            # It went away and came back. What still happens to the old one must be over first.
            async with home.lock:
                self._lose(home)

    def _lose(self, home: Home) -> None:
        home.gone = True
        if self._homes.get(home.inode.ino) is home:
            del self._homes[home.inode.ino]
            self._unused.in_use(home.inode.ino)
            self._settling.forget(home.inode.ino)

    async def _claim_writing(self, home: Home) -> None:
        """Say in the log that it is written, so that a stat elsewhere asks here from now on."""
        inode = home.inode
        result = await self._change(
            lambda rid, ns: n.Claim(
                rid=rid,
                now_ns=ns,
                ino=inode.ino,
                home=self.host,
                incarnation=inode.home_incarnation,
                writing=True,
                expect_home_epoch=inode.home_epoch,
            )
        )
        if result.errno in (errno.ESTALE, errno.ENOENT):
            self._lose(home)
            raise Fenced("the file has found another home")
        if result.errno:
            raise FileError(result.errno)
        home.inode = replace(inode, writing=True)

    async def _path_of(self, inode: Inode) -> str:
        """The backing file of this epoch, made from the committed chunks if it is not there."""
        if self._has_backing(inode.ino, inode.home_epoch):
            return self._backing.path(inode.ino)
        return await self._backing.materialise(
            inode.ino,
            inode.home_epoch,
            inode.chunks,
            inode.size,
            lambda digest: self._copies.fetch(digest, inode.copies),
            inode.mtime_ns,
            lambda part, spots, size: self._copies.fetch_into(part, spots, size, inode.copies),
        )

    def _has_backing(self, ino: int, home_epoch: int) -> bool:
        try:
            return self._backing.home_epoch(ino) == home_epoch
        except FileError:
            return False

    async def close_later(self, handle: HomeHandle) -> None:
        """Close an opening whose content `sync` has committed, soon, and with others."""
        await self.locks.closed(handle)
        await self._late.add(handle.home.inode.ino, handle)

    def lend(self, handle: HomeHandle) -> bool:
        """Whether programs may open a file that is open here once more by its path, to read it.

        They must look at this host's number (`files.kept`) before and after they do.
        """
        if self._lending and self.take_back is not None:
            handle.home.lent = True
        return handle.home.lent

    def _returned(self, home: Home) -> bool:
        """Whether no program has a lent file open, and none will."""
        if not home.lent or home.inode.nlink == 0:
            # Without a name it goes nowhere else; who has it open keeps it, as on any system.
            return True
        assert self.take_back is not None
        # First: who opens it from now on finds another number afterwards, and does not use it.
        self.take_back()
        if in_use(self._backing.path(home.inode.ino)):
            return False
        home.lent = False
        return True

    async def close(self, handle: HomeHandle) -> None:
        """Close it; a writer's content is committed first. Raises what kept it from that."""
        home = handle.home
        await self.locks.closed(handle)
        if handle.fd >= 0:
            os.close(handle.fd)
            handle.fd = -1
        async with home.lock:
            try:
                # Content that no name leads to and nobody else has open is nobody's.
                if handle.writing and (home.inode.nlink or home.opens > 1 + home.held):
                    await self._closed(home, final=home.writers == 1)
            finally:
                home.writers -= handle.writing
                home.opens -= 1
                self._rest_or_work(home)
        await self._drop_nameless(home)

    async def flush(self, handle: HomeHandle) -> None:
        """What `close` promises, of an opening that goes on."""
        if handle.writing:
            async with handle.home.lock:
                await self._closed(handle.home, final=False)

    async def _closed(self, home: Home, final: bool) -> None:
        """Commit what a program has closed, now or soon, as the rule of its directory says."""
        later = self._durability(home.path).later
        if not later or self._settling.full or home.gone:
            try:
                await self._commit(home, final)
            except (OneOSError, OSError):
                if later:
                    # Perhaps nobody waits to hear of it.
                    self._hold(home)
                raise
        else:
            self._hold(home)

    def _hold(self, home: Home) -> None:
        """Keep what was closed in use until it is committed."""
        if not home.held and home.inode.nlink and not home.gone:
            home.held = True
            home.opens += 1
            home.writers += 1
            self._settling.add(home.inode.ino)

    def is_later(self, handle: HomeHandle) -> bool:
        """Whether nothing is to be waited for when it is closed."""
        return handle.writing and self._durability(handle.home.path).later

    async def _settle(self, ino: int) -> None:
        """Commit what was closed of a file, and use it no longer for that."""
        home = self._homes.get(ino)
        if home is None:
            return
        async with home.lock:
            if not home.held or home.gone:
                return
            if home.inode.nlink:
                await self._commit(home, final=home.writers == 1)
            self._let_go(home)
        await self._drop_nameless(home)

    async def _settle_together(self, inos: Sequence[int]) -> None:
        """Commit those of what was closed that are small and nobody uses now, with one record."""
        async with AsyncExitStack() as locks:
            homes = []
            for ino in inos:
                home = self._homes.get(ino)
                if home and home.held and home.inode.nlink and not home.lock.locked():
                    await locks.enter_async_context(home.lock)
                    homes.append(home)
            committed = await self._commit_together(
                [Asked(home, home.writers == 1) for home in homes if not home.gone]
            )
            for home in homes:
                if home.inode.ino in committed:
                    self._let_go(home)
        for home in homes:
            await self._drop_nameless(home)

    async def _commit_together(self, asked: Sequence[Asked]) -> set[int]:
        """Commit those that are small with one record; returns their numbers."""
        finals = {home.inode.ino: final for home, final in asked}
        reach("commit.begun")
        stored = await store_together(
            self._backing,
            self._copies,
            [(home, self._durability(home.path).copies) for home, _ in asked],
        )
        reach("commit.copied")
        stored = [one for one in stored if not one[0].gone]
        makes = [
            self._record(home.inode, what, finals[home.inode.ino], wanted)
            for home, wanted, what in stored
        ]
        results = await self._change_many(makes) if makes else []
        reach("commit.agreed")
        done: set[int] = set()
        for (home, _, what), result in zip(stored, results, strict=True):
            if not result.errno and not home.gone:
                self._committed(home, what, finals[home.inode.ino], result)
                done.add(home.inode.ino)
        return done

    def _shows(self, home: Home) -> bool:
        """Whether it is in use because what a program has closed is not committed yet."""
        return home.held and home.inode.nlink > 0

    def _let_go(self, home: Home) -> None:
        home.held = False
        home.opens -= 1
        home.writers -= 1
        self._settling.forget(home.inode.ino)
        self._rest_or_work(home)

    async def commit_closed(self, ino: int, home_epoch: int) -> None:
        """Commit what programs have closed of a file, since its content shall count under another
        name; from here on until it is opened by a path again `close` waits for the commit.

        Raises what keeps it from that.
        """
        await self._late.now(ino)
        home = self._homes.get(ino)
        if home is not None and home.inode.home_epoch == home_epoch:
            later = self._durability(home.path).later
            home.path = b""
            await self._settle(ino)
            if later and home.writers and not home.gone:
                # It may be closed already, and the word of it on its way: nobody waits for that.
                async with home.lock:
                    if home.inode.nlink:
                        await self._commit(home, final=False)

    async def _drop_nameless(self, home: Home) -> None:
        if home.opens == 0 and home.inode.nlink == 0 and not home.gone:
            await self._give_up_quietly(home.inode.ino)

    async def sync(self, handle: HomeHandle) -> None:
        """Commit what was written so far."""
        if handle.writing:
            async with handle.home.lock:
                await self._commit(handle.home, final=False)

    async def _commit(self, home: Home, final: bool) -> None:
        live = None if home.gone else self.live(home.inode)
        if live is None or live.size > SMALL_FILE_BYTES_MAX:
            await self._commit_alone(home, final)
            return
        asked = Asked(home, final)
        await self._grouped.commit(asked, lambda: self._commit_alone(home, final))

    async def _commit_alone(self, home: Home, final: bool) -> None:
        for _ in range(COMMIT_TRIES_MAX):
            result = await self._try_to_commit(home, final)
            if result.errno != errno.EAGAIN:
                break
            # A holder has begun to collect chunks: what it promised must be asked for again.
        if result.errno:
            raise FileError(result.errno)

    async def _try_to_commit(self, home: Home, final: bool) -> Result:
        inode = home.inode
        # The backing file may be another home's by now, so nothing of it is read then.
        if not home.gone:
            reach("commit.begun")
            wanted = self._durability(home.path).copies
            stored = await self._store(inode, wanted)
            reach("commit.copied")
            result = await self._change(self._record(inode, stored, final, wanted))
            reach("commit.agreed")
            if result.errno == errno.ESTALE:
                self._lose(home)
        if home.gone:
            # The network gave this host up meanwhile and another is home now.
            raise FileError(errno.EIO, hint="this host was declared dead while the file was open")
        self._committed(home, stored, final, result)
        return result

    def _record(
        self, inode: Inode, stored: Stored, final: bool, wanted: int
    ) -> Callable[[tuple[str, int], int], n.AnyCommand]:
        return lambda rid, ns: n.Commit(
            rid=rid,
            now_ns=ns,
            ino=inode.ino,
            home=self.host,
            home_epoch=inode.home_epoch,
            size=stored.size,
            mtime_ns=stored.mtime_ns,
            chunks=stored.chunks,
            copies=stored.copies,
            final=final,
            # A write's time; utime(2) may have set one that is yet to come.
            ctime_ns=min(stored.mtime_ns, ns),
            promises=stored.promises,
            wanted=wanted,
        )

    def _committed(self, home: Home, stored: Stored, final: bool, result: Result) -> None:
        if not result.errno:
            assert isinstance(result.value, Attr)
            home.inode = replace(
                as_shown(home.inode, result.value),
                size=stored.size,
                mtime_ns=stored.mtime_ns,
                version=result.value.version,
                chunks=stored.chunks,
                copies=stored.copies,
                writing=home.inode.writing and not final,
            )

    async def _store(self, inode: Inode, wanted: int) -> Stored:
        """Cut the content as it is now, and have enough hosts hold it."""
        ino, old = inode.ino, inode.copies
        promise = self._copies.promise
        with self._copies.ahead(ino, old, wanted) as ahead:
            size, mtime_ns, digests, _ = await self._backing.cut(ino, offer=ahead.offer)
            reach("commit.cut")
            chunks = tuple(digests)
            if chunks == inode.chunks and self._copies.suffice(old, wanted):
                return Stored(size, mtime_ns, chunks, old, ())
            held = await self._copies.spread(ino, digests, old, ahead, promise, wanted)
        return Stored(size, mtime_ns, chunks, tuple(held), tuple(held.values()))

    async def cut_again(self, ino: int, home_epoch: int) -> None:
        """Make the chunks of a file anew that is a real file here: they were damaged everywhere."""
        if self._has_backing(ino, home_epoch):
            await self._backing.cut(ino, force=True)

    # --- giving up ----------------------------------------------------------------------------
    async def give_up(self, ino: int, home_epoch: int) -> bool:
        """Be home no longer; False if somebody has the file open here.

        Raises:
            Fenced: this host is home under another epoch.
            OneOSError: it is not known whether the File System has taken the home back.
        """
        given_up = await self._leave(
            ino,
            home_epoch,
            lambda rid, ns: n.Release(
                rid=rid, now_ns=ns, ino=Ino(ino), home=self.host, home_epoch=home_epoch
            ),
        )
        return given_up is not None

    async def hand_over(
        self, ino: int, home_epoch: int, to: HostName, incarnation: Incarnation, writing: bool
    ) -> Opened | None:
        """Let another host be home, with one record; None if somebody has the file open here.

        Args:
            incarnation: of that host.
            writing: it will be written there.

        Raises:
            Fenced: this host is home under another epoch, or the file has gone.
            OneOSError: it is not known who is home now.
        """
        handed = await self._leave(
            ino,
            home_epoch,
            lambda rid, ns: n.HandOver(
                rid=rid,
                now_ns=ns,
                ino=Ino(ino),
                home=self.host,
                home_epoch=home_epoch,
                to=to,
                incarnation=incarnation,
                writing=writing,
            ),
        )
        if handed is None:
            return None
        if not isinstance(handed.value, Opened):
            raise Fenced("the file has gone, or has found another home")
        return handed.value

    async def _leave(self, ino: int, home_epoch: int, make: Make) -> Result | None:
        """Have a record say that this host is home no longer; None if somebody uses the file."""
        home = self._homes.get(ino)
        if home is not None and home.inode.home_epoch == home_epoch and self._shows(home):
            # Whoever wants it gets it at once here, and need not wait for the commit.
            return None
        if home is not None and home.opens:
            # It may be open for the next program only, or about to be closed.
            await self._late.now(ino)
            await self.drop_idle(ino)
            home = self._homes.get(ino)
        if home is None or home.inode.home_epoch < home_epoch:
            if self._coming[0] or self._coming[ino]:
                return None
            if home is not None:
                # It came back under a new epoch, and whoever had claimed it has given up.
                async with home.lock:
                    self._lose(home)
            # Something in the way of whoever opens it while it is given up.
            home = self._homes[ino] = Home(unknown(ino, home_epoch))
        async with home.lock:
            if home.opens:
                return None
            if home.gone or home.inode.home_epoch != home_epoch:
                raise Fenced("the file has found another home")
            if not self._returned(home):
                return None
            reach("yield.begun")
            try:
                result = await self._change(make)
                reach("yield.agreed")
                if result.errno not in (0, errno.ESTALE, errno.ENOENT):
                    raise FileError(result.errno)
                if self._has_backing(ino, home_epoch):
                    await self._backing.drop(ino)
            finally:
                self._lose(home)
        return result

    def _rest_or_work(self, home: Home) -> None:
        """Note whether a file is in use; of those that are not, the oldest are given up."""
        if home.opens or self._homes.get(home.inode.ino) is not home:
            self._unused.in_use(home.inode.ino)
        else:
            self._unused.at_rest(home.inode.ino, home.inode.size)

    async def _give_up_quietly(self, ino: int) -> None:
        try:
            home = self._homes.get(ino)
            if home is None or await self.give_up(ino, home.inode.home_epoch):
                return
            if home.lent and not home.opens:
                # A program reads it, and tells nobody when it ends: asked about again in its turn.
                self._unused.at_rest(ino, home.inode.size)
        except OneOSError as error:
            log.info("file %d keeps its home for now: %s", ino, error)

    def orphaned(self, ino: int) -> None:
        """The file has lost its last name: drop it soon, or when the last program closes it."""
        home = self._homes.get(ino)
        if home is not None:
            home.inode = replace(home.inode, nlink=0)
            if home.held and not home.lock.locked():
                # Nobody will see what was to be committed. Else the lock's holder lets it go.
                self._let_go(home)
            self._unused.orphaned(ino, home.inode.home_epoch)

    async def settle(self) -> None:
        """Close what was to be closed later, while the File System can still be asked."""
        await self._late.stop()
        await self._settling.stop()

    async def stop(self) -> None:
        """Stop dropping orphans; what is left goes at the next start, when its home is voided."""
        await self._unused.stop()

    # --- what the rest of the host asks ---------------------------------------------------------
    def current(self, ino: int, home_epoch: int) -> Inode:
        """The inode of a file at home here. Raises Fenced when it is not, in this epoch."""
        home = self._homes.get(ino)
        if home is None or home.gone or home.inode.home_epoch != home_epoch:
            raise Fenced("the file has found another home")
        return home.inode

    def known(self, ino: Ino) -> Inode | None:
        """The inode of a file that is at home here and has a name; None: ask the File System.

        Nobody takes a home from a living host that does not give it up.
        """
        home = self._homes.get(ino)
        if home is None or home.gone or home.inode.home != self.host or not home.inode.nlink:
            return None
        return home.inode

    def by_path(self, ino: Ino) -> bool:
        """Whether a writer has to say by which path it opens it: there may be another rule."""
        home = self._homes.get(ino)
        return home is not None and self._durability(home.path).later

    def live(self, inode: Inode) -> m.HomeStat | None:
        """Size and time of a file at home here, as its backing file has them now."""
        if not self._has_backing(inode.ino, inode.home_epoch):
            return None
        try:
            status = os.stat(self._backing.path(inode.ino))
        except FileNotFoundError:
            return None
        return m.HomeStat(status.st_size, status.st_mtime_ns)

    async def chunk(self, digest: bytes, holders: Iterable[str]) -> bytes:
        """A chunk's content, from this host's disk or another's; kept here once fetched."""
        return await self._copies.content(digest, holders)

    def path(self, handle: HomeHandle) -> str:
        """Where the backing file of an opened file is."""
        return self._backing.path(handle.home.inode.ino)

    def is_home(self, ino: Ino) -> bool:
        """Whether a file is at home here for sure; if not, ask the File System."""
        home = self._homes.get(ino)
        return home is not None and not home.gone

    async def changed(self, attr: Attr, mtime_ns: int | None = None) -> bool:
        """The log says that attributes of a file changed, which may be at home here.

        Args:
            attr: the answer to that change.
            mtime_ns: the time it set, if it did; the backing file gets it, and so each later
                commit.

        Returns:
            False when a commit came in between that had read the time before: set it again.
        """
        home = self._homes.get(attr.ino)
        if home is None:
            return True
        async with home.lock:
            if home.gone:
                return True
            if attr.ctime_ns >= home.inode.ctime_ns:
                home.inode = as_shown(home.inode, attr)
            if mtime_ns is None:
                return True
            try:
                os.utime(self._backing.path(attr.ino), ns=(attr.atime_ns, mtime_ns))
            except (FileError, FileNotFoundError):
                pass
            return home.inode.version <= attr.version

    def open_count(self) -> int:
        """How many openings there are, for statistics."""
        return sum(home.opens for home in self._homes.values())


async def _nothing_idle(ino: int) -> None:
    """For a host without a name space: what is open, somebody uses."""
