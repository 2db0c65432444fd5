"""Links keep what POSIX promises where a real directory below the root cannot show it."""

import errno
import stat

import pytest

from oneos.errors import FileError
from oneos.ids import Incarnation, Ino
from oneos.limits import FILE_NAMES_MAX, LINK_TARGET_BYTES_MAX, LINKS_FOLLOWED_MAX
from oneos.state import names_commands as c
from oneos.state.names_types import (
    WALK,
    Elsewhere,
    Inode,
    Opened,
    Removed,
    Result,
    Walk,
)
from tests.unit.state.names_support import A, Client

NO_FOLLOW = Walk(follow=False)
PARTS = Walk(parts=(b"dev", b"proc"))


@pytest.fixture
def client() -> Client:
    client = Client()
    client.must(c.MkDir, b"/d", 0o755, 0, 0)
    client.must(c.MkDir, b"/dev", 0o755, 0, 0)
    client.at_rest(b"/d/f", 9)
    return client


def link(client: Client, target: bytes, path: bytes) -> None:
    client.must(c.Symlink, target, path, 5, 6)


def code(client: Client, path: bytes, walk: Walk = WALK) -> int:
    with pytest.raises(FileError) as caught:
        client.names.lookup(path, walk)
    return caught.value.errno


# --- symbolic links -----------------------------------------------------------------------------
def test_a_symbolic_link_says_any_bytes_but_0_up_to_a_paths_length(client: Client) -> None:
    for number, target in enumerate((b"\xff\n /..", b"x" * LINK_TARGET_BYTES_MAX)):
        path = b"/l%d" % number
        link(client, target, path)
        shown = client.names.stat(path, NO_FOLLOW)
        assert (shown.mode, shown.nlink, shown.size) == (0o120777, 1, len(target))
        assert (shown.uid, shown.gid) == (5, 6)
        assert client.names.readlink(path) == target
    assert client.refused(c.Symlink, b"", b"/x", 0, 0) == errno.ENOENT
    assert client.refused(c.Symlink, b"a\0b", b"/x", 0, 0) == errno.EINVAL
    long = b"x" * (LINK_TARGET_BYTES_MAX + 1)
    assert client.refused(c.Symlink, long, b"/x", 0, 0) == errno.ENAMETOOLONG


def test_an_absolute_link_starts_at_the_root_and_dots_count_from_where_it_led(
    client: Client,
) -> None:
    client.must(c.MkDir, b"/d/e", 0o755, 0, 0)
    link(client, b"/d/e", b"/l")
    link(client, b"/", b"/d/root")
    assert client.names.find(b"/l/../f").path == b"/d/f"
    assert client.names.find(b"/d/root/d/root").path == b"/"
    assert client.names.find(b"/d/root/../../d/./f").path == b"/d/f"
    assert client.refused(c.MkDir, b"/d/root", 0o755, 0, 0) == errno.EEXIST
    assert client.refused(c.RmDir, b"/d/root/") == errno.ENOTDIR


def test_forty_links_are_followed_and_no_more(client: Client) -> None:
    link(client, b"/d", b"/l0")
    for number in range(1, LINKS_FOLLOWED_MAX + 1):
        link(client, b"l%d" % (number - 1), b"/l%d" % number)
    last = b"/l%d" % (LINKS_FOLLOWED_MAX - 1)
    found = client.names.find(last)
    assert (found.path, found.links) == (b"/d", LINKS_FOLLOWED_MAX)
    assert client.names.find(last + b"/f").path == b"/d/f"
    assert code(client, b"/l%d" % LINKS_FOLLOWED_MAX) == errno.ELOOP
    # Those that were followed before, on this path's way, count too.
    assert code(client, b"/l0", Walk(links=LINKS_FOLLOWED_MAX)) == errno.ELOOP
    assert client.names.find(b"/l0", Walk(links=-(2**62))).links == 1


def test_opening_through_a_link_to_nothing_makes_what_it_names(client: Client) -> None:
    link(client, b"d/new", b"/l")
    made = client.create(b"/l")
    assert made.created
    assert client.names.find(b"/d/new").inode is not None
    assert client.names.lookup(b"/d/new").ino == made.attr.ino
    assert client.names.lookup(b"/l", NO_FOLLOW).is_link
    again = client.must(c.Create, b"/l", 0o644, 0, 0, False, A, 1)
    assert isinstance(again, Opened)
    assert not again.created
    args = (b"/l", 0o644, 0, 0)
    assert client.refused(c.Create, *args, True, A, 1) == errno.EEXIST
    assert client.refused(c.Create, *args, False, A, 1, walk=NO_FOLLOW) == errno.ELOOP


def test_a_links_own_times_and_owner_change_and_its_mode_never(client: Client) -> None:
    link(client, b"d", b"/l")
    client.must(c.SetAttr, b"/l", uid=9, atime_ns=3, mtime_ns=4, walk=NO_FOLLOW)
    shown = client.names.stat(b"/l", NO_FOLLOW)
    assert (shown.uid, shown.atime_ns, shown.mtime_ns) == (9, 3, 4)
    assert shown.mode == 0o120777
    assert shown.ctime_ns == client.number * 1000
    assert client.refused(c.SetAttr, b"/l", mode=0, walk=NO_FOLLOW) == errno.EOPNOTSUPP
    assert client.refused(c.SetAttr, b"/l", size=0, walk=NO_FOLLOW) == errno.EINVAL
    client.must(c.SetAttr, b"/l", mode=0o700)
    assert stat.S_IMODE(client.names.lookup(b"/d").mode) == 0o700


def test_a_symbolic_link_is_no_file_with_a_home(client: Client) -> None:
    link(client, b"d", b"/l")
    ino = client.names.lookup(b"/l", NO_FOLLOW).ino
    assert client.refused(c.Claim, ino, A, 1, True, 0) == errno.ELOOP
    assert client.refused(c.Copies, ino, 0, (A,)) == errno.ELOOP


def test_unlink_and_rename_are_about_the_link(client: Client) -> None:
    link(client, b"d/f", b"/l")
    client.must(c.Rename, b"/l", b"/m")
    assert client.names.readlink(b"/m") == b"d/f"
    assert client.must(c.Unlink, b"/m").deleted
    assert client.names.lookup(b"/d/f").size == 9


# --- hard links ---------------------------------------------------------------------------------
def test_a_file_lives_as_long_as_one_of_its_names(client: Client) -> None:
    before = client.names.lookup(b"/d/f")
    made = client.must(c.Link, b"/d/f", b"/g")
    assert (made.ino, made.nlink, made.ctime_ns) == (before.ino, 2, client.number * 1000)
    assert client.must(c.Unlink, b"/d/f") == Removed()
    left = client.names.lookup(b"/g")
    assert (left.ino, left.nlink, left.chunks) == (before.ino, 1, before.chunks)
    assert left.ctime_ns == client.number * 1000
    assert client.must(c.Unlink, b"/g") == Removed(before.ino, True)


def test_a_file_in_use_is_an_orphan_after_its_last_name_only(client: Client) -> None:
    file = client.create(b"/f")
    client.must(c.Link, b"/f", b"/g")
    assert client.must(c.Unlink, b"/f") == Removed()
    assert client.names.orphans() == []
    assert client.must(c.Unlink, b"/g") == Removed(file.attr.ino, False, A)
    assert client.names.orphans() == [file.attr.ino]


def test_renaming_onto_another_name_of_the_file_does_nothing(client: Client) -> None:
    client.must(c.Link, b"/d/f", b"/g")
    before = client.names.lookup(b"/g")
    assert client.must(c.Rename, b"/d/f", b"/g") == Removed()
    assert client.names.lookup(b"/d/f") == client.names.lookup(b"/g") == before


def test_renaming_over_one_of_several_names_keeps_the_file(client: Client) -> None:
    client.must(c.Link, b"/d/f", b"/g")
    client.at_rest(b"/h", 3)
    assert client.must(c.Rename, b"/h", b"/g") == Removed()
    assert client.names.lookup(b"/d/f").nlink == 1


def test_a_hard_link_is_of_the_symbolic_link_or_of_what_it_leads_to(client: Client) -> None:
    link(client, b"d/f", b"/l")
    assert client.must(c.Link, b"/l", b"/l2", NO_FOLLOW).nlink == 2
    assert client.names.readlink(b"/l2") == b"d/f"
    assert client.must(c.Link, b"/l", b"/f2").ino == client.names.lookup(b"/d/f").ino
    assert client.refused(c.Link, b"/d", b"/d2") == errno.EPERM


def test_a_file_has_a_bounded_number_of_names(client: Client) -> None:
    inode = client.names.lookup(b"/d/f")
    fields = {name: getattr(inode, name) for name in Inode.__struct_fields__}
    client.store.put_inode(Inode(**{**fields, "nlink": FILE_NAMES_MAX}))
    assert client.refused(c.Link, b"/d/f", b"/g") == errno.EMLINK


# --- other parts of the tree --------------------------------------------------------------------
@pytest.mark.parametrize(
    ("target", "asked", "path", "links"),
    [
        (b"/dev/null", b"/l", b"/dev/null", 1),
        (b"../dev", b"/d/../l/null/", b"/dev/null/", 1),
        (b"/dev/x/../..", b"/l/d/f", b"/dev/x/../../d/f", 1),
        (b"d", b"/l/../proc/1", b"/proc/1", 1),
        (b"d", b"/d/../proc", b"/proc", 0),
    ],
)
def test_a_path_that_leads_to_another_part_says_where_to_go_on(
    client: Client, target: bytes, asked: bytes, path: bytes, links: int
) -> None:
    link(client, target, b"/l")
    before = list(client.store.dump())
    found = client.names.find(asked, PARTS)
    assert (found.path, found.links, found.inode) == (path, links, None)
    result = client.do(c.SetAttr, asked, mode=0, walk=PARTS)
    assert result == Result(errno.EXDEV, Elsewhere(asked, path, links))
    changed = [record for record in client.store.dump() if record[0] != "result"]
    assert changed == [record for record in before if record[0] != "result"]


def test_each_command_stops_where_another_part_begins(client: Client) -> None:
    link(client, b"/dev", b"/l")
    asked: list[tuple[type[c.Command], tuple[object, ...]]] = [
        (c.MkDir, (b"/l/x", 0, 0, 0)),
        (c.RmDir, (b"/l/x",)),
        (c.Unlink, (b"/l/x",)),
        (c.Rename, (b"/d/f", b"/l/x")),
        (c.Rename, (b"/l/x", b"/d/g")),
        (c.Create, (b"/l/x", 0, 0, 0, True, A, 1)),
        (c.Symlink, (b"x", b"/l/x", 0, 0)),
        (c.Link, (b"/d/f", b"/l/x")),
        (c.Link, (b"/l/x", b"/d/g")),
    ]
    for kind, args in asked:
        result = client.do(kind, *args, walk=PARTS)
        assert result == Result(errno.EXDEV, Elsewhere(b"/l/x", b"/dev/x", 1)), kind
    # The link itself is the index's.
    assert client.must(c.Unlink, b"/l", walk=PARTS).deleted


def test_records_that_name_no_parts_walk_through_what_is_one_now(client: Client) -> None:
    assert client.do(c.MkDir, b"/dev/../d/old", 0o755, 0, 0).errno == 0
    assert client.names.lookup(b"/d/old").ino > Ino(0)


def test_a_fifo_and_a_socket_have_a_name_and_never_content() -> None:
    client = Client()
    for kind, path in ((stat.S_IFIFO, b"/f"), (stat.S_IFSOCK, b"/s")):
        made = client.must(c.MkNod, path, kind | 0o640, 1, 2)
        assert (made.mode, made.nlink, made.uid, made.gid) == (kind | 0o640, 1, 1, 2)
        assert client.refused(c.MkNod, path, kind | 0o640, 1, 2) == errno.EEXIST
        assert client.refused(c.Claim, made.ino, A, 1, True, 0) == errno.ENXIO
        create = (c.Create, path, 0o644, 0, 0, False, A, Incarnation(1))
        assert client.refused(*create) == errno.ENXIO
        assert client.refused(c.SetAttr, path, size=0) == errno.EINVAL
        client.must(c.Rename, path, path + b"2")
        client.must(c.Unlink, path + b"2")
        with pytest.raises(FileError):
            client.names.inode(made.ino)
    assert client.refused(c.MkNod, b"/d", stat.S_IFBLK | 0o640, 0, 0) == errno.EPERM
