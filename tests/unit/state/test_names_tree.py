"""What a real directory below the root cannot show: the root itself, and the longest paths."""

import errno
import stat

import pytest

from oneos.errors import FileError
from oneos.state import names_commands as c
from tests.unit.state.names_support import Client


def _code(client: Client, path: bytes) -> int:
    with pytest.raises(FileError) as caught:
        client.names.lookup(path)
    return caught.value.errno


@pytest.mark.parametrize("root", [b"/", b"//", b"/.", b"/..", b"/../..", b"/d/.."])
def test_the_root_is_there_under_each_of_its_paths(root: bytes) -> None:
    client = Client()
    client.must(c.MkDir, b"/d", 0o755, 0, 0)
    assert client.names.lookup(root).ino == 1
    assert [entry.name for entry in client.names.list(root)] == [b"d"]
    assert client.refused(c.MkDir, root, 0o755, 0, 0) == errno.EEXIST
    assert client.refused(c.Rename, root, b"/x") == errno.EBUSY
    assert client.refused(c.Rename, b"/d", root) == errno.EBUSY
    assert client.refused(c.Unlink, root) == errno.EISDIR
    assert client.refused(c.Create, root, 0o644, 0, 0, False, "a", 1) == errno.EISDIR
    assert client.refused(c.Create, root, 0o644, 0, 0, True, "a", 1) == errno.EEXIST
    assert client.refused(c.SetAttr, root, size=0) == errno.EISDIR


def test_the_root_cannot_be_removed() -> None:
    client = Client()
    assert client.refused(c.RmDir, b"/") == errno.EBUSY
    assert client.refused(c.RmDir, b"/.") == errno.EINVAL
    assert client.refused(c.RmDir, b"/..") == errno.ENOTEMPTY
    assert client.names.lookup(b"/").nlink == 2


def test_the_roots_mode_can_change_and_its_type_cannot() -> None:
    client = Client()
    assert client.must(c.SetAttr, b"/", mode=stat.S_IFREG | 0o1777).mode == stat.S_IFDIR | 0o1777


def test_a_path_is_absolute_and_has_no_byte_0() -> None:
    client = Client()
    assert _code(client, b"") == errno.ENOENT
    assert _code(client, b"etc") == errno.EINVAL
    assert _code(client, b"/a\0b") == errno.EINVAL


def test_a_path_may_have_4095_bytes_and_no_more() -> None:
    client = Client()
    path = b"/" + b"./" * 2047
    assert len(path) == 4095
    assert client.names.lookup(path).ino == 1
    assert _code(client, path + b"/") == errno.ENAMETOOLONG


def test_a_new_directory_takes_group_and_set_group_id_from_its_parent() -> None:
    client = Client()
    client.must(c.MkDir, b"/d", 0o4755, 0, 0)
    assert client.must(c.SetAttr, b"/d", mode=0o2755, gid=70).gid == 70
    made = client.must(c.MkDir, b"/d/e", 0o755, 5, 5)
    assert (made.mode, made.uid, made.gid) == (stat.S_IFDIR | 0o2755, 5, 70)
    client.at_rest(b"/d/f")
    assert client.names.lookup(b"/d/f").gid == 70


def test_a_new_owner_ends_set_user_id() -> None:
    client = Client()
    client.at_rest(b"/f")
    client.must(c.SetAttr, b"/f", mode=0o6755)
    assert client.must(c.SetAttr, b"/f", uid=9).mode == stat.S_IFREG | 0o755


def test_inode_numbers_are_never_used_again() -> None:
    client = Client()
    seen = set()
    for _ in range(5):
        seen.add(client.must(c.MkDir, b"/d", 0o755, 0, 0).ino)
        client.must(c.RmDir, b"/d")
    assert len(seen) == 5


def test_times_come_from_the_commands() -> None:
    client = Client()
    made = client.must(c.MkDir, b"/d", 0o755, 0, 0)
    assert made.mtime_ns == made.ctime_ns == made.atime_ns == client.number * 1000
    client.must(c.MkDir, b"/d/e", 0o755, 0, 0)
    parent = client.names.stat(b"/d")
    assert parent.mtime_ns == parent.ctime_ns == client.number * 1000
    assert parent.atime_ns == made.atime_ns
    moved = client.names.stat(b"/d/e")
    client.must(c.Rename, b"/d/e", b"/e")
    after = client.names.stat(b"/e")
    assert (after.mtime_ns, after.ctime_ns) == (moved.mtime_ns, client.number * 1000)


def test_a_rename_that_must_not_replace_does_not() -> None:
    client = Client()
    client.create(b"/a")
    client.create(b"/b")
    assert client.refused(c.Rename, b"/a", b"/b", replace=False) == errno.EEXIST
    client.must(c.Rename, b"/a", b"/c", replace=False)
    assert client.names.lookup(b"/c").nlink == 1
