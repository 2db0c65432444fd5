"""What a file process leaves: its notes amount to the same whenever they are folded or cut off."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from oneos.fuse import journal as journal_module
from oneos.fuse.journal import Journal
from oneos.fuse.nodes import Node, Nodes
from oneos.fuse.opened import HomeFile
from oneos.fuse.openings import Openings
from oneos.fuse.succession import (
    BACKED,
    CLOSED,
    FACTS,
    LISTED,
    LOCKED,
    OPENED,
    POLLED,
    UNBACKED,
    UNLISTED,
    UNLOCKED,
    Earlier,
    Opening,
    State,
)
from oneos.limits import FUSE_CARRIED_MAX
from oneos.local.client import Client, OpenFd


def nobody() -> Client:
    raise AssertionError("there is no Runtime to ask")


@pytest.fixture
def memory() -> Iterator[int]:
    fd = os.memfd_create("test")
    yield fd
    os.close(fd)


def begun(memory: int) -> tuple[Journal, Nodes]:
    journal = Journal(memory)
    journal.begin()
    return journal, Nodes(journal.note)


def heir(memory: int) -> tuple[State, Nodes]:
    state = Journal(memory).inherit()
    nodes = Nodes()
    nodes.restore(state)
    return state, nodes


def test_names_are_known_under_their_numbers_with_all_their_lookups(memory: int) -> None:
    journal, nodes = begun(memory)
    home = nodes.looked_up(nodes.root, b"home", 5)
    file = nodes.looked_up(home, b"f\xff", 6)
    nodes.looked_up(home, b"f\xff", 6)
    replaced = nodes.looked_up(home, b"g", 7)
    replaced.shown = [0o100644, 7]
    nodes.renamed(home, b"f\xff", home, b"g")
    gone = nodes.looked_up(home, b"gone", 8)
    nodes.forget(gone.id, 1)
    journal.commit()
    _, left = heir(memory)
    assert left.path(left.get(file.id)) == b"/home/g"
    assert left.get(replaced.id).detached and left.get(replaced.id).shown == [0o100644, 7]
    assert [node.id for node in left.of_inode(6)] == [file.id]
    assert len(left) == 4 and left.forget(file.id, 1) is None
    assert left.forget(file.id, 1) is not None and len(left) == 3
    assert left.looked_up(left.root, b"new", 9).id > gone.id


def test_rename_done_again_takes_no_name_away() -> None:
    nodes = Nodes()
    file = nodes.looked_up(nodes.root, b"a", 6)
    nodes.renamed(nodes.root, b"a", nodes.root, b"b")
    nodes.renamed(nodes.root, b"a", nodes.root, b"b")
    assert nodes.path(file) == b"/b"


def test_what_was_not_committed_never_was(memory: int) -> None:
    journal, nodes = begun(memory)
    known = nodes.looked_up(nodes.root, b"a", 6)
    journal.commit(2, b"answer")
    nodes.looked_up(nodes.root, b"b", 7)
    state, left = heir(memory)
    assert len(left) == 2 and left.get(known.id).name == b"a"
    assert state.requests == {2: Earlier(b"answer")}


def test_answer_is_kept_until_its_thread_has_the_next_and_over_any_number_of_heirs(
    memory: int,
) -> None:
    journal, _ = begun(memory)
    for request in (2, 4, 6):
        journal.answer(request, b"%d" % request)
    for _ in range(3):
        journal = Journal(memory)
        assert journal.inherit().requests == {6: Earlier(b"6")}
    journal.answer(8, b"8")
    assert Journal(memory).inherit().requests == {6: Earlier(b"6"), 8: Earlier(b"8")}


def test_request_that_was_begun_is_in_doubt_until_it_is_answered_or_left(memory: int) -> None:
    journal, _ = begun(memory)
    with pytest.raises(BlockingIOError), journal.begun(2):
        raise BlockingIOError
    assert Journal(memory).inherit().requests == {}
    with journal.begun(4, 1234):
        pass
    assert Journal(memory).inherit().requests == {4: Earlier(None, 1234)}
    # Twice: the doubt is noted now, and no longer marked.
    journal = Journal(memory)
    assert journal.inherit().requests == {4: Earlier(None, 1234)}
    with journal.begun(6):
        journal.answer(6, b"x")
    assert Journal(memory).inherit().requests[6] == Earlier(b"x")


def test_folding_changes_nothing(memory: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "FUSE_JOURNAL_FOLD_BYTES", 500)
    journal, nodes = begun(memory)
    journal.note(FACTS, {"minor": 45})
    for request in range(1, 500):
        node = nodes.looked_up(nodes.root, b"%d" % request, request + 10)
        journal.note(OPENED, request, node.id, "HomeFile", request, os.O_APPEND, 3, -1)
        journal.note(BACKED, node.id, 3, 1, 2)
        journal.note(LISTED, request, [(b"x", 0o100000, 9)])
        journal.note(POLLED, request, request + 1)
        journal.commit(2 * request, b"a%d" % request)
        if request != 77:
            journal.note(CLOSED, request)
            journal.note(UNBACKED, node.id)
            journal.note(UNLISTED, request)
            nodes.forget(node.id, 1)
            journal.commit()
    node_id = nodes.looked_up(nodes.root, b"77", 87).id
    state, left = heir(memory)
    assert state.openings == {77: Opening(node_id, "HomeFile", 77, os.O_APPEND, 3, -1)}
    assert state.backings == {node_id: (3, 1, 2)} and state.polled == {77: 78}
    assert state.listings == {77: [(b"x", 0o100000, 9)]}
    assert state.requests == {998: Earlier(b"a499")}
    assert state.facts["minor"] == 45 and state.generation == 1 and len(left) == 2
    # It takes no more memory than it must: one half, and what was folded last.
    assert os.fstat(memory).st_blocks * 512 < 1 << 20


def test_more_than_fits_is_left_to_nobody(memory: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "FUSE_JOURNAL_BYTES_MAX", 1 << 17)
    journal, nodes = begun(memory)
    for number in range(3000):
        nodes.looked_up(nodes.root, b"%d" % number + bytes(40), number + 10)
        journal.commit()
    with pytest.raises(ValueError, match="did not fit"):
        Journal(memory).inherit()


def test_doubts_of_killed_programs_are_bounded() -> None:
    state = State()
    for number in range(2 * FUSE_CARRIED_MAX):
        state.inherited({number + 1: 0})
    assert len(state.requests) == FUSE_CARRIED_MAX and 2 * FUSE_CARRIED_MAX in state.requests


def test_kept_file_is_known_from_one_in_use_and_its_number_given_again(
    memory: int, tmp_path: Path
) -> None:
    journal, nodes = begun(memory)
    openings = Openings(journal)

    def opened(name: str) -> tuple[Node, HomeFile, int]:
        fd = os.open(tmp_path / name, os.O_CREAT | os.O_RDONLY)
        node = nodes.looked_up(nodes.root, name.encode(), 6)
        file = HomeFile(nobody, OpenFd(fd, fd), os.O_RDONLY, 0)
        answer = openings.enter(node, file)
        journal.commit(2, answer)
        return node, file, file.number

    (node, kept, kept_number), (_, _, used_number) = opened("kept"), opened("used")
    openings.leave(kept_number)
    heir_of = Journal(memory)
    assert set(heir_of.inherit().openings) == {kept_number, used_number}
    assert heir_of.in_slots == {kept_number: 0, used_number: 1}

    # Opened again, and killed before the answer: who comes finds what it would have been.
    journal.serving = 8
    given = openings.again(node, kept)
    heir_of = Journal(memory)
    state = heir_of.inherit()
    assert heir_of.in_slots[kept_number] == 8
    others = Openings(heir_of)
    others.restore(state.generation, [(kept_number, node, kept)])
    assert others.given(8) == given and others.given(10) is None

    # A slot is another's only when it is noted that this one is over.
    openings.leave(kept_number)
    openings.over(kept)
    assert journal.slot() != kept.slot
    journal.commit()
    assert journal.slot() == kept.slot


def test_owners_of_locks_are_known_until_they_have_none(memory: int) -> None:
    journal, _ = begun(memory)
    for number in (3, 4):
        journal.note(LOCKED, 7, 1 << 63, number, 100)
    journal.note(LOCKED, 8, 1 << 63, 5, 100)
    journal.note(LOCKED, 7, 2, 3, 101)
    journal.note(UNLOCKED, 7, 2)
    journal.commit()
    expected = {(7, 1 << 63): (100, [3, 4]), (8, 1 << 63): (100, [5])}
    state, _ = heir(memory)
    assert state.locks == expected
    # And by the next one, from the state that this one wrote down.
    assert heir(memory)[0].locks == expected
