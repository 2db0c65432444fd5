"""Names that are looked at one after the other are asked for together; in vain only once."""

from __future__ import annotations

import os
import stat
import time

import pytest

from oneos.fuse.ahead import Listing
from oneos.fuse.cache import Cache, Kept
from oneos.fuse.nodes import Nodes
from oneos.limits import LOOKS_KEPT_MAX, LOOKS_MAX

VALID_S = 60.0
NAMES = [b"%05d" % number for number in range(2000)]


def look_at_all(listing: Listing) -> int:
    """Look at each name in order, all that is found ahead holding; returns the requests."""
    requests = 0
    ahead: list[bytes] = []
    for name in listing.names:
        if name in ahead:
            listing.passed(name)
            continue
        ahead = listing.next(name)
        assert ahead[:1] in ([], [name])
        requests += 1
    return requests


def test_a_listing_that_is_looked_through_takes_few_requests() -> None:
    listing = Listing(NAMES)
    assert look_at_all(listing) <= 4 + len(NAMES) // LOOKS_MAX + 1
    assert look_at_all(listing) <= 4 + len(NAMES) // LOOKS_MAX + 1, "a second pass is one as well"


def test_names_that_are_looked_at_here_and_there_are_asked_for_alone() -> None:
    listing = Listing(NAMES)
    assert [listing.next(NAMES[at]) for at in (700, 120, 1500, 1000)] == [[]] * 4
    assert listing.next(b"of another directory") == []


def test_what_was_looked_ahead_in_vain_is_not_looked_ahead_again_in_that_pass() -> None:
    listing = Listing(NAMES)
    asked = [len(listing.next(name)) for name in NAMES[:50]]
    assert asked[0] > 0 and asked[1:] == [0] * 49
    assert listing.next(NAMES[0]), "the next pass may try again"


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch) -> Cache:
    # Kept for so long that no stall of a busy machine outlasts it.
    monkeypatch.setattr("oneos.fuse.cache.CACHE_VALID_S", VALID_S)
    monkeypatch.setattr("oneos.fuse.cache.LOOK_LATE_S", VALID_S)
    # Notices go nowhere.
    cache = Cache(os.open("/dev/null", os.O_WRONLY), Nodes())
    cache.names = True
    return cache


def found(cache: Cache, ino: int) -> Kept:
    attributes = [stat.S_IFREG | 0o644, ino, 1, 1, 0, 0, 9, 1, 1, 1, 1, 0]
    return cache.answered((attributes, True, True), cache.now())


def test_answer_is_kept_for_what_is_left_of_its_time(cache: Cache) -> None:
    look = found(cache, 5)
    look.until_s -= 15
    assert cache.shorten(look)
    assert 0 < look.name_s <= VALID_S - 15
    assert 0 < look.attributes_s <= VALID_S - 15
    look.until_s = time.monotonic() - 0.001
    assert not cache.shorten(look)


def test_answer_that_was_called_back_is_not_given(cache: Cache) -> None:
    look = found(cache, 5)
    cache.recall([77], everything=False)
    assert not cache.shorten(look)


def test_answer_about_an_inode_that_a_program_here_changed_is_not_given(cache: Cache) -> None:
    five, six = found(cache, 5), found(cache, 6)
    cache.changed(5)
    assert not cache.shorten(five)
    assert cache.shorten(six)
    assert cache.shorten(found(cache, 5)), "one that was asked for after the change is"


def test_more_changes_than_are_remembered_count_for_every_inode(cache: Cache) -> None:
    look, began = found(cache, 5), cache.now()
    for ino in range(100, 101 + LOOKS_KEPT_MAX):
        cache.changed(ino)
    assert not cache.shorten(look)
    assert not cache.shorten(cache.answered((look.attributes, True, True), began))
    assert cache.shorten(found(cache, 5))


def test_attributes_of_an_answer_that_was_under_way_at_a_change_are_asked_for_again(
    cache: Cache,
) -> None:
    nodes = Nodes()
    node = nodes.looked_up(nodes.root, b"f", 5)
    look = found(cache, 5)
    cache.keep(node, look)
    assert cache.kept(node) is not None
    cache.changed(5)
    cache.keep(node, look)
    assert cache.kept(node) is None


def test_own_change_of_a_directory_leaves_the_attributes_of_other_inodes(cache: Cache) -> None:
    nodes = Nodes()
    directory, other = nodes.looked_up(nodes.root, b"d", 5), nodes.looked_up(nodes.root, b"f", 6)
    ahead = found(cache, 7)
    cache.keep(directory, found(cache, 5))
    cache.keep(other, found(cache, 6))
    cache.changed_names(5)
    assert cache.kept(directory) is None and cache.kept(other) is not None
    assert not cache.shorten(ahead), "the name may be the one that was changed"
    cache.changed_paths()
    assert cache.kept(other) is None
