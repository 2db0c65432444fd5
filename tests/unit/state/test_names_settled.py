"""A rename never puts a file that was lost in place of one that is there, whoever dies when."""

import errno

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oneos.ids import HostName
from oneos.limits import COPIES_MAX
from oneos.state import names_commands as c
from oneos.state.names_types import Opened, Result, Unsettled
from tests.unit.state.names_support import A, B, Client


@pytest.fixture
def client() -> Client:
    return Client()


def test_a_file_that_its_home_writes_is_renamed_when_it_is_settled(client: Client) -> None:
    file = client.create(b"/new")
    refused = client.do(c.Rename, b"/new", b"/old", settled=False)
    assert refused == Result(errno.EAGAIN, Unsettled(file.attr.ino, A, 1))
    assert client.names.lookup(b"/new").ino == file.attr.ino
    client.must(c.Rename, b"/new", b"/old", settled=True)
    assert client.names.lookup(b"/old").ino == file.attr.ino


def test_a_file_at_rest_is_renamed_at_once(client: Client) -> None:
    client.commit(client.create(b"/new"), 5)
    client.must(c.Rename, b"/new", b"/old", settled=False)
    client.must(c.MkDir, b"/d", 0o755, 0, 0)
    client.must(c.Rename, b"/d", b"/e", settled=False)


def test_the_answer_without_a_record_is_the_same(client: Client) -> None:
    file = client.create(b"/new")
    rename = client.command(c.Rename, b"/new", b"/old", settled=False)
    assert client.names.not_yet(rename) == client.names.apply(rename)
    client.commit(file, 5)
    assert client.names.not_yet(rename) is None
    assert client.names.not_yet(client.command(c.Rename, b"/none", b"/x", settled=False)) is None


@pytest.mark.parametrize("settled", [False, True])
def test_a_file_that_was_lost_with_its_home_replaces_nothing(client: Client, settled: bool) -> None:
    client.at_rest(b"/old", 9)
    client.create(b"/new")
    client.must(c.HostLost, A, 1)
    assert client.refused(c.Rename, b"/new", b"/old", settled=settled) == errno.EIO
    assert client.names.lookup(b"/old").size == 9
    client.must(c.Rename, b"/new", b"/elsewhere", settled=settled)


def test_a_record_of_before_renames_whatever_there_is(client: Client) -> None:
    client.at_rest(b"/old", 9)
    client.create(b"/new")
    client.must(c.Rename, b"/new", b"/old")


def test_a_file_knows_how_many_hosts_should_hold_it(client: Client) -> None:
    file = client.create(b"/f")
    args = (file.attr.ino, A, 1, 5, 7, (b"c" * 32,), (A,), False)
    for wanted, kept in ((3, 3), (0, 0), (1000, COPIES_MAX), (-4, 0)):
        client.must(c.Commit, *args, wanted=wanted)
        assert client.names.lookup(b"/f").wanted == kept


def test_who_creates_a_file_learns_where_it_is_without_links(client: Client) -> None:
    client.must(c.MkDir, b"/d", 0o755, 0, 0)
    client.must(c.Symlink, b"/d", b"/way", 0, 0)
    client.must(c.Symlink, b"/d/there", b"/last", 0, 0)
    assert client.create(b"/way/../way/f").path == b"/d/f"
    assert client.create(b"/d/f").path == b"/d/f"
    assert client.create(b"/last").path == b"/d/there"


# --- any history ----------------------------------------------------------------------------------
HOMES = st.sampled_from([A, B])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), HOMES, st.booleans()),
        st.tuples(st.just("lose"), HOMES),
        st.tuples(st.just("rename"), st.booleans()),
    ),
    max_size=30,
)


@settings(max_examples=300, deadline=None, database=None)
@given(steps=STEPS)
def test_after_any_crash_the_name_has_a_content_that_was_whole(
    steps: list[tuple[str, HostName, bool] | tuple[str, HostName] | tuple[str, bool]],
) -> None:
    """`/new` is written and renamed over `/old`, as programs do; its home dies at any moment."""
    client = Client()
    client.at_rest(b"/old", 100)
    incarnation = {A: 1, B: 1}
    writing: Opened | None = None
    whole, number = {100}, 100
    for step in steps:
        if step[0] == "write":
            writing = client.create(b"/new", home=step[1], incarnation=incarnation[step[1]])
            if step[2] and writing.home == step[1]:
                number += 1
                assert client.commit(writing, number).errno == 0
                whole.add(number)
        elif step[0] == "lose":
            client.must(c.HostLost, step[1], incarnation[step[1]])
            incarnation[step[1]] += 1
        else:
            first = client.do(c.Rename, b"/new", b"/old", settled=False)
            if isinstance(first.value, Unsettled):
                assert writing is not None
                if step[1]:
                    # The home dies while it is asked to commit.
                    client.must(c.HostLost, first.value.home, incarnation[first.value.home])
                    incarnation[first.value.home] += 1
                else:
                    number += 1
                    asked = first.value
                    args = (asked.ino, asked.home, asked.home_epoch, number, 7)
                    client.must(c.Commit, *args, (bytes([number]) * 32,), (A,), True)
                    whole.add(number)
                client.do(c.Rename, b"/new", b"/old", settled=not step[1])
        assert client.names.lookup(b"/old").size in whole
