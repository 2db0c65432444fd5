"""Extended attributes: what the functions take, and how they complain."""

import os
import pathlib
import shutil


def outcome(what, act, *args, **kwargs):
    try:
        found = act(*args, **kwargs)
        print(what, sorted(found) if isinstance(found, list) else found)
    except Exception as error:
        print(what, type(error).__name__, error)


path = pathlib.Path("file")
path.write_text("text")
os.symlink("file", "link")
os.symlink("nothing", "dangling")
for subject in "file", b"file", path:
    for name in "user.a", b"user.b", pathlib.PurePath("user.c"):
        outcome(f"set {subject} {name}", os.setxattr, subject, name, b"value")
        outcome(f"get {subject} {name}", os.getxattr, subject, name)
    outcome(f"list {subject}", os.listxattr, subject)
for value in bytearray(b"array"), memoryview(b"view"), "text", None, 5:
    outcome(f"value {value!r:.5}", os.setxattr, "file", "user.a", value)
    outcome("value", os.getxattr, "file", "user.a")
for name in "", "user.\0", 5, None, "user", "none.x":
    outcome(f"set {name!r}", os.setxattr, "file", name, b"")
    outcome(f"get {name!r}", os.getxattr, "file", name)
    outcome(f"remove {name!r}", os.removexattr, "file", name)
for subject in "missing", "dangling", "", "fi\0le", None, 5.5, 12345, "file/below":
    outcome(f"set {subject!r}", os.setxattr, subject, "user.a", b"")
    outcome(f"get {subject!r}", os.getxattr, subject, "user.a")
    outcome(f"remove {subject!r}", os.removexattr, subject, "user.a")
    if subject is not None:
        outcome(f"list {subject!r}", os.listxattr, subject)
outcome("link", os.listxattr, "link")
outcome("link itself", os.listxattr, "link", follow_symlinks=False)
outcome("set link itself", os.setxattr, "link", "user.a", b"", follow_symlinks=False)
outcome("flags", os.setxattr, "file", "user.a", b"", flags=os.XATTR_CREATE)
outcome("flags", os.setxattr, "file", "user.a", b"", 99)
with open("file", "r+") as file:
    os.unlink("file")
    outcome("open file", os.setxattr, file.fileno(), "user.late", b"late")
    outcome("open file", os.listxattr, file.fileno())
    outcome("open file", os.removexattr, file.fileno(), "user.a")
directory = os.open(".", os.O_RDONLY)
outcome("directory", os.setxattr, directory, "user.d", b"d")
outcome("directory", os.getxattr, ".", "user.d")
outcome("here", os.listxattr)
os.close(directory)
path.write_text("text")
outcome("kept", os.setxattr, "file", "user.kept", b"kept")
shutil.copy2("file", "copy")
outcome("copied", os.listxattr, "copy")
reading, _ = os.pipe()
outcome("pipe", os.listxattr, reading)
