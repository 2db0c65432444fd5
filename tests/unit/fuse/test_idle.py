"""Files that nobody has open any more: kept for the next program, and closed when they must be."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from oneos.fuse import idle as idle_module
from oneos.fuse.idle import IdleFiles
from oneos.fuse.journal import Journal
from oneos.fuse.nodes import Node, Nodes
from oneos.fuse.opened import Backings, HomeFile
from oneos.fuse.openings import Openings
from oneos.local.client import Client, OpenFd
from tests.unit.fuse.support import until


def nobody() -> Client:
    raise AssertionError("there is no Runtime to ask: none of the files has a handle")


@pytest.fixture
def made(tmp_path: Path) -> Callable[[str], tuple[Node, HomeFile]]:
    nodes = Nodes()

    def make(name: str) -> tuple[Node, HomeFile]:
        path = tmp_path / name
        path.write_bytes(b"x")
        fd = os.open(path, os.O_RDONLY)
        node = nodes.looked_up(nodes.root, name.encode(), os.fstat(fd).st_ino)
        return node, HomeFile(nobody, OpenFd(fd, None), os.O_RDONLY, 0)

    return make


def idle_files() -> IdleFiles:
    journal = Journal(os.memfd_create("test"))
    backings = Backings(-1, able=False, note=journal.note)
    return IdleFiles(Openings(journal), backings, journal.commit)


def is_open(file: HomeFile) -> bool:
    try:
        os.fstat(file.fd)
    except OSError:
        return False
    return True


Made = Callable[[str], tuple[Node, HomeFile]]


def test_closed_file_is_the_next_opening_and_then_no_longer_kept(made: Made) -> None:
    idle = idle_files()
    node, file = made("f")
    assert idle.has_room(node)
    idle.put(node, file)
    assert not idle.has_room(node)
    assert idle.take(node) is file and is_open(file)
    assert idle.take(node) is None


def test_file_is_closed_when_nobody_opened_it_for_a_while(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idle_module, "FUSE_IDLE_S", 0.05)
    idle = idle_files()
    node, file = made("f")
    idle.put(node, file)
    until(lambda: not is_open(file))
    assert idle.take(node) is None


def test_of_many_files_the_latest_stay_open(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idle_module, "FUSE_IDLE_MAX", 3)
    idle = idle_files()
    files = [made(f"f{number}") for number in range(5)]
    for node, file in files:
        idle.put(node, file)
    until(lambda: not is_open(files[0][1]) and not is_open(files[1][1]))
    assert [idle.take(node) for node, _ in files[2:]] == [file for _, file in files[2:]]


def test_home_that_another_host_wants_is_free_at_once(made: Made) -> None:
    idle = idle_files()
    (node, file), (gone, its_file) = made("f"), made("g")
    idle.put(node, file)
    idle.put(gone, its_file)
    idle.drop(node)
    assert not is_open(file)
    # The kernel has forgotten this one: no node leads to its file any more.
    idle.forgotten(gone)
    idle.drop_surplus()
    assert not is_open(its_file)
