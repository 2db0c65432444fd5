"""Who asks as an instrumented program finds the rights of the file in its way, as in a kernel's."""

import errno
import stat

import pytest

from oneos.errors import FileError
from oneos.files.handles import Caller
from oneos.files.xattrs import READ, WRITE, check_rights
from oneos.ids import Ino
from oneos.state.names_types import Inode

OWNER, MEMBER, OTHER, ROOT = Caller("o", 5, 5), Caller("m", 6, 7), Caller("x", 8, 8), Caller()


def _judged(kind: int, mode: int, right: int, caller: Caller, name: bytes = b"user.x") -> int:
    try:
        check_rights(Inode(Ino(2), kind | mode, 1, 5, 7, 0, 0, 0, 0), name, right, caller)
        return 0
    except FileError as error:
        return error.errno


@pytest.mark.parametrize(
    ("mode", "right", "refused"),
    [
        (0o640, READ, [0, 0, errno.EACCES, 0]),
        (0o640, WRITE, [0, errno.EACCES, errno.EACCES, 0]),
        (0o046, READ, [errno.EACCES, 0, 0, 0]),
        (0o046, WRITE, [errno.EACCES, errno.EACCES, 0, 0]),
    ],
)
def test_the_first_class_that_fits_says_it(mode: int, right: int, refused: list[int]) -> None:
    callers = (OWNER, MEMBER, OTHER, ROOT)
    assert [_judged(stat.S_IFREG, mode, right, caller) for caller in callers] == refused


def test_a_sticky_directory_is_its_owners_to_describe() -> None:
    for caller, refused in ((OWNER, 0), (MEMBER, errno.EPERM), (ROOT, 0)):
        assert _judged(stat.S_IFDIR, 0o1777, WRITE, caller) == refused
        assert _judged(stat.S_IFDIR, 0o1777, READ, caller) == 0


def test_what_is_trusted_is_roots() -> None:
    for right, refused in ((READ, errno.ENODATA), (WRITE, errno.EPERM)):
        assert _judged(stat.S_IFREG, 0o777, right, OWNER, b"trusted.x") == refused
        assert _judged(stat.S_IFREG, 0o000, right, ROOT, b"trusted.x") == 0
