"""Extended attributes of the index: whose they are, when they end, how many there may be.

That they do and fail as those of a real directory `test_names_model.py` shows.
"""

import errno

import pytest

from oneos.errors import FileError
from oneos.ids import Ino
from oneos.limits import (
    XATTR_FILE_BYTES_MAX,
    XATTR_LIST_BYTES_MAX,
    XATTR_NAME_BYTES_MAX,
    XATTR_VALUE_BYTES_MAX,
)
from oneos.state import names_commands as c
from oneos.state.names_types import Removed
from tests.unit.state.names_support import Client

NONE = Ino(0)


@pytest.fixture
def client() -> Client:
    client = Client()
    client.must(c.MkDir, b"/d", 0o755, 0, 0)
    client.at_rest(b"/f", 9)
    client.must(c.SetXattr, b"/f", NONE, b"user.a", b"1")
    return client


def shown(client: Client, path: bytes) -> dict[bytes, bytes]:
    ino = client.names.lookup(path).ino
    return {name: client.names.xattr(ino, name) for name in client.names.xattrs(ino)}


def kept(client: Client) -> list[int]:
    """The inodes that the store has attributes of."""
    return [row[1] for row in client.store.dump() if row[0] == "xattrs"]  # type: ignore[misc]


def test_all_names_of_a_file_show_them_and_a_rename_takes_them_along(client: Client) -> None:
    client.must(c.Link, b"/f", b"/d/other")
    client.must(c.SetXattr, b"/d/other", NONE, b"user.b", b"\0\xff")
    client.must(c.Rename, b"/f", b"/g")
    both = {b"user.a": b"1", b"user.b": b"\0\xff"}
    assert shown(client, b"/g") == shown(client, b"/d/other") == both


def test_they_end_with_the_last_name_and_with_what_a_rename_replaces(client: Client) -> None:
    client.must(c.Link, b"/f", b"/g")
    client.must(c.Unlink, b"/f")
    assert shown(client, b"/g") == {b"user.a": b"1"}
    client.at_rest(b"/h")
    client.must(c.Rename, b"/h", b"/g")
    client.must(c.SetXattr, b"/d", NONE, b"user.d", b"")
    client.must(c.RmDir, b"/d")
    assert kept(client) == []
    assert shown(client, b"/g") == {}


def test_a_file_without_a_name_has_them_by_number_until_its_home_gives_it_up(
    client: Client,
) -> None:
    file = client.create(b"/open")
    ino = file.attr.ino
    assert client.must(c.Unlink, b"/open") == Removed(ino, False, file.home)
    client.must(c.SetXattr, b"", ino, b"user.late", b"x")
    assert client.names.xattr(ino, b"user.late") == b"x"
    client.must(c.Release, ino, file.home, file.home_epoch)
    assert ino not in kept(client)
    assert client.refused(c.SetXattr, b"", ino, b"user.late", b"x") == errno.ESTALE


def test_a_change_shows_in_the_time_of_change_and_nowhere_else(client: Client) -> None:
    before = client.names.stat(b"/f")
    after = client.must(c.SetXattr, b"/f", NONE, b"user.a", b"2")
    assert after.ctime_ns > before.ctime_ns
    assert (after.mtime_ns, after.version) == (before.mtime_ns, before.version)
    assert client.must(c.RemoveXattr, b"/f", NONE, b"user.a").ctime_ns > after.ctime_ns
    assert client.refused(c.RemoveXattr, b"/f", NONE, b"user.a") == errno.ENODATA
    assert kept(client) == []


def test_a_repeated_request_is_done_once(client: Client) -> None:
    command = client.command(c.SetXattr, b"/f", NONE, b"user.once", b"", create=True)
    assert client.names.apply(command) == client.names.apply(command)
    assert client.names.apply(command).errno == 0


def test_what_one_file_may_have_is_bounded_and_a_refusal_changes_nothing(client: Client) -> None:
    longest = b"user." + b"n" * (XATTR_NAME_BYTES_MAX - 5)
    client.must(c.SetXattr, b"/d", NONE, longest, b"x" * XATTR_VALUE_BYTES_MAX)
    too_long = (b"/d", NONE, b"user.v", b"x" * (XATTR_VALUE_BYTES_MAX + 1))
    assert client.refused(c.SetXattr, *too_long) == errno.E2BIG
    assert client.refused(c.SetXattr, b"/d", NONE, longest + b"n", b"") == errno.ERANGE
    assert client.refused(c.SetXattr, b"/d", NONE, b"", b"") == errno.ERANGE
    assert client.refused(c.SetXattr, b"/d", NONE, b"user.\0", b"") == errno.EINVAL
    left = XATTR_FILE_BYTES_MAX - XATTR_VALUE_BYTES_MAX - len(longest) - 1 - len(b"user.b\0")
    assert client.refused(c.SetXattr, b"/d", NONE, b"user.b", b"x" * (left + 1)) == errno.ENOSPC
    assert list(shown(client, b"/d")) == [longest]
    client.must(c.SetXattr, b"/d", NONE, b"user.b", b"x" * left)
    # In place of the old value counts as such.
    client.must(c.SetXattr, b"/d", NONE, longest, b"y" * XATTR_VALUE_BYTES_MAX)


def test_the_names_together_fit_into_what_a_kernel_lists(client: Client) -> None:
    names = [b"user.%0250d" % n for n in range(XATTR_LIST_BYTES_MAX // (XATTR_NAME_BYTES_MAX + 1))]
    for name in names:
        client.must(c.SetXattr, b"/d", NONE, name, b"")
    assert client.refused(c.SetXattr, b"/d", NONE, b"user.z", b"") == errno.ENOSPC
    assert client.names.xattrs(client.names.lookup(b"/d").ino) == names


def test_reading_says_what_is_wrong_with_a_name(client: Client) -> None:
    client.must(c.Symlink, b"f", b"/l", 0, 0)
    ino = client.names.lookup(b"/f").ino
    for name, code in (
        (b"user.none", errno.ENODATA),
        (b"security.capability", errno.ENOTSUP),
        (b"user.", errno.EINVAL),
        (b"user." + b"n" * XATTR_NAME_BYTES_MAX, errno.ERANGE),
    ):
        with pytest.raises(FileError) as caught:
            client.names.xattr(ino, name)
        assert caught.value.errno == code, name
