"""A file has one home; nobody else's content becomes the file's, and a lost home loses no file."""

import errno

import pytest

from oneos.errors import FileError
from oneos.ids import Ino
from oneos.limits import CHUNK_BYTES, COPIES_MAX, FILE_CHUNKS_MAX
from oneos.state import names_commands as c
from oneos.state.names_types import Opened
from tests.unit.state.names_support import A, B, Client


@pytest.fixture
def client() -> Client:
    return Client()


def _claim(client: Client, file: Opened, home: str, incarnation: int, epoch: int) -> Opened:
    value = client.must(c.Claim, file.attr.ino, home, incarnation, True, epoch)
    assert isinstance(value, Opened)
    return value


def _gone(client: Client, ino: Ino) -> bool:
    try:
        client.names.inode(ino)
    except FileError as error:
        assert error.errno == errno.ESTALE
        return True
    return False


def test_a_new_file_is_at_home_where_it_was_made(client: Client) -> None:
    file = client.create(b"/f")
    assert (file.home, file.home_epoch, file.writing, file.created) == (A, 1, True, True)


def test_a_commit_becomes_the_files_content(client: Client) -> None:
    file = client.create(b"/f")
    assert client.commit(file, 9, final=False).errno == 0
    inode = client.names.lookup(b"/f")
    assert (inode.size, inode.version, inode.writing, inode.mtime_ns) == (9, 1, True, 7)
    assert client.commit(file, 10, final=True).errno == 0
    inode = client.names.lookup(b"/f")
    assert (inode.size, inode.version, inode.writing) == (10, 2, False)
    assert inode.chunks == (bytes([10]) * 32,)
    assert inode.copies == (A,)


def test_the_home_stays_after_the_last_close(client: Client) -> None:
    file = client.create(b"/f")
    client.commit(file, 9)
    again = client.create(b"/f")
    assert (again.home, again.home_epoch, again.created) == (A, 1, False)
    assert again.writing


def test_opening_a_file_of_another_home_answers_that_home(client: Client) -> None:
    client.commit(client.create(b"/f"), 9)
    other = client.create(b"/f", home=B)
    assert (other.home, other.home_epoch, other.writing) == (A, 1, False)


def test_opening_a_file_without_a_home_claims_it(client: Client) -> None:
    client.at_rest(b"/f", 9)
    other = client.create(b"/f", home=B)
    assert (other.home, other.home_epoch, other.writing) == (B, 2, True)
    assert other.chunks == (bytes([9]) * 32,)


def test_a_commit_of_an_older_home_is_refused(client: Client) -> None:
    old = client.create(b"/f")
    new = _claim(client, old, B, 1, 1)
    assert (new.home, new.home_epoch) == (B, 2)
    assert client.commit(old, 5).errno == errno.ESTALE
    assert client.commit(new, 6).errno == 0
    back = _claim(client, new, A, 1, 2)
    assert client.commit(old, 5).errno == errno.ESTALE
    assert client.commit(back, 7).errno == 0
    assert client.names.lookup(b"/f").size == 7


def test_of_two_hosts_that_claim_at_once_one_gets_the_file(client: Client) -> None:
    file = client.create(b"/f")
    _claim(client, file, B, 1, 1)
    assert client.refused(c.Claim, file.attr.ino, "c", 1, True, 1) == errno.ESTALE


def test_a_restarted_host_gets_a_new_epoch(client: Client) -> None:
    old = client.create(b"/f", incarnation=1)
    assert client.create(b"/f", incarnation=2).home_epoch == 2
    assert client.commit(old, 5).errno == errno.ESTALE
    late = client.do(c.Claim, old.attr.ino, A, 1, True, 2)
    assert late.errno == errno.ESTALE, "an older incarnation takes the file back"


def test_a_reader_at_the_same_home_does_not_end_the_writers_use(client: Client) -> None:
    file = client.create(b"/f")
    client.must(c.Claim, file.attr.ino, A, 1, False, 1)
    assert client.names.lookup(b"/f").writing


def test_a_lost_host_is_nobodys_home_and_the_committed_content_stays(client: Client) -> None:
    file, kept = client.create(b"/f"), client.create(b"/kept", home=B)
    client.commit(file, 9, final=False)
    client.must(c.HostLost, A, 1)
    inode = client.names.lookup(b"/f")
    assert (inode.home, inode.writing, inode.size) == ("", False, 9)
    assert client.names.lookup(b"/kept").home == B
    assert client.commit(file, 10).errno == errno.ESTALE
    assert client.commit(kept, 10).errno == 0
    assert client.refused(c.Claim, file.attr.ino, A, 1, True, 1) == errno.ESTALE
    assert client.refused(c.Create, b"/new", 0o644, 0, 0, False, A, 1) == errno.ESTALE
    assert client.create(b"/f", incarnation=2).home_epoch == 2


def test_a_loss_told_late_takes_nothing_from_the_newer_incarnation(client: Client) -> None:
    client.create(b"/f", incarnation=5)
    client.must(c.HostLost, A, 4)
    assert client.names.lookup(b"/f").home == A
    client.must(c.HostLost, A, 5)
    client.must(c.HostLost, A, 3)
    assert client.names.lookup(b"/f").home == ""


def test_an_unlinked_file_lives_until_its_home_releases_it(client: Client) -> None:
    file = client.create(b"/f")
    removed = client.must(c.Unlink, b"/f")
    assert (removed.ino, removed.deleted, removed.home) == (file.attr.ino, False, A)
    assert client.names.inode(file.attr.ino).nlink == 0
    assert list(client.names.orphans()) == [file.attr.ino]
    assert client.commit(file, 9).errno == 0
    assert client.must(c.Release, file.attr.ino, A, 1).deleted
    assert _gone(client, file.attr.ino)
    assert list(client.names.orphans()) == []


def test_a_replaced_file_lives_until_its_home_releases_it(client: Client) -> None:
    file = client.create(b"/f")
    client.at_rest(b"/g", 4)
    removed = client.must(c.Rename, b"/g", b"/f")
    assert (removed.ino, removed.deleted, removed.home) == (file.attr.ino, False, A)
    assert client.names.lookup(b"/f").size == 4
    client.must(c.Release, file.attr.ino, A, 1)
    assert _gone(client, file.attr.ino)


def test_an_unlinked_file_ends_with_its_lost_home(client: Client) -> None:
    file, other = client.create(b"/f"), client.create(b"/g", home=B)
    client.must(c.Unlink, b"/f")
    client.must(c.Unlink, b"/g")
    client.must(c.HostLost, A, 1)
    assert _gone(client, file.attr.ino)
    assert not _gone(client, other.attr.ino)


def test_a_file_at_rest_ends_with_its_name(client: Client) -> None:
    ino = client.at_rest(b"/f")
    removed = client.must(c.Unlink, b"/f")
    assert (removed.ino, removed.deleted) == (ino, True)
    assert _gone(client, ino)
    lost = client.create(b"/g")
    client.must(c.HostLost, A, 1)
    assert client.must(c.Unlink, b"/g").deleted
    assert _gone(client, lost.attr.ino)


def test_a_released_file_has_no_home_and_a_second_release_is_refused(client: Client) -> None:
    file = client.create(b"/f")
    assert not client.must(c.Release, file.attr.ino, A, 1).deleted
    assert client.names.lookup(b"/f").home == ""
    assert client.refused(c.Release, file.attr.ino, A, 1) == errno.ESTALE
    assert client.refused(c.Release, file.attr.ino, "", 1) == errno.ESTALE


def test_a_file_handed_over_has_its_new_home_at_once_and_the_old_one_can_do_nothing(
    client: Client,
) -> None:
    file = client.create(b"/f")
    client.commit(file, 9)
    given = client.must(c.HandOver, file.attr.ino, A, 1, B, 5, False)
    assert (given.home, given.home_incarnation, given.home_epoch) == (B, 5, 2)
    assert (given.writing, given.created, given.chunks) == (False, False, (bytes([9]) * 32,))
    assert client.names.lookup(b"/f").home == B
    assert client.refused(c.HandOver, file.attr.ino, A, 1, A, 1, False) == errno.ESTALE
    assert client.commit(file, 10).errno == errno.ESTALE
    back = client.must(c.HandOver, file.attr.ino, B, 2, A, 1, True)
    assert (back.home, back.home_epoch, back.writing) == (A, 3, True)


def test_a_file_is_not_handed_to_a_host_that_was_lost_or_has_no_name(client: Client) -> None:
    file = client.create(b"/f")
    client.must(c.HostLost, B, 5)
    assert client.refused(c.HandOver, file.attr.ino, A, 1, B, 5, False) == errno.ESTALE
    assert client.refused(c.HandOver, file.attr.ino, A, 1, "", 1, False) == errno.EINVAL
    assert client.names.lookup(b"/f").home == A
    assert client.must(c.HandOver, file.attr.ino, A, 1, B, 6, False).home == B


def test_a_file_without_a_name_ends_where_it_would_be_handed_over(client: Client) -> None:
    file = client.create(b"/f")
    client.must(c.Unlink, b"/f")
    assert client.must(c.HandOver, file.attr.ino, A, 1, B, 1, False).deleted
    assert _gone(client, file.attr.ino)


@pytest.mark.parametrize(
    ("size", "chunks", "code"),
    [
        (0, 0, 0),
        (0, 1, errno.EINVAL),
        (1, 1, 0),
        (CHUNK_BYTES, 1, 0),
        (CHUNK_BYTES, 2, errno.EINVAL),
        (CHUNK_BYTES + 1, 2, 0),
        (10 * CHUNK_BYTES, 1, 0),
        (-1, 0, errno.EINVAL),
        (2**63, 0, errno.EINVAL),
        (2**62, FILE_CHUNKS_MAX, 0),
        (2**62, FILE_CHUNKS_MAX + 1, errno.EFBIG),
    ],
)
def test_chunks_must_fit_the_size(client: Client, size: int, chunks: int, code: int) -> None:
    ino = client.create(b"/f").attr.ino
    args = (ino, A, 1, size, 0, (b"x" * 32,) * chunks, (A,), True)
    assert client.do(c.Commit, *args).errno == code


def test_a_chunk_is_named_by_32_bytes_and_copies_are_bounded(client: Client) -> None:
    ino = client.create(b"/f").attr.ino
    assert client.refused(c.Commit, ino, A, 1, 5, 0, (b"x" * 31,), (A,), True) == errno.EINVAL
    many = (A,) * (COPIES_MAX + 1)
    assert client.refused(c.Commit, ino, A, 1, 0, 0, (), many, True) == errno.EINVAL
    assert client.refused(c.Copies, ino, 0, many) == errno.EINVAL


def test_copies_change_only_for_the_version_they_were_made_of(client: Client) -> None:
    ino = client.at_rest(b"/f", 9)
    client.must(c.Copies, ino, 1, (A, B))
    assert client.names.inode(ino).copies == (A, B)
    assert client.refused(c.Copies, ino, 2, (B,)) == errno.ESTALE


def test_a_size_changes_without_bytes_only_at_rest_and_at_a_chunks_end(client: Client) -> None:
    file = client.create(b"/f")
    assert client.refused(c.SetAttr, b"/f", size=0) == errno.ESTALE
    size = 2 * CHUNK_BYTES + 5
    chunks = (b"a" * 32, b"b" * 32, b"c" * 32)
    client.must(c.Commit, file.attr.ino, A, 1, size, 0, chunks, (A,), True)
    client.must(c.Release, file.attr.ino, A, 1)
    assert client.refused(c.SetAttr, b"/f", size=size - 1) == errno.EBUSY
    assert client.refused(c.SetAttr, b"/f", size=-1) == errno.EINVAL
    assert client.must(c.SetAttr, b"/f", size=9 * CHUNK_BYTES + 1).version == 2
    assert client.names.lookup(b"/f").chunks == chunks
    assert client.must(c.SetAttr, b"/f", size=7 * CHUNK_BYTES + 1).size == 7 * CHUNK_BYTES + 1
    client.must(c.SetAttr, ino=file.attr.ino, size=CHUNK_BYTES)
    assert client.names.lookup(b"/f").chunks == chunks[:1]
    client.must(c.SetAttr, b"/f", size=0)
    assert client.names.lookup(b"/f").chunks == ()


def test_a_directory_has_no_home_and_no_content(client: Client) -> None:
    ino = client.must(c.MkDir, b"/d", 0o755, 0, 0).ino
    assert client.refused(c.Claim, ino, A, 1, True, 0) == errno.EISDIR
    assert client.refused(c.Commit, ino, A, 0, 0, 0, (), (), True) == errno.EISDIR
    assert client.refused(c.Release, ino, A, 0) == errno.EISDIR
    assert client.refused(c.Copies, ino, 0, ()) == errno.EISDIR


def test_a_home_has_a_name_and_an_inode_is_there(client: Client) -> None:
    file = client.create(b"/f")
    assert client.refused(c.Claim, file.attr.ino, "", 1, True, 1) == errno.EINVAL
    assert client.refused(c.Create, b"/g", 0o644, 0, 0, False, "", 1) == errno.EINVAL
    assert client.refused(c.HostLost, "", 1) == errno.EINVAL
    for kind, args in (
        (c.Claim, (99, A, 1, True, 0)),
        (c.Commit, (99, A, 1, 0, 0, (), (), True)),
        (c.Release, (99, A, 1)),
        (c.HandOver, (99, A, 1, B, 1, False)),
        (c.Copies, (99, 0, ())),
    ):
        assert client.refused(kind, *args) == errno.ESTALE
    assert client.refused(c.SetAttr, ino=99, mode=0) == errno.ESTALE


def test_scan_shows_every_inode_once_in_order(client: Client) -> None:
    for n in range(10):
        client.at_rest(b"/%d" % n)
    seen: list[int] = []
    while page := client.names.scan(seen[-1] if seen else 0, 3):
        seen += [inode.ino for inode in page]
    assert seen == list(range(1, 12))


def test_a_commit_says_when_the_content_changed_and_takes_no_later_change_back(
    client: Client,
) -> None:
    file = client.create(b"/f")
    made_ns = client.names.lookup(b"/f").ctime_ns
    args = (file.attr.ino, A, 1, 0, made_ns + 5, (), (A,), False)
    assert client.must(c.Commit, *args, ctime_ns=made_ns + 5).ctime_ns == made_ns + 5
    changed_ns = client.must(c.SetAttr, b"/f", mode=0o600).ctime_ns
    assert changed_ns > made_ns + 5
    assert client.must(c.Commit, *args, ctime_ns=made_ns + 5).ctime_ns == changed_ns
    # What records that do not say it meant: the time of the commit.
    assert client.must(c.Commit, *args).ctime_ns > changed_ns
