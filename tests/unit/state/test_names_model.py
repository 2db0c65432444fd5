"""The index answers as a real directory does, whatever is asked: in memory and in SQLite alike."""

import os
import shutil
import stat
import tempfile
from collections.abc import Callable

from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from oneos.ids import HostName, Incarnation, Ino
from oneos.state import names_commands as c
from oneos.state.names import Names
from oneos.state.names_store import DictStore
from oneos.state.names_types import WALK, Opened, Result, Walk
from oneos.storage.index import SqliteNames
from tests.support.examples import examples
from tests.support.xattrs import HAS_XATTRS

HOST, LIFE, NONE = HostName("h"), Incarnation(1), Ino(0)
LONG = b"n" * 256
NO_FOLLOW = Walk(follow=False)
Path = tuple[int, bytes]


def _stays_inside(path: bytes) -> bool:
    """Whether no `..` leads out of the root, where a real directory goes on and the tree ends.

    The bare root is left out too: a real directory's root has a name in its parent.
    """
    depth = 0
    for name in path.split(b"/"):
        depth += {b"": 0, b".": 0, b"..": -1}.get(name, 1)
        if depth < 0:
            return False
    return path.strip(b"/") != b""


odd = st.sampled_from([b"a", b"b", b"c", b"l", b".", b"..", b"..", LONG, b"\xff\xfe", b"n" * 255])
tails = st.one_of(
    st.just(b""),
    st.sampled_from([b"", b"/a", b"/b", b"/c", b"/l", b"/a/b", b"/"]),
    st.builds(
        lambda names, join, end: b"/" + join.join(names) + end,
        st.lists(odd, min_size=1, max_size=3),
        st.sampled_from([b"/", b"//"]),
        st.sampled_from([b"", b"", b"/", b"//"]),
    ),
)
paths = st.tuples(st.integers(0, 40), tails)
"""A path of the tree as it is then, by its place in the list, and what follows it."""

targets = st.sampled_from(
    [b"a", b"b", b"c", b".", b"..", b"a/b", b"a/", b"./f", b"../a", b"b/../f"]
)
"""What symbolic links say: relative, for a real directory's root is not the tree's."""

attributes = st.sampled_from(
    [b"user.a", b"user.b", b"user.", b"user", b"user." + b"n" * 251]
    + ([b"trusted.a", b"trusted."] if os.getuid() == 0 else [])
)
"""Names of extended attributes, not all of them possible."""

modes = st.sampled_from([0o755, 0o700, 0o744, 0o1777, 0o2775, 0o711])


class TreeMachine(RuleBasedStateMachine):
    """One set of operations, three trees."""

    def __init__(self) -> None:
        super().__init__()
        self.umask = os.umask(0)
        self.base = tempfile.mkdtemp(prefix="oneos-model-").encode()
        self.real = self.base + b"/tree"
        os.mkdir(self.real, 0o755)
        self.store = DictStore()
        self.names = Names(self.store)
        self.sqlite = SqliteNames.open(os.fsdecode(self.base) + "/index.db")
        self.number = 0

    def teardown(self) -> None:
        assert list(self.sqlite.dump()) == list(self.store.dump())
        self.sqlite.close()
        shutil.rmtree(self.base)
        os.umask(self.umask)

    # --- the three trees --------------------------------------------------------------------
    def ask(self, kind: type[c.Command], *args: object, **options: object) -> Result:
        """Both indexes, each asked twice: a repeat is answered the same and changes nothing."""
        self.number += 1
        command = kind(("client", self.number), self.number, *args, **options)
        result = self.names.apply(command)
        dump = list(self.store.dump())
        assert self.names.apply(command) == result
        assert list(self.store.dump()) == dump
        assert self.sqlite.apply(self.number, [command, command]) == [result, result]
        return result

    def directories(self) -> list[bytes]:
        found = [b""]
        for directory in found:
            for entry in os.scandir(self.real + directory):
                if entry.is_dir(follow_symlinks=False):
                    found.append(directory + b"/" + entry.name)
        return found

    def same(self, call: Callable[[], object], kind: type[c.Command], *args: object) -> Result:
        """Do it in the real tree and in the index: same errno, same directories touched."""
        directories = self.directories()
        for path in directories:
            os.utime(self.real + path, ns=(0, 0))
        try:
            call()
            code = 0
        except OSError as error:
            code = error.errno or -1
        before = {p: self.names.lookup(p or b"/").mtime_ns for p in directories}
        result = self.ask(kind, *args)
        assert result.errno == code, (kind, args)
        now = set(self.directories())
        touched = {p for p in directories if p in now and os.stat(self.real + p).st_mtime_ns}
        changed = {
            p
            for p in directories
            if p in now and self.names.lookup(p or b"/").mtime_ns != before[p]
        }
        if kind is not c.Rename:
            # A renamed directory has another path, and the times of the one that was there before.
            assert changed == touched
        return result

    def path(self, spec: Path) -> bytes:
        """The path a rule was given."""
        known = [b""]
        for directory in self.directories():
            known += [directory + b"/" + entry.name for entry in self.names.list(directory or b"/")]
        path = known[spec[0] % len(known)] + spec[1]
        assume(_stays_inside(path))
        assume(self.links_stay_inside(path))
        return path

    def links_stay_inside(self, path: bytes) -> bool:
        """Whether no symbolic link leads out of the root, step by step."""
        names = path.split(b"/")
        steps = [self.real + b"/".join(names[:count]) for count in range(2, len(names) + 1)]
        return all(os.path.realpath(step).startswith(self.real) for step in steps)

    # --- operations -------------------------------------------------------------------------
    @initialize()
    def two_levels(self) -> None:
        for path in (b"/a", b"/a/b", b"/c"):
            self.mkdir((0, path), 0o755)
        for path in (b"/f", b"/a/f", b"/a/b/f"):
            self.write((0, path), 0o744, False, 3)
        for path, target in ((b"/l", b"a"), (b"/a/l", b"../c/new"), (b"/a/b/l", b"..")):
            self.symlink((0, path), target)
        self.link((0, b"/f"), (0, b"/c/f"))

    @rule(where=paths, mode=modes)
    def mkdir(self, where: Path, mode: int) -> None:
        path = self.path(where)
        gid = os.getgid()
        self.same(lambda: os.mkdir(self.real + path, mode), c.MkDir, path, mode, os.getuid(), gid)

    @rule(where=paths)
    def rmdir(self, where: Path) -> None:
        path = self.path(where)
        self.same(lambda: os.rmdir(self.real + path), c.RmDir, path)

    @rule(where=paths)
    def unlink(self, where: Path) -> None:
        path = self.path(where)
        self.same(lambda: os.unlink(self.real + path), c.Unlink, path)

    @rule(old=paths, new=paths)
    def rename(self, old: Path, new: Path) -> None:
        source, target = self.path(old), self.path(new)
        real = self.real
        self.same(lambda: os.rename(real + source, real + target), c.Rename, source, target)

    @rule(where=paths, says=targets)
    def symlink(self, where: Path, says: bytes) -> None:
        path = self.path(where)
        uid, gid = os.getuid(), os.getgid()
        real = self.real + path
        self.same(lambda: os.symlink(says, real), c.Symlink, says, path, uid, gid)

    @rule(old=paths, new=paths)
    def link(self, old: Path, new: Path) -> None:
        source, target = self.path(old), self.path(new)
        real = self.real
        self.same(lambda: os.link(real + source, real + target), c.Link, source, target, NO_FOLLOW)

    @rule(where=paths, mode=modes)
    def chmod(self, where: Path, mode: int) -> None:
        path = self.path(where)
        result = self.ask(c.SetAttr, path, mode=mode)
        assert result.errno == _errno(lambda: os.chmod(self.real + path, mode))

    @rule(where=paths, atime=st.integers(0, 2**40), mtime=st.integers(0, 2**40))
    def utime(self, where: Path, atime: int, mtime: int) -> None:
        path = self.path(where)
        result = self.ask(c.SetAttr, path, atime_ns=atime, mtime_ns=mtime)
        assert result.errno == _errno(lambda: os.utime(self.real + path, ns=(atime, mtime)))
        if not result.errno:
            shown = self.names.stat(path)
            assert (shown.atime_ns, shown.mtime_ns) == (atime, mtime)
            info = os.stat(self.real + path)
            assert (info.st_atime_ns, info.st_mtime_ns) == (atime, mtime)

    @rule(where=paths, mode=modes, exclusive=st.booleans(), size=st.sampled_from([0, 3, 70_000]))
    def write(self, where: Path, mode: int, exclusive: bool, size: int) -> None:
        path = self.path(where)
        flags = os.O_CREAT | os.O_WRONLY | (os.O_EXCL if exclusive else 0)

        def real() -> None:
            fd = os.open(self.real + path, flags, mode)
            os.ftruncate(fd, size)
            os.close(fd)

        uid, gid = os.getuid(), os.getgid()
        result = self.same(real, c.Create, path, mode, uid, gid, exclusive, HOST, LIFE)
        if not result.errno:
            assert isinstance(result.value, Opened)
            self.commit(result.value, size)

    def commit(self, file: Opened, size: int) -> None:
        ino, epoch = file.attr.ino, file.home_epoch
        chunks = (b"s" * 32,) if size else ()
        done = self.ask(c.Commit, ino, HOST, epoch, size, self.number, chunks, (HOST,), True)
        assert done.errno == 0
        assert self.ask(c.Release, ino, HOST, epoch).errno == 0

    @rule(where=paths, size=st.sampled_from([0, 2, 3, 100_000, 3 * 2**20]))
    def truncate(self, where: Path, size: int) -> None:
        path = self.path(where)
        code = _errno(lambda: os.truncate(self.real + path, size))
        result = self.ask(c.SetAttr, path, size=size)
        if code == 0 and result.errno == 16:
            # The index cannot cut a chunk in two: it sends the caller to a home.
            inode = self.names.lookup(path)
            assert 0 < size < inode.size
            claim = self.ask(c.Claim, inode.ino, HOST, LIFE, True, inode.home_epoch)
            assert isinstance(claim.value, Opened)
            self.commit(claim.value, size)
        else:
            assert result.errno == code

    @rule(where=paths)
    def look(self, where: Path) -> None:
        path = self.path(where)
        assert _errno(lambda: self.names.stat(path)) == _errno(lambda: os.stat(self.real + path))
        assert _errno(lambda: self.names.stat(path, NO_FOLLOW)) == _errno(
            lambda: os.lstat(self.real + path)
        )
        assert _errno(lambda: self.names.readlink(path)) == _errno(
            lambda: os.readlink(self.real + path)
        )
        assert _errno(lambda: self.names.list(path)) == _errno(lambda: os.listdir(self.real + path))

    @rule(
        where=paths,
        name=attributes,
        value=st.binary(max_size=3),
        flags=st.sampled_from([(False, False), (True, False), (False, True)]),
        follow=st.booleans(),
    )
    def setxattr(
        self, where: Path, name: bytes, value: bytes, flags: tuple[bool, bool], follow: bool
    ) -> None:
        assume(HAS_XATTRS)
        path = self.path(where)
        bits = os.XATTR_CREATE * flags[0] | os.XATTR_REPLACE * flags[1]
        real = self.real + path
        code = _errno(lambda: os.setxattr(real, name, value, bits, follow_symlinks=follow))
        walk = WALK if follow else NO_FOLLOW
        assert self.ask(c.SetXattr, path, NONE, name, value, *flags, walk).errno == code

    @rule(where=paths, name=attributes, follow=st.booleans())
    def removexattr(self, where: Path, name: bytes, follow: bool) -> None:
        assume(HAS_XATTRS)
        path = self.path(where)
        code = _errno(lambda: os.removexattr(self.real + path, name, follow_symlinks=follow))
        walk = WALK if follow else NO_FOLLOW
        assert self.ask(c.RemoveXattr, path, NONE, name, walk).errno == code

    @rule()
    def restart(self) -> None:
        self.sqlite.close()
        self.sqlite = SqliteNames.open(self.sqlite.path)
        assert self.sqlite.applied_seq == self.number

    @invariant()
    def the_trees_are_equal(self) -> None:
        for directory in self.directories():
            path = directory or b"/"
            listed = self.names.list(path)
            assert self.sqlite.names.list(path) == listed
            real = sorted(os.listdir(self.real + directory))
            assert [entry.name for entry in listed] == real
            for entry in listed:
                child = directory + b"/" + entry.name
                info, inode = os.lstat(self.real + child), self.names.lookup(child, NO_FOLLOW)
                assert self.sqlite.names.lookup(child, NO_FOLLOW) == inode
                assert (inode.mode, inode.nlink) == (info.st_mode, info.st_nlink), child
                assert entry.kind == stat.S_IFMT(info.st_mode)
                assert entry.ino == inode.ino
                if inode.is_link:
                    assert inode.target == os.readlink(self.real + child)
                if not inode.is_dir:
                    assert inode.size == info.st_size
                if HAS_XATTRS:
                    xattrs = self.names.xattrs(inode.ino)
                    listed = os.listxattr(self.real + child, follow_symlinks=False)
                    assert xattrs == sorted(os.fsencode(name) for name in listed)
                    for name in xattrs:
                        value = os.getxattr(self.real + child, name, follow_symlinks=False)
                        assert self.sqlite.names.xattr(inode.ino, name) == value
        root, info = self.names.lookup(b"/"), os.stat(self.real)
        assert (root.mode, root.nlink) == (info.st_mode, info.st_nlink)


def _errno(call: Callable[[], object]) -> int:
    try:
        call()
        return 0
    except Exception as error:
        code = getattr(error, "errno", None)
        if not isinstance(code, int):
            raise
        return code


TestTree = TreeMachine.TestCase
TestTree.settings = examples(12, stateful_step_count=25)
