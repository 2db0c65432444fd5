"""What the system calls on names do, and each errno that they can fail with: a line for each case.

A program of its own, run natively and by OneOS; the lines must be the same. The cases are those
that POSIX.1-2024 lists under "ERRORS" of each function, in the order in which pjdfstest groups
them, and the effects on times, links and modes that it asks for. Options: `fifo` (also FIFOs),
`users` (this is root, and can be others).
"""

import errno
import os
import resource
import stat
import sys
import time
from collections.abc import Callable
from pathlib import Path

OTHER, THIRD = 65533, 65532
LONG = "n" * 256
DEEP = "/".join(["d" * 200] * 21)
KINDS = {"file", "dir", "link", "dangling"} | ({"fifo"} if "fifo" in sys.argv else set())


def outcome(act: Callable[[], object]) -> str:
    """What a call gave: `ok`, a value that is none of the system's numbers, or its errno."""
    try:
        value = act()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error.errno))
    if type(value) in (bool, str, bytes, tuple, list):
        return str(value)
    return "ok"


def case(name: str, act: Callable[[], object]) -> None:
    print(f"{name}: {outcome(act)}", flush=True)


def by_other(name: str, act: Callable[[], object], *groups: int) -> None:
    """A case as another user, where there can be one."""
    if "users" not in sys.argv:
        return
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.setgroups(list(groups))
            os.setgid(OTHER)
            os.setuid(OTHER)
            case(f"{name} by another", act)
            status = 0
        finally:
            os._exit(status)
    os.waitpid(child, 0)


def touch(path: str, mode: int = 0o644) -> str:
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, mode))
    os.chmod(path, mode)
    return path


def directory(path: str, mode: int = 0o755) -> str:
    os.mkdir(path)
    os.chmod(path, mode)
    return path


def make(kind: str, path: str) -> str:
    """Something of a kind at a path."""
    if kind == "file":
        touch(path)
    elif kind == "dir":
        os.mkdir(path)
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        os.symlink("whole" if kind == "link" else "nothing-there", path)
    return path


def mode_of(path: str) -> str:
    found = os.lstat(path)
    return f"{oct(found.st_mode)} {found.st_nlink}"


def opened(path: str, flags: int, mode: int = 0o644) -> None:
    os.close(os.open(path, flags, mode))


def in_common(name: str, call: Callable[[str], object], *, follows: bool) -> None:
    """The errors that any call with a path has: for the path itself and on the way to it."""
    case(f"{name} none/x", lambda: call("none/x"))
    case(f"{name} file/x", lambda: call("whole/x"))
    case(f"{name} loop/x", lambda: call("loop/x"))
    case(f"{name} name too long", lambda: call(LONG))
    case(f"{name} name too long below", lambda: call(f"{LONG}/x"))
    case(f"{name} path too long", lambda: call(DEEP))
    case(f"{name} longest name below none", lambda: call(f"none/{LONG[1:]}"))
    if follows:
        case(f"{name} loop", lambda: call("loop"))
    case(f"{name} link to dir/none", lambda: call("to-dir/none/x"))
    by_other(f"{name} closed/x", lambda: call("closed/x"))


# --- each call -----------------------------------------------------------------------------------
def of_open() -> None:
    reading, writing = os.O_RDONLY, os.O_WRONLY
    in_common("open", lambda path: opened(path, reading), follows=True)
    in_common("open creating", lambda path: opened(path, writing | os.O_CREAT), follows=True)
    case("open none", lambda: opened("none", reading))
    case("open empty", lambda: opened("", reading))
    case("open none/ creating", lambda: opened("none/", writing | os.O_CREAT))
    case("open file/", lambda: opened("whole/", reading))
    case("open dir writing", lambda: opened("full", writing))
    case("open dir read and write", lambda: opened("full", os.O_RDWR))
    case("open dir creating", lambda: opened("full", reading | os.O_CREAT))
    case("open dir truncating", lambda: opened("full", reading | os.O_TRUNC))
    case("open dir exclusive", lambda: opened("full", writing | os.O_CREAT | os.O_EXCL))
    case("open file exclusive", lambda: opened("whole", writing | os.O_CREAT | os.O_EXCL))
    case("open link exclusive", lambda: opened("to-file", writing | os.O_CREAT | os.O_EXCL))
    case("open dangling exclusive", lambda: opened("dangling", writing | os.O_CREAT | os.O_EXCL))
    case("open file as directory", lambda: opened("whole", reading | os.O_DIRECTORY))
    case("open link as directory", lambda: opened("to-dir", reading | os.O_DIRECTORY))
    case("open link not following", lambda: opened("to-file", reading | os.O_NOFOLLOW))
    case("open dir link not following", lambda: opened("to-dir", reading | os.O_NOFOLLOW))
    case("open below link not following", lambda: opened("to-dir/in", reading | os.O_NOFOLLOW))
    case("open dangling", lambda: opened("dangling", reading))
    case("open dangling creating", lambda: opened("dangling", writing | os.O_CREAT))
    case("  which makes its target", lambda: mode_of("made-by-link"))
    case("open new, mode and umask", lambda: opened("new-a", writing | os.O_CREAT, 0o7777))
    case("  has", lambda: mode_of("new-a"))
    case("open file with another mode", lambda: opened("new-a", writing | os.O_CREAT, 0o600))
    case("  has", lambda: mode_of("new-a"))
    case("open 0400 created for writing", lambda: opened("new-b", writing | os.O_CREAT, 0o400))
    case("read of a writer", lambda: os.read(os.open("new-a", writing), 1))
    case("write of a reader", lambda: os.write(os.open("new-a", reading), b"x"))
    case("read of a dir", lambda: os.read(os.open("full", reading), 1))
    case("new file is seen", lambda: sorted(os.listdir("full")))
    case("truncating", lambda: opened("sized", writing | os.O_TRUNC))
    case("  leaves", lambda: os.stat("sized").st_size == 0)
    by_other("open 0600", lambda: opened("mine", reading))
    by_other("open 0444 writing", lambda: opened("readable", writing))
    by_other("open 0444 truncating", lambda: opened("readable", reading | os.O_TRUNC))
    by_other("open 0222 reading", lambda: opened("writable", reading))
    by_other("open new in 0755", lambda: opened("full/by-other", writing | os.O_CREAT))
    if "fifo" in KINDS:
        case("open fifo to write, no reader", lambda: opened("pipe", writing | os.O_NONBLOCK))
        case("open fifo to read at once", lambda: opened("pipe", reading | os.O_NONBLOCK))


def of_mkdir() -> None:
    in_common("mkdir", os.mkdir, follows=False)
    for kind in sorted(KINDS):
        make(kind, f"there-{kind}")
        case(f"mkdir over {kind}", lambda kind=kind: os.mkdir(f"there-{kind}"))
    case("mkdir loop", lambda: os.mkdir("loop"))
    case("mkdir .", lambda: os.mkdir("."))
    case("mkdir ..", lambda: os.mkdir("full/.."))
    case("mkdir empty", lambda: os.mkdir(""))
    case("mkdir with a slash behind", lambda: os.mkdir("slashed/"))
    os.umask(0o027)
    case("mkdir mode and umask", lambda: os.mkdir("masked", 0o7777))
    case("  has", lambda: mode_of("masked"))
    os.umask(0o022)
    os.mkdir("inherits")
    os.chmod("inherits", 0o2755)
    case("mkdir in a set-group-id dir", lambda: os.mkdir("inherits/below"))
    case("  has", lambda: mode_of("inherits/below"))
    os.mkdir("counted")
    for name in "ab":
        os.mkdir(f"counted/{name}")
    case("links of a directory of two", lambda: mode_of("counted"))
    os.rmdir("counted/a")
    case("links of a directory of one", lambda: mode_of("counted"))
    by_other("mkdir in 0755", lambda: os.mkdir("full/by-other"))


def of_rmdir() -> None:
    in_common("rmdir", os.rmdir, follows=False)
    case("rmdir none", lambda: os.rmdir("none"))
    case("rmdir full", lambda: os.rmdir("full"))
    case("rmdir file", lambda: os.rmdir("whole"))
    case("rmdir link to dir", lambda: os.rmdir("to-dir"))
    case("rmdir link to dir/", lambda: os.rmdir("to-dir/"))
    case("rmdir .", lambda: os.rmdir("."))
    case("rmdir x/.", lambda: os.rmdir("empty/."))
    case("rmdir x/..", lambda: os.rmdir("full/.."))
    case("rmdir empty", lambda: os.rmdir("empty"))
    by_other("rmdir in 0755", lambda: os.rmdir("full/sub"))
    by_other("rmdir of root's in a sticky dir", lambda: os.rmdir("sticky/dir"))


def of_unlink() -> None:
    in_common("unlink", os.unlink, follows=False)
    case("unlink none", lambda: os.unlink("none"))
    case("unlink dir", lambda: os.unlink("full"))
    case("unlink empty dir", lambda: os.unlink(directory("gone-empty")))
    case("unlink file/", lambda: os.unlink("whole/"))
    case("unlink empty name", lambda: os.unlink(""))
    case("unlink .", lambda: os.unlink("."))
    for kind in sorted(KINDS - {"dir"}):
        case(f"unlink {kind}", lambda kind=kind: os.unlink(make(kind, f"unlinked-{kind}")))
    touch("twice")
    os.link("twice", "twice-more")
    os.unlink("twice")
    case("links left", lambda: mode_of("twice-more"))
    held = os.open(touch("held"), os.O_RDWR)
    os.unlink("held")
    os.write(held, b"still")
    case("unlinked and open", lambda: (os.fstat(held).st_nlink, os.pread(held, 9, 0)))
    os.close(held)
    by_other("unlink in 0755", lambda: os.unlink("full/in"))
    by_other("unlink of root's in a sticky dir", lambda: os.unlink("sticky/file"))


def of_link() -> None:
    in_common("link from", lambda path: os.link(path, "linked"), follows=False)
    in_common("link to", lambda path: os.link("whole", path), follows=False)
    case("link of none", lambda: os.link("none", "linked"))
    case("link of dir", lambda: os.link("full", "linked"))
    for kind in sorted(KINDS):
        case(f"link over {kind}", lambda kind=kind: os.link("whole", f"there-{kind}"))
    case("link of link", lambda: os.link("to-file", "linked-link", follow_symlinks=False))
    case("  is a link", lambda: os.readlink("linked-link"))
    case("link of file", lambda: os.link("whole", "linked"))
    case("  has", lambda: mode_of("linked"))
    case("  is the same", lambda: os.path.samefile("whole", "linked"))
    case("link to itself", lambda: os.link("whole", "whole"))
    os.unlink("linked")
    by_other("link into 0755", lambda: os.link("whole", "full/by-other"))


def of_symlink() -> None:
    in_common("symlink", lambda path: os.symlink("target", path), follows=False)
    for kind in sorted(KINDS):
        case(f"symlink over {kind}", lambda kind=kind: os.symlink("x", f"there-{kind}"))
    case("symlink to nothing", lambda: os.symlink("", "to-nothing"))
    case("symlink of the longest target", lambda: os.symlink("t" * 4095, "to-long"))
    case("symlink of a longer target", lambda: os.symlink("t" * 4096, "to-longer"))
    case("symlink", lambda: os.symlink("some/../where", "fresh-link"))
    case("  reads as", lambda: os.readlink("fresh-link"))
    case("  has", lambda: stat.S_ISLNK(os.lstat("fresh-link").st_mode))
    case("  has a size", lambda: os.lstat("fresh-link").st_size == 13)
    case("readlink of file", lambda: os.readlink("whole"))
    case("readlink of dir", lambda: os.readlink("full"))
    in_common("readlink", os.readlink, follows=False)
    by_other("symlink in 0755", lambda: os.symlink("x", "full/by-other"))


def of_rename() -> None:
    in_common("rename from", lambda path: os.rename(path, "renamed"), follows=False)
    in_common("rename to", lambda path: os.rename(touch("moving"), path), follows=False)
    case("rename none", lambda: os.rename("none", "renamed"))
    case("rename none to no path", lambda: os.rename("none", ""))
    case("rename from below a file to no path", lambda: os.rename("whole/below", ""))
    case("link from below a file to no path", lambda: os.link("whole/below", ""))
    case("link to no path", lambda: os.link("whole", ""))
    case("rename dir below itself", lambda: os.rename("full", "full/sub/below"))
    case("rename dir to itself below", lambda: os.rename("full", "full/below"))
    case("rename file over dir", lambda: os.rename("moving", "full"))
    case("rename dir over file", lambda: os.rename("full", "whole"))
    case("rename dir over full dir", lambda: os.rename(directory("empty-a"), "full"))
    case("rename dir over its parent", lambda: os.rename("full/sub", "full"))
    case("rename dir over empty dir", lambda: os.rename("empty-a", directory("empty-b")))
    case("rename .", lambda: os.rename(".", "renamed"))
    case("rename x/..", lambda: os.rename("full/..", "renamed"))
    case("rename over .", lambda: os.rename("empty-b", "."))
    case("rename file to x/", lambda: os.rename("moving", "moved/"))
    case("rename file/ ", lambda: os.rename("moving/", "moved"))
    case("rename dir to x/", lambda: os.rename("empty-b", "empty-c/"))
    case("rename over itself", lambda: os.rename("whole", "whole"))
    for one in sorted(KINDS):
        for other in sorted(KINDS):
            first, second = make(one, f"r-{one}-{other}"), make(other, f"s-{one}-{other}")
            case(f"rename {one} over {other}", lambda a=first, b=second: os.rename(a, b))
    os.link("moving", "moving-too")
    case("rename over a link of the same file", lambda: os.rename("moving", "moving-too"))
    case("  leaves both", lambda: os.path.exists("moving") and os.path.exists("moving-too"))
    case("rename to the host's", lambda: os.rename("moving", "/dev/shm/moved-by-oneos-test"))
    directory("tree-a")
    directory("tree-a/b")
    touch("tree-a/b/c")
    case("rename a tree", lambda: os.rename("tree-a", "tree-z"))
    case("  has all below", lambda: os.path.exists("tree-z/b/c"))
    by_other("rename into 0755", lambda: os.rename("sticky/loose", "full/x"))
    by_other("rename out of 0755", lambda: os.rename("full/in", "open/in"))
    by_other("rename root's in a sticky dir", lambda: os.rename("sticky/file", "sticky/x"))
    by_other(
        "rename over root's in a sticky dir", lambda: os.rename(touch("sticky/own"), "sticky/file")
    )


def of_chmod() -> None:
    in_common("chmod", lambda path: os.chmod(path, 0o644), follows=True)
    case("chmod none", lambda: os.chmod("none", 0o644))
    case("chmod dangling", lambda: os.chmod("nowhere", 0o644))
    for kind in sorted(KINDS - {"dangling"}):
        path = make(kind, f"chmod-{kind}")
        case(f"chmod {kind}", lambda path=path: os.chmod(path, 0o5741))
        case("  has", lambda path=path: oct(os.stat(path).st_mode))
    case("chmod through link", lambda: oct(os.stat("whole").st_mode))
    os.chmod("whole", 0o644)
    case("fchmod", lambda: os.fchmod(os.open("sized", os.O_RDONLY), 0o640))
    case("  has", lambda: mode_of("sized"))
    by_other("chmod root's", lambda: os.chmod("whole", 0o600))
    by_other("chmod own", lambda: os.chmod("owned", 0o600))
    by_other("chmod own to a foreign group's id", lambda: os.chmod("foreign", 0o2755))
    if "users" in sys.argv:
        case("  has", lambda: mode_of("foreign"))


def of_chown() -> None:
    me, mine = os.getuid(), os.getgid()
    in_common("chown", lambda path: os.chown(path, me, mine), follows=True)
    case("chown none", lambda: os.chown("none", me, mine))
    case("chown nothing changed", lambda: os.chown("whole", -1, -1))
    case("chown to itself", lambda: os.chown("whole", me, mine))
    case("lchown dangling", lambda: os.lchown("nowhere", me, mine))
    case("chown dangling", lambda: os.chown("nowhere", me, mine))
    by_other("chown root's", lambda: os.chown("whole", OTHER, OTHER))
    by_other("chown own away", lambda: os.chown("owned", 0, -1))
    by_other("chown own to a group not in", lambda: os.chown("owned", -1, THIRD))
    by_other("chown own to a group", lambda: os.chown("owned", -1, THIRD), THIRD)
    if "users" not in sys.argv:
        return
    touch("ids")
    os.chmod("ids", 0o6755)
    case("chown by root", lambda: os.chown("ids", OTHER, OTHER))
    case("  has", lambda: mode_of("ids"))
    found = os.stat("ids")
    case("  belongs to", lambda: (found.st_uid, found.st_gid))


def of_truncate() -> None:
    in_common("truncate", lambda path: os.truncate(path, 0), follows=True)
    case("truncate none", lambda: os.truncate("none", 0))
    case("truncate dir", lambda: os.truncate("full", 0))
    case("truncate below 0", lambda: os.truncate("whole", -1))
    case("truncate longer", lambda: os.truncate("sized", 5000))
    case("  has", lambda: os.stat("sized").st_size == 5000)
    case("  of zeros", lambda: not any(Path("sized").read_bytes()[1000:]))
    case("truncate shorter", lambda: os.truncate("sized", 17))
    case("  has", lambda: os.stat("sized").st_size == 17)
    case("ftruncate of a reader", lambda: os.ftruncate(os.open("whole", os.O_RDONLY), 0))
    case("ftruncate below 0", lambda: os.ftruncate(os.open("whole", os.O_WRONLY), -1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, resource.RLIM_INFINITY))
    case("truncate past the limit", lambda: os.truncate("sized", (1 << 20) + 1))
    case("write past the limit", lambda: os.pwrite(os.open("sized", os.O_WRONLY), b"x", 1 << 20))
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    by_other("truncate 0644", lambda: os.truncate("whole", 0))


def of_utimensat() -> None:
    in_common("utime", lambda path: os.utime(path, (1, 2)), follows=True)
    case("utime none", lambda: os.utime("none"))
    case("utime", lambda: os.utime("whole", ns=(1_000_000_001, 2_000_000_002)))
    found = os.stat("whole")
    case("  has", lambda: (found.st_atime_ns, found.st_mtime_ns))
    case("utime before 1970", lambda: os.utime("whole", (-5, -6)))
    case("  has", lambda: os.stat("whole").st_mtime_ns == -6_000_000_000)
    case("utime of link", lambda: os.utime("to-file", (3, 4), follow_symlinks=False))
    case("  of it alone", lambda: os.stat("whole").st_mtime_ns != 4_000_000_000)
    case("utime of dangling", lambda: os.utime("nowhere", (3, 4)))
    case("utime of dangling itself", lambda: os.utime("nowhere", (3, 4), follow_symlinks=False))
    by_other("utime now of root's 0644", lambda: os.utime("whole"))
    by_other("utime now of root's 0666", lambda: os.utime("writable-by-all"))
    by_other("utime set of root's 0666", lambda: os.utime("writable-by-all", (1, 2)))
    by_other("utime set of own 0444", lambda: os.utime("owned-readable", (1, 2)))


def of_mkfifo() -> None:
    if "fifo" not in KINDS:
        return
    in_common("mkfifo", os.mkfifo, follows=False)
    for kind in sorted(KINDS):
        case(f"mkfifo over {kind}", lambda kind=kind: os.mkfifo(f"there-{kind}"))
    case("mkfifo", lambda: os.mkfifo("fresh-fifo", 0o666))
    case("  has", lambda: mode_of("fresh-fifo"))
    by_other("mkfifo in 0755", lambda: os.mkfifo("full/by-other"))


def of_access() -> None:
    in_common("access", lambda path: os.stat(path), follows=True)
    for mode in (os.F_OK, os.R_OK, os.W_OK, os.X_OK):
        case(f"access {mode} file", lambda mode=mode: os.access("whole", mode))
        case(f"access {mode} dir", lambda mode=mode: os.access("full", mode))
        case(f"access {mode} none", lambda mode=mode: os.access("none", mode))
        by_other(f"access {mode} 0600", lambda mode=mode: os.access("mine", mode))
    case("stat file/", lambda: os.stat("whole/"))
    case("stat dir/.", lambda: os.path.samestat(os.stat("full/."), os.stat("full")))
    case("stat dir/sub/..", lambda: os.path.samestat(os.stat("full/sub/.."), os.stat("full")))
    case("stat link/", lambda: stat.S_ISDIR(os.lstat("to-dir/").st_mode))
    case("chdir file", lambda: os.chdir("whole"))
    case("chdir none", lambda: os.chdir("none"))
    case("listdir file", lambda: os.listdir("whole"))
    by_other("listdir 0311", lambda: os.listdir("unlistable"))
    by_other("stat in 0311", lambda: os.stat("unlistable/x"))


def of_times() -> None:
    """Which times each call changes: of what is named, and of the directory that holds it."""

    def ages(path: str) -> tuple[int, int]:
        found = os.lstat(path)
        return found.st_mtime_ns, found.st_ctime_ns

    def moved(name: str, path: str, act: Callable[[], object]) -> None:
        before = ages(path)
        time.sleep(0.011)  # A tick of the kernel's coarse clock, by which older ones tell times.
        act()
        after = ages(path)
        case(f"times: {name}", lambda: [b > a for a, b in zip(before, after, strict=True)])

    directory("clock")
    touch("clock/a")
    old = 1_000_000_000
    for name, path, act in (
        ("create, parent", "clock", lambda: touch("clock/b")),
        ("write, file", "clock/a", lambda: Path("clock/a").write_text("x")),
        ("truncate, file", "clock/a", lambda: os.truncate("clock/a", 5)),
        ("truncate to the same, file", "clock/a", lambda: os.truncate("clock/a", 5)),
        ("chmod, file", "clock/a", lambda: os.chmod("clock/a", 0o600)),
        ("chmod, parent", "clock", lambda: os.chmod("clock/a", 0o640)),
        ("link, file", "clock/a", lambda: os.link("clock/a", "clock/c")),
        ("link, parent", "clock", lambda: os.link("clock/a", "clock/d")),
        ("unlink, file", "clock/a", lambda: os.unlink("clock/c")),
        ("unlink, parent", "clock", lambda: os.unlink("clock/d")),
        ("rename, file", "clock/b", lambda: (os.rename("clock/b", "clock/e"), touch("clock/b"))),
        ("rename, parent", "clock", lambda: os.rename("clock/e", "clock/f")),
        ("mkdir, parent", "clock", lambda: os.mkdir("clock/g")),
        ("rmdir, parent", "clock", lambda: os.rmdir("clock/g")),
        ("symlink, parent", "clock", lambda: os.symlink("x", "clock/h")),
        ("read, file", "clock/a", lambda: Path("clock/a").read_text()),
        ("list, dir", "clock", lambda: os.listdir("clock")),
        ("failed unlink, parent", "clock", lambda: outcome(lambda: os.unlink("clock/none"))),
        ("failed mkdir, parent", "clock", lambda: outcome(lambda: os.mkdir("clock/a"))),
    ):
        os.utime(path, ns=(old, old))
        moved(name, path, act)


def lay_out() -> None:
    """What the cases work on."""
    os.umask(0o022)
    touch("whole")
    directory("full")
    touch("full/in")
    directory("full/sub")
    directory("empty")
    directory("closed", 0o700)
    directory("open", 0o777)
    directory("unlistable", 0o311)
    touch("unlistable/x")
    directory("sticky", 0o1777)
    touch("sticky/file")
    touch("sticky/loose")
    os.chmod("sticky/loose", 0o666)
    directory("sticky/dir")
    os.symlink("loop", "loop")
    os.symlink("whole", "to-file")
    os.symlink("full", "to-dir")
    os.symlink("made-by-link", "dangling")
    os.symlink("not-there", "nowhere")
    touch("mine", 0o600)
    touch("readable", 0o444)
    touch("writable", 0o222)
    touch("writable-by-all", 0o666)
    with open("sized", "w") as file:
        file.write("z" * 1000)
    if "fifo" in KINDS:
        os.mkfifo("pipe")
    if "users" in sys.argv:
        for name, group in (("owned", OTHER), ("owned-readable", OTHER), ("foreign", THIRD)):
            touch(name, 0o444 if "readable" in name else 0o755)
            os.chown(name, OTHER, group)


lay_out()
for group in (
    of_open, of_mkdir, of_link, of_symlink, of_mkfifo, of_rename, of_chmod, of_chown, of_truncate,
    of_utimensat, of_access, of_times, of_unlink, of_rmdir,
):  # fmt: skip
    group()
