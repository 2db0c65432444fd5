"""What a name space shows of its host, and that it shows no more."""

import os
import stat
from pathlib import Path

from oneos.fuse.view import HOST_ROOT, Missing, View, host_parts, view_of


def test_system_directories_stand_where_the_host_has_them() -> None:
    view = view_of([])
    for path in ("/usr", "/lib"):
        if os.path.islink(path):
            assert view.links[os.fsencode(path)] == os.fsencode(os.readlink(path))
        else:
            assert path in [bind.target for bind in view.binds]
    assert view.kind(b"/usr") == stat.S_IFDIR
    assert view.kind(b"/dev/null") == stat.S_IFREG
    assert view.kind(b"/dev/fd") == stat.S_IFLNK
    # The tree's own directories stay the tree's.
    assert not any(view.kind(path) for path in (b"/bin", b"/etc", b"/home", b"/tmp", b"/dev"))
    assert not any(bind.writable for bind in view.binds)


def test_interpreter_of_ones_own_is_shown_with_the_way_to_it(tmp_path: Path) -> None:
    prefix = tmp_path / "python"
    prefix.mkdir()
    view = view_of([str(prefix), "/usr/local"])
    assert str(prefix) in [bind.target for bind in view.binds]
    # Below /usr, which is there already.
    assert "/usr/local" not in [bind.target for bind in view.binds]
    above = os.fsencode(tmp_path)
    assert view.kind(above) == stat.S_IFDIR
    assert view.children(above) == {b"python": stat.S_IFDIR}
    # The neighbours of what is shown are not.
    (tmp_path / "secret").touch()
    assert not view.kind(above + b"/secret") and not view.stand_in(above, b"secret")


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
    targets = [part.target for part in host_parts()]
    root = os.fsdecode(HOST_ROOT)
    assert f"{root}/etc/shadow" not in targets and f"{root}/etc/passwd" not in targets
    assert not view_of([]).stand_in(b"/etc", b"passwd")
