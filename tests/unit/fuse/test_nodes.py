"""Numbers of the kernel for names of the tree: they follow renames, and never mean another file."""

import errno

import pytest

from oneos.fuse.nodes import ROOT_ID, Node, Nodes


def code_of(nodes: Nodes, node: Node) -> int | None:
    with pytest.raises(OSError) as raised:
        nodes.path(node)
    return raised.value.errno


def test_path_of_a_node_is_that_of_its_names() -> None:
    nodes = Nodes()
    home = nodes.looked_up(nodes.root, b"home", 5)
    file = nodes.looked_up(home, b"f\xff", 6)
    assert nodes.path(nodes.root) == b"/"
    assert nodes.path(file) == b"/home/f\xff"
    assert nodes.child(nodes.root, b"x") == b"/x"
    assert nodes.get(file.id) is file and nodes.get(ROOT_ID) is nodes.root


def test_name_that_stands_for_another_inode_gets_another_number() -> None:
    nodes = Nodes()
    old = nodes.looked_up(nodes.root, b"f", 6)
    assert nodes.looked_up(nodes.root, b"f", 6) is old
    new = nodes.looked_up(nodes.root, b"f", 7)
    assert new.id != old.id and nodes.path(new) == b"/f"
    # A program may have the old one open still, but no path leads there.
    assert code_of(nodes, old) == errno.ESTALE


def test_rename_takes_everything_below_along_and_the_name_it_replaces_away() -> None:
    nodes = Nodes()
    a, b = nodes.looked_up(nodes.root, b"a", 2), nodes.looked_up(nodes.root, b"b", 3)
    below = nodes.looked_up(a, b"f", 4)
    nodes.renamed(nodes.root, b"a", nodes.root, b"b")
    assert nodes.path(below) == b"/b/f"
    assert code_of(nodes, b) == errno.ESTALE
    nodes.removed(a, b"f")
    assert code_of(nodes, below) == errno.ESTALE


def test_all_below_a_name_that_is_lost_is_without_a_path() -> None:
    nodes = Nodes()
    directory = nodes.looked_up(nodes.root, b"d", 2)
    below = nodes.looked_up(directory, b"f", 3)
    assert not nodes.nameless(below) and not nodes.nameless(nodes.root)
    nodes.looked_up(nodes.root, b"d", 4)
    assert nodes.nameless(directory) and nodes.nameless(below)
    assert code_of(nodes, below) == errno.ESTALE


def test_all_names_of_an_inode_are_found() -> None:
    nodes = Nodes()
    one, two = nodes.looked_up(nodes.root, b"a", 6), nodes.looked_up(nodes.root, b"b", 6)
    assert set(nodes.of_inode(6)) == {one, two}
    nodes.renamed(nodes.root, b"a", nodes.root, b"c")
    # Also of one that has lost its name: a program may have it open.
    nodes.removed(nodes.root, b"b")
    assert set(nodes.of_inode(6)) == {one, two}
    nodes.forget(two.id, 1)
    assert nodes.of_inode(6) == [one] and nodes.of_inode(7) == []


def test_forgotten_nodes_leave_nothing_behind() -> None:
    nodes = Nodes()
    for _ in range(3):
        file = nodes.looked_up(nodes.root, b"f", 6)
    nodes.forget(file.id, 2)
    assert nodes.get(file.id) is file
    nodes.forget(file.id, 1)
    with pytest.raises(OSError):
        nodes.get(file.id)
    nodes.forget(file.id, 1)
    nodes.forget(ROOT_ID, 1)
    again = nodes.looked_up(nodes.root, b"f", 6)
    assert again.id != file.id and len(nodes) == 2


def test_forgetting_a_replaced_name_leaves_the_new_one() -> None:
    nodes = Nodes()
    old = nodes.looked_up(nodes.root, b"f", 6)
    new = nodes.looked_up(nodes.root, b"f", 7)
    nodes.forget(old.id, 1)
    assert nodes.path(new) == b"/f"
    assert nodes.looked_up(nodes.root, b"f", 7) is new
