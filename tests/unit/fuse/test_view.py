"""What a name space shows of its host, and that it shows no more."""

import os
import stat
from pathlib import Path

from oneos.fuse.view import Missing, View, view_of

TREE = ("bin", "dev", "etc", "home", "proc", "tmp")


def targets(view: View) -> list[str]:
    return [bind.target for bind in view.binds]


def test_system_directories_stand_where_the_host_has_them() -> None:
    view = view_of([], TREE)
    for path in ("/usr", "/lib"):
        if os.path.islink(path):
            assert view.root_links[path] == os.readlink(path)
        else:
            assert path in targets(view)
    assert view.links[b"/dev/null"] == b"/.host/dev/null"
    assert view.links[b"/dev/fd"] == b"/proc/self/fd"
    # The tree's own directories stay the tree's.
    assert not any(view.kind(b"/" + name.encode()) for name in TREE)
    assert "usr" not in TREE and "/usr" not in targets(view_of([], (*TREE, "usr")))


def test_nothing_is_mounted_below_a_directory_of_the_tree(tmp_path: Path) -> None:
    prefix = tmp_path / "python"
    prefix.mkdir()
    for bind in view_of([str(prefix)], TREE).binds:
        assert bind.target.split("/")[1] not in TREE


def test_interpreter_of_ones_own_is_shown_with_the_way_to_it(tmp_path: Path) -> None:
    prefix = tmp_path / "python"
    prefix.mkdir()
    # The neighbours of what is shown are not.
    (tmp_path / "secret").touch()
    top = tmp_path.parts[1]
    raw, above = os.fsencode(prefix), os.fsencode(tmp_path)

    beside = view_of([str(prefix), "/usr/local"], [name for name in TREE if name != top])
    assert str(prefix) in targets(beside) and not beside.kind(raw)
    # Below /usr, which is there already.
    assert "/usr/local" not in targets(beside)

    below = view_of([str(prefix)], [*TREE, top])
    assert f"/.host{prefix}" in targets(below)
    assert below.links[raw] == b"/.host" + raw
    assert below.kind(above) == stat.S_IFDIR
    assert below.children(above) == {b"python": stat.S_IFLNK}
    assert not below.kind(above + b"/secret") and not below.stand_in(above, b"secret")


def test_names_the_tree_lacks_lead_to_the_host_only_where_they_may(tmp_path: Path) -> None:
    for name in ("localtime", "shadow"):
        (tmp_path / name).touch()
    listed = Missing(str(tmp_path), b"/there", frozenset((b"localtime", b"absent")))
    view = View(missing={b"/etc": [listed]})
    assert view.stand_in(b"/etc", b"localtime") == b"/there/localtime"
    assert view.stand_in(b"/etc", b"shadow") == b""
    assert view.stand_in(b"/etc", b"absent") == b""
    assert view.stand_in(b"/home", b"localtime") == b""


def test_of_etc_neither_users_nor_passwords_are_shown() -> None:
    view = view_of([], TREE)
    assert "/.host/etc/shadow" not in targets(view) and "/.host/etc/passwd" not in targets(view)
    assert not view.stand_in(b"/etc", b"passwd")


def test_of_a_program_here_the_kernel_shows_what_the_network_does_not_know() -> None:
    view = view_of([], TREE)
    own = b"/proc/%d" % os.getpid()
    assert view.of_kernel(own + b"/exe") == b"" and not view.is_own(own, os.getpid())
    fd = os.open("/proc", os.O_RDONLY | os.O_DIRECTORY)
    try:
        view.have_proc(fd)
        assert view.of_kernel(own + b"/exe") == b"/.host" + own + b"/exe"
        for known in (b"/stat", b"/status", b"/context", b"/no-such-name", b"/task/1", b""):
            assert view.of_kernel(own + known) == b""
        assert view.stand_in(b"/proc", b"self") == b"/.host/proc/self"
        assert view.is_own(own, os.getpid())
        assert not view.is_own(own, os.getppid()) and not view.is_own(own + b"/fd", os.getpid())
    finally:
        os.close(fd)


def test_only_names_of_proc_that_are_no_numbers_are_its_kernels_alone() -> None:
    assert View.is_system(b"/proc/self") and View.is_system(b"/proc/meminfo")
    for path in (b"/proc", b"/proc/7", b"/proc/7/exe", b"/proc/self/exe", b"/home/self"):
        assert not View.is_system(path)
