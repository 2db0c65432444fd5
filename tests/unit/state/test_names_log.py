"""The log decides alone: each request is done once, and the same log makes the same index."""

import errno
import stat
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneos.ids import HostName, Incarnation, Ino
from oneos.limits import NAME_RESULTS_MAX
from oneos.state import names_commands as c
from oneos.state.names import Names
from oneos.state.names_store import DictStore
from oneos.state.names_types import (
    Inode,
    Opened,
    Result,
    Walk,
    decode_inode,
    decode_result,
    encode_result,
)
from oneos.storage.index import SqliteNames
from tests.support.examples import examples
from tests.unit.state.names_support import A, B, Client


def test_a_repeated_request_is_answered_and_not_done_again() -> None:
    client = Client()
    command = client.command(c.MkDir, b"/d", 0o755, 0, 0)
    first = client.names.apply(command)
    client.must(c.RmDir, b"/d")
    assert client.names.apply(command) == first
    assert [entry.name for entry in client.names.list(b"/")] == []


def test_a_repeated_refusal_stays_a_refusal() -> None:
    client = Client()
    command = client.command(c.RmDir, b"/d")
    assert client.names.apply(command).errno == errno.ENOENT
    client.must(c.MkDir, b"/d", 0o755, 0, 0)
    assert client.names.apply(command).errno == errno.ENOENT
    assert client.names.lookup(b"/d").is_dir


def test_a_repeated_open_shows_the_chunks_although_they_are_not_kept_twice() -> None:
    client = Client()
    client.at_rest(b"/f", 9)
    command = client.command(c.Create, b"/f", 0o644, 0, 0, False, A, Incarnation(1))
    first = client.names.apply(command)
    assert isinstance(first.value, Opened)
    assert first.value.chunks
    assert client.names.apply(command) == first
    client.must(c.Claim, first.value.attr.ino, B, 1, True, first.value.home_epoch)
    assert client.names.apply(command).errno == errno.ESTALE


def test_a_repeated_open_of_a_file_that_has_ended_is_stale() -> None:
    client = Client()
    command = client.command(c.Create, b"/f", 0o644, 0, 0, False, A, Incarnation(1))
    ino = client.names.apply(command).value.attr.ino  # type: ignore[union-attr]
    client.must(c.Unlink, b"/f")
    client.must(c.Release, ino, A, 1)
    assert client.names.apply(command).errno == errno.ESTALE


def test_requests_older_than_the_kept_results_are_refused() -> None:
    client = Client()
    oldest = client.command(c.Barrier)
    second = client.command(c.Barrier)
    assert client.names.apply(oldest) == client.names.apply(second) == Result()
    for _ in range(NAME_RESULTS_MAX - 1):
        client.must(c.Barrier)
    assert client.names.apply(oldest).errno == errno.ESTALE
    assert client.names.apply(second) == Result()
    kept = [record for record in client.store.dump() if record[0] == "result"]
    assert len(kept) == NAME_RESULTS_MAX


def test_requests_may_come_out_of_order_and_clients_do_not_mix() -> None:
    names = Names(DictStore())
    for number in (5, 3, 4, 1):
        made = names.apply(c.MkDir(("x", number), 1, b"/%d" % number, 0o755, 0, 0))
        assert made.errno == 0
    assert names.apply(c.RmDir(("y", 3), 1, b"/3")).errno == 0
    assert [entry.name for entry in names.list(b"/")] == [b"1", b"4", b"5"]


@pytest.mark.parametrize("number", [-1, 2**63])
def test_an_impossible_request_number_is_refused(number: int) -> None:
    assert Names(DictStore()).apply(c.Barrier(("x", number), 1)).errno == errno.EINVAL


def test_commands_and_results_travel_as_bytes() -> None:
    client = Client()
    client.at_rest(b"/f", 9)
    commands = [
        client.command(c.Create, b"/f", 0o644, 0, 0, False, A, Incarnation(1)),
        client.command(c.SetAttr, b"/f", mtime_ns=-5),
        client.command(c.Commit, Ino(2), A, 2, 5, 0, (b"x" * 32,), (A, B), True),
        client.command(c.Unlink, b"/f"),
        client.command(c.Unlink, b"/f"),
        client.command(c.HostLost, A, Incarnation(3)),
        client.command(c.Symlink, b"/dev/null", b"/l", 0, 0),
        client.command(c.Link, b"/l", b"/l2", Walk(follow=False)),
        client.command(c.MkNod, b"/p", stat.S_IFIFO | 0o600, 0, 0),
        client.command(c.SetAttr, b"/l", uid=3, walk=Walk(True, (b"dev",), 2)),
    ]
    assert c.decode_commands(c.encode_commands(commands)) == commands
    results = [client.names.apply(command) for command in commands]
    assert [decode_result(encode_result(result)) for result in results] == results
    assert [result.errno for result in results] == [0, 0, 0, 0, errno.ENOENT] + [0] * 4 + [
        errno.EXDEV
    ]


def test_records_written_before_there_were_links_mean_what_they_meant() -> None:
    # Each command and inode as it was encoded before `walk` and `target` were added.
    old = msgspec.msgpack.encode(
        [
            ["mkdir", ["x", 1], 5, b"/d", 0o755, 0, 0],
            ["create", ["x", 2], 5, b"/d/f", 0o644, 0, 0, False, "a", 1, True],
            ["rename", ["x", 3], 5, b"/d/f", b"/d/../f"],
            ["setattr", ["x", 4], 5, b"/f", 0, 0o600, None, None, None, None, None],
            ["unlink", ["x", 5], 5, b"/f"],
            ["rmdir", ["x", 6], 5, b"/d"],
        ]
    )
    names = Names(DictStore())
    assert [names.apply(command).errno for command in c.decode_commands(old)] == [0] * 6
    inode = Inode(Ino(7), 0o100644, 1, 2, 3, 4, 5, 6, 7, 8)
    fields = msgspec.to_builtins(inode)
    # `target`, and `wanted`, which came later still.
    assert fields[-2:] == ["", 0]
    assert decode_inode(msgspec.msgpack.encode(fields[:-2])) == inode
    assert decode_inode(msgspec.msgpack.encode([*fields[:-2], b""])) == inode


# --- any log ------------------------------------------------------------------------------------
names = st.sampled_from([b"/a", b"/b", b"/a/a", b"/a/b", b"/b/a", b"/", b"", b"x", b"/a/../b"])
homes = st.sampled_from([HostName("a"), HostName("b"), HostName("")])
small = st.integers(-1, 4)
wide = st.one_of(small, st.sampled_from([-(2**63), 2**63 - 1, 2**63, 2**64 - 1]))
chunk_lists = st.lists(st.sampled_from([b"c" * 32, b"short"]), max_size=2).map(tuple)
copy_lists = st.lists(homes, max_size=2).map(tuple)
optional = st.none() | wide
walks = st.builds(Walk, st.booleans(), st.lists(st.just(b"b"), max_size=1).map(tuple), wide)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "path": names,
    "target": st.one_of(names, st.sampled_from([b"a", b"..", b"../b", b"a/", b"\0"])),
    "walk": walks,
    "old": names,
    "new": names,
    "ino": small | wide,
    "home": homes,
    "to": homes,
    "chunks": chunk_lists,
    "copies": copy_lists,
    "promises": st.lists(wide, max_size=2).map(tuple),
    "host": homes,
    "exclusive": st.booleans(),
    "create": st.booleans(),
    "name": st.sampled_from([b"user.a", b"user.b", b"user.", b"", b"a", b"user.\0"]),
    "value": st.sampled_from([b"", b"\0", b"x" * 65_537]),
    "writing": st.booleans(),
    "final": st.booleans(),
    "replace": st.booleans(),
    "settled": st.none() | st.booleans(),
    "ctime_ns": optional,
    "version": small,
    "home_epoch": small,
    "expect_home_epoch": small,
    "rid": st.tuples(st.sampled_from(["x", "y"]), st.integers(0, 40) | wide),
}
FOR_SETATTR = {"mode", "uid", "gid", "atime_ns", "mtime_ns", "size"}
KINDS = c.AnyCommand.__args__


def _commands(kind: type[c.Command]) -> st.SearchStrategy[c.Command]:
    fields = {}
    for name in kind.__struct_fields__:
        given_here = kind is c.SetAttr and name in FOR_SETATTR
        fields[name] = optional if given_here else FIELDS.get(name, wide)
    return st.builds(kind, **fields)


logs = st.lists(st.lists(st.one_of([_commands(k) for k in KINDS]), max_size=6), max_size=12)


@examples(30)
@given(log=logs, stop=st.integers(0, 12))
def test_any_log_makes_the_same_index_everywhere_and_never_stops_it(
    log: list[list[c.Command]], stop: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = str(tmp_path_factory.mktemp("index") / "index.db")
    one, two = DictStore(), DictStore()
    first, second, sqlite = Names(one), Names(two), SqliteNames.open(path)
    for seq, sent in enumerate(log, 1):
        batch = c.decode_commands(c.encode_commands(sent))
        results = [first.apply(command) for command in batch]
        assert [second.apply(command) for command in sent] == results
        assert sqlite.apply(seq, batch) == results
        if seq == stop:
            sqlite.close()
            sqlite = SqliteNames.open(path)
            assert sqlite.applied_seq == seq
    assert list(one.dump()) == list(two.dump()) == list(sqlite.dump())
    sqlite.close()
